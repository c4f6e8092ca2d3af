"""Buckets: in memory, as a folder, and over S3 with a server that checks signatures."""

from __future__ import annotations

import io
import socket
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from shared import aws, wiring
from shared.aws import S3ObjectStore
from shared.errors import (
    ConfigurationError,
    InvalidInputError,
    NotFoundError,
    ObjectChangedError,
    StoreUnavailableError,
)
from shared.folder import FolderObjectStore
from shared.ports import ObjectStore
from shared.resilience import RETRY_SECONDS
from shared.settings import load_settings
from shared.testing import InMemoryObjectStore
from tests.s3_server import ACCESS_KEY, SECRET_KEY, s3_server

NAMES = [
    "plain.txt",
    "with space.txt",
    "a+b%20c.txt",
    'quote\'s "x".txt',
    "한국어/문서.txt",
    "Böbrek/ıİ.md",
    "a&b=c#d?.txt",
]


@pytest.fixture(scope="module")
def s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("s3") / "buckets"
    (folder / "documents").mkdir(parents=True)
    with s3_server(folder) as url:
        yield url


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)


@pytest.fixture(params=["memory", "folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "memory":
        return InMemoryObjectStore()
    if request.param == "folder":
        return FolderObjectStore(tmp_path / "bucket", upload_url="http://127.0.0.1/presigned", signing_key=b"key")
    request.getfixturevalue("credentials")
    prefix = f"{request.node.name.replace('[', '-').replace(']', '')}/"
    return S3ObjectStore("documents", prefix=prefix, endpoint_url=request.getfixturevalue("s3_url"), region="us-east-1")


@pytest.mark.parametrize("name", NAMES)
def test_what_was_put_is_there_under_its_name(store: ObjectStore, name: str) -> None:
    version = store.put(f"bot/{name}", b"content")
    assert store.head(f"bot/{name}") == version
    assert [found.key for found in store.list("bot/")] == [f"bot/{name}"]
    with store.open(version) as file:
        assert file.read() == b"content"


def test_a_file_is_put_like_bytes(store: ObjectStore) -> None:
    content = b"x" * 300_000
    version = store.put("bot/file.bin", io.BytesIO(content))
    assert version.size == len(content)
    with store.open(version) as file:
        assert file.read() == content
        file.seek(299_999)
        assert file.read() == b"x"


def test_what_is_not_there_is_none(store: ObjectStore) -> None:
    assert store.head("bot/nothing.txt") is None
    assert store.head("bot/nothing/below.txt") is None
    store.delete("bot/nothing.txt")


def test_another_content_is_another_version(store: ObjectStore) -> None:
    first = store.put("bot/a.txt", b"first")
    second = store.put("bot/a.txt", b"second")
    assert first.token != second.token
    with pytest.raises((ObjectChangedError, NotFoundError)), store.open(first):
        pass


def test_a_deleted_object_is_gone(store: ObjectStore) -> None:
    version = store.put("bot/a.txt", b"content")
    store.delete("bot/a.txt")
    assert store.head("bot/a.txt") is None
    with pytest.raises(NotFoundError), store.open(version):
        pass


def test_a_listing_is_in_the_order_of_bytes_and_goes_on_where_it_stopped(store: ObjectStore) -> None:
    names = ["B.txt", "a.txt", "a/b.txt", "é.txt", "z.txt", "한.txt"]
    for name in names:
        store.put(f"bot/{name}", b"1")
    store.put("other/a.txt", b"1")
    keys = sorted((f"bot/{name}" for name in names), key=str.encode)
    assert [version.key for version in store.list("bot/")] == keys
    assert [version.key for version in store.list("bot/", after=keys[2])] == keys[3:]


def test_what_begins_with_a_dot_is_listed_only_when_it_is_asked_for(store: ObjectStore) -> None:
    for key in (".lockstep/ledger/bot/1.json", ".lockstep/ledger/bot/2.json", ".lockstep/ledger/bot-2/3.json"):
        store.put(key, b"{}")
    store.put("bot/a.txt", b"1")
    assert [version.key for version in store.list("bot/")] == ["bot/a.txt"]
    prefix = ".lockstep/ledger/bot/"
    assert [version.key for version in store.list(prefix)] == [f"{prefix}1.json", f"{prefix}2.json"]
    assert [version.key for version in store.list(prefix, after=f"{prefix}1")] == [f"{prefix}1.json", f"{prefix}2.json"]
    assert [version.key for version in store.list(prefix, after=f"{prefix}1.json")] == [f"{prefix}2.json"]
    assert list(store.list(".lockstep/ledger/nobody/")) == []


def test_an_uploader_needs_no_key_of_their_own(store: ObjectStore) -> None:
    presigned = store.presign_put("bot/big file+ü.bin", size=5)
    assert presigned.method == "PUT"
    assert presigned.headers == {"Content-Length": "5"}
    if isinstance(store, S3ObjectStore):
        assert httpx2.put(presigned.url, content=b"12345").status_code == 200
        assert httpx2.put(presigned.url, content=b"1234567").status_code == 403
        version = store.head("bot/big file+ü.bin")
        assert version is not None
        assert version.size == 5


def test_who_fetches_a_file_needs_no_key_of_their_own(store: ObjectStore) -> None:
    key = "exports/big file+ü.bin"
    store.put(key, b"12345")
    url = store.presign_get(key, expires_in_seconds=60)
    assert "big%20file%2B%C3%BC.bin" in url
    if isinstance(store, S3ObjectStore):
        assert httpx2.get(url).content == b"12345"
        assert httpx2.get(url.replace("big%20file", "other")).status_code == 403
        assert httpx2.put(url, content=b"123").status_code == 403
        assert httpx2.get(store.presign_get("exports/nothing.bin")).status_code == 404


# What is particular to one of them


@pytest.mark.parametrize("key", ["../outside.txt", "bot/../../x", "/etc/passwd", "bot//x", "bot/\0", "."])
def test_a_folder_does_not_let_a_key_leave_it(tmp_path: Path, key: str) -> None:
    store = FolderObjectStore(tmp_path / "bucket")
    with pytest.raises(InvalidInputError):
        store.put(key, b"x")


def test_a_folder_reads_no_file_that_changes_under_it(tmp_path: Path) -> None:
    store = FolderObjectStore(tmp_path)
    version = store.put("bot/a.txt", b"first")
    (tmp_path / "bot" / "a.txt").write_bytes(b"half of the sec")
    with pytest.raises(ObjectChangedError), store.open(version):
        pass


def test_a_folder_knows_a_name_in_either_normal_form(tmp_path: Path) -> None:
    composed, decomposed = unicodedata.normalize("NFC", "é.txt"), unicodedata.normalize("NFD", "é.txt")
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot" / decomposed).write_bytes(b"1")
    store = FolderObjectStore(tmp_path)
    assert [version.key for version in store.list("bot/")] == [f"bot/{composed}"]
    assert store.head(f"bot/{composed}") is not None


def test_a_folder_leaves_hidden_files_alone(tmp_path: Path) -> None:
    store = FolderObjectStore(tmp_path)
    store.put("bot/a.txt", b"1")
    (tmp_path / "bot" / ".hidden").write_bytes(b"1")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_bytes(b"1")
    assert [version.key for version in store.list("")] == ["bot/a.txt"]


def test_a_folder_shows_the_corrections_that_lie_in_it(tmp_path: Path) -> None:
    store = FolderObjectStore(tmp_path)
    key = f"bot/.corrections/{uuid4()}.json"
    written = store.put(key, b"{}")
    (tmp_path / "bot" / ".corrections" / ".uploading-x").write_bytes(b"1")
    assert list(store.list("bot/")) == [written]
    assert store.key_of(tmp_path / key) == key


def test_a_folder_checks_its_own_signatures(tmp_path: Path) -> None:
    store = FolderObjectStore(tmp_path, signing_key=b"key")
    query = httpx2.URL(store.presign_put("bot/a", size=3).url).params
    expires, signature = int(query["expires"]), query["signature"]
    assert store.accepts("bot/a", size=3, expires=expires, signature=signature)
    assert not store.accepts("bot/b", size=3, expires=expires, signature=signature)
    assert not store.accepts("bot/a", size=4, expires=expires, signature=signature)
    assert not store.accepts("bot/a", size=3, expires=expires + 1, signature=signature)
    old = httpx2.URL(store.presign_put("bot/a", size=3, expires_in_seconds=-1).url).params
    assert not store.accepts("bot/a", size=3, expires=int(old["expires"]), signature=old["signature"])


def test_a_folder_gives_a_file_for_a_signature_of_its_own_alone(tmp_path: Path) -> None:
    store, other = (FolderObjectStore(tmp_path / name, signing_key=b"key") for name in ("backups", "bucket"))
    for each in (store, other):
        each.put("a/1", b"1")
        each.put("b/1", b"1")
    query = httpx2.URL(store.presign_get("a/1")).params
    expires, signature = int(query["expires"]), query["signature"]
    assert store.signed_file("a/1", expires=expires, signature=signature) == tmp_path / "backups" / "a" / "1"
    assert store.signed_file("b/1", expires=expires, signature=signature) is None
    assert store.signed_file("a/1", expires=expires + 1, signature=signature) is None
    assert other.signed_file("a/1", expires=expires, signature=signature) is None
    upload = httpx2.URL(store.presign_put("a/1", size=1).url).params
    assert store.signed_file("a/1", expires=int(upload["expires"]), signature=upload["signature"]) is None
    assert not store.accepts("a/1", size=1, expires=expires, signature=signature)
    old = httpx2.URL(store.presign_get("a/1", expires_in_seconds=-1)).params
    assert store.signed_file("a/1", expires=int(old["expires"]), signature=old["signature"]) is None
    store.delete("a/1")
    assert store.signed_file("a/1", expires=expires, signature=signature) is None


def test_a_folder_without_a_key_signs_for_nobody(tmp_path: Path) -> None:
    store = FolderObjectStore(tmp_path)
    store.put("a/1", b"1")
    query = httpx2.URL(store.presign_get("a/1")).params
    assert store.signed_file("a/1", expires=int(query["expires"]), signature=query["signature"]) is None


@pytest.mark.usefixtures("credentials")
def test_s3_pages_through_a_long_listing(s3_url: str) -> None:
    store = S3ObjectStore("documents", prefix="paged/", endpoint_url=s3_url, region="us-east-1")
    for number in range(1005):
        store.put(f"bot/{number:05}.txt", b"1")
    assert len(list(store.list("bot/"))) == 1005


def test_s3_with_a_wrong_secret_says_what_to_check(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    store = S3ObjectStore("documents", endpoint_url=s3_url, region="us-east-1")
    with pytest.raises(ConfigurationError, match="credentials"):
        store.put("bot/a.txt", b"1")


@pytest.mark.usefixtures("credentials")
def test_s3_that_does_not_answer_is_unavailable() -> None:
    store = S3ObjectStore("documents", endpoint_url="http://127.0.0.1:9", region="us-east-1")
    with pytest.raises(StoreUnavailableError):
        store.head("bot/a.txt")


def test_s3_without_its_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("boto3", "botocore"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigurationError, match=r"needs boto3.*pip install"):
        S3ObjectStore("documents", region="us-east-1").head("a")


def test_a_missing_bucket_is_not_taken_for_a_missing_object(s3_url: str, credentials: None) -> None:
    elsewhere = S3ObjectStore("no-such-bucket", prefix="", endpoint_url=s3_url, region="us-east-1")
    with pytest.raises(ConfigurationError, match="no bucket 'no-such-bucket': check its URL"):
        elsewhere.head("bot/a.txt")


@pytest.mark.usefixtures("credentials")
def test_s3_finds_the_bucket_in_the_name_of_a_server_that_wants_it_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo

    def resolve_here(host: str, *others: Any, **more: Any) -> Any:
        return resolve("127.0.0.1" if host.endswith(".store.test") else host, *others, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_here)
    monkeypatch.setenv("no_proxy", "*")
    (tmp_path / "buckets" / "documents").mkdir(parents=True)
    with s3_server(tmp_path / "buckets", path_style=False) as url:
        endpoint = url.replace("127.0.0.1", "eu.store.test")
        store = S3ObjectStore("documents", endpoint_url=endpoint, region="us-east-1", addressing_style="virtual")
        store.put("bot/a.txt", b"content")
        assert [found.key for found in store.list("")] == ["bot/a.txt"]
        presigned = store.presign_get("bot/a.txt")
        assert presigned.startswith(f"{endpoint.replace('eu.store', 'documents.eu.store')}/bot/a.txt?")
        assert httpx2.get(presigned).content == b"content"
        elsewhere = S3ObjectStore("documents", endpoint_url=endpoint, region="us-east-1", addressing_style="path")
        with pytest.raises(ConfigurationError):
            elsewhere.head("bot/a.txt")


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    ("endpoint_url", "style", "url"),
    [
        ("https://obs.store.test", "auto", "https://obs.store.test/documents/a?"),
        ("https://obs.store.test", "path", "https://obs.store.test/documents/a?"),
        ("https://obs.store.test", "virtual", "https://documents.obs.store.test/a?"),
        (None, "virtual", "https://documents.s3.eu-central-1.amazonaws.com/a?"),
        (None, "path", "https://s3.eu-central-1.amazonaws.com/documents/a?"),
    ],
)
def test_where_s3_looks_for_the_bucket_is_a_setting(
    monkeypatch: pytest.MonkeyPatch, endpoint_url: str | None, style: str, url: str
) -> None:
    environment = {
        "LOCKSTEP_POSTGRES_URL": "postgresql://",
        "LOCKSTEP_MILVUS_URI": "http://milvus",
        "LOCKSTEP_BUCKET_URL": "s3://documents",
        "LOCKSTEP_S3_ENDPOINT_URL": endpoint_url or "",
        "LOCKSTEP_S3_REGION": "eu-central-1",
        "LOCKSTEP_S3_ADDRESSING_STYLE": style,
    }
    monkeypatch.setattr(wiring, "settings", lambda: load_settings(environment))
    assert wiring.open_store("s3://documents").presign_get("a").startswith(url)


@pytest.mark.usefixtures("credentials")
def test_s3_that_hangs_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "READ_TIMEOUT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # its backlog takes connections that nobody answers
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        store = S3ObjectStore("documents", endpoint_url=endpoint, region="us-east-1")
        with pytest.raises(StoreUnavailableError, match="ReadTimeoutError"):
            store.head("bot/a.txt")


def test_no_store_is_waited_for_longer_than_a_question_has() -> None:
    whole = RETRY_SECONDS + aws.CONNECT_TIMEOUT_SECONDS + aws.READ_TIMEOUT_SECONDS
    assert whole < 29
