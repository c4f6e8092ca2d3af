"""A folder as a bucket: odd names, names in the way of each other, files that are being written, signed uploads."""

from __future__ import annotations

import io
import os
import threading
import time
import unicodedata
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import folder
from shared.errors import ConflictError, InvalidInputError, NotFoundError, ObjectChangedError
from shared.folder import FolderObjectStore
from shared.keys import object_key


@pytest.fixture
def store(tmp_path: Path) -> FolderObjectStore:
    made = FolderObjectStore(tmp_path / "bucket", upload_url="http://127.0.0.1/presigned", signing_key=b"key")
    made.put("library/first.txt", b"1")
    return made


def names(store: FolderObjectStore) -> list[str]:
    return [version.key.removeprefix("library/") for version in store.list("library/")]


# Names


@pytest.mark.parametrize("syllable", ["가", "각", "é", "x"])
def test_a_name_may_be_as_long_as_a_name_may_be(store: FolderObjectStore, syllable: str) -> None:
    name = syllable * (240 // len(syllable.encode())) + ".txt"
    assert store.head(f"library/{name}") is None
    version = store.put(f"library/{name}", b"content")
    assert store.head(f"library/{name}") == version
    assert name in names(store)
    store.delete(f"library/{name}")
    assert store.head(f"library/{name}") is None


def test_a_name_that_no_file_can_have_is_not_there(store: FolderObjectStore) -> None:
    assert store.head("library/" + "x" * 300) is None
    store.delete("library/first.txt/below.txt")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_file_of_either_normal_form_has_one_key(store: FolderObjectStore, form: str) -> None:
    path = store.root / "library" / unicodedata.normalize(form, "문서 é.txt")  # type: ignore[arg-type]
    path.write_bytes(b"copied by hand")
    key = "library/문서 é.txt"
    assert store.key_of(path) == key
    version = store.head(key)
    assert version is not None
    with store.open(version) as file:
        assert file.read() == b"copied by hand"
    store.put(key, b"replaced")
    assert sorted(names(store)) == ["first.txt", "문서 é.txt"]
    store.delete(key)
    assert names(store) == ["first.txt"]


def test_a_file_whose_name_is_no_text_does_not_hide_the_others(store: FolderObjectStore) -> None:
    odd = store.root / "library" / os.fsdecode(b"\xff\xfe.txt")
    odd.write_bytes(b"from an old archive")
    assert names(store) == ["first.txt"]
    assert store.key_of(odd) is None


@settings(deadline=None)
@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12))
def test_any_name_that_the_api_takes_is_kept_and_found(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    try:
        key = object_key("library", name)
    except InvalidInputError:
        return
    store = FolderObjectStore(tmp_path_factory.getbasetemp() / "any")
    version = store.put(key, name.encode())
    assert store.head(key) == version
    assert [found.key for found in store.list("library/")] == [key]
    os.utime(store.root / key, (0, 0))  # long ago, so that nobody waits for it to settle
    old = store.head(key)
    assert old is not None
    with store.open(old) as file:
        assert file.read() == name.encode()
    store.delete(key)


# In each other's way


def test_a_file_and_a_folder_of_one_name_are_a_conflict_and_what_was_there_stays(store: FolderObjectStore) -> None:
    store.put("library/guides/kidney.txt", b"2")
    with pytest.raises(ConflictError, match="same name"):
        store.put("library/guides", b"a file now")
    with pytest.raises(ConflictError, match="same name"):
        store.put("library/first.txt/below.txt", b"a folder now")
    store.delete("library/guides")
    assert names(store) == ["first.txt", "guides/kidney.txt"]
    assert not list(store.root.rglob(".uploading-*"))


def test_an_upload_that_breaks_off_leaves_what_was_there(store: FolderObjectStore) -> None:
    class Broken:
        def read(self, size: int = -1) -> bytes:
            raise OSError("the line is dead")

    before = store.head("library/first.txt")
    with pytest.raises(OSError, match="the line is dead"):
        store.put("library/first.txt", Broken())  # type: ignore[arg-type]
    assert store.head("library/first.txt") == before
    assert not list(store.root.rglob(".uploading-*"))


# Files that are being written


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "SETTLE_SECONDS", 0.0)


@pytest.mark.usefixtures("no_waiting")
def test_a_file_that_is_being_written_is_never_read_in_half(store: FolderObjectStore) -> None:
    path = store.root / "library" / "growing.txt"
    path.write_bytes(b"")
    is_over = threading.Event()

    def write() -> None:
        with path.open("r+b", buffering=0) as file:
            while not is_over.is_set():  # a few lines, again and again from the beginning: the disk is not to be filled
                file.truncate(0)
                file.seek(0)
                for _ in range(100):
                    file.write(b"x" * 1000)

    writer = threading.Thread(target=write)
    writer.start()
    outcomes = set()
    try:
        for _ in range(200):
            outcomes.add(read(store, "library/growing.txt"))
    finally:
        is_over.set()
        writer.join()
    assert "changed" in outcomes
    assert read(store, "library/growing.txt") == "whole"


def read(store: FolderObjectStore, key: str) -> str:
    version = store.head(key)
    assert version is not None
    try:
        with store.open(version) as file:
            assert len(file.read()) == version.size
    except ObjectChangedError:
        return "changed"
    return "whole"


@pytest.mark.usefixtures("no_waiting")
def test_a_file_that_changes_between_its_first_and_its_last_byte_is_not_read(
    store: FolderObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Copy(io.BytesIO):
        def write(self, chunk: Any) -> int:
            (store.root / "library" / "first.txt").write_bytes(b"2")
            return super().write(chunk)

    version = store.head("library/first.txt")
    assert version is not None
    monkeypatch.setattr("shared.folder.tempfile.TemporaryFile", Copy)
    with pytest.raises(ObjectChangedError), store.open(version):
        pass


@pytest.mark.usefixtures("no_waiting")
def test_a_file_without_an_end_is_read_no_further_than_it_was_long(
    store: FolderObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/dev/zero stands for a file that grows faster than it is read."""
    version = store.head("library/first.txt")
    assert version is not None
    monkeypatch.setattr(store, "_path", lambda key: Path("/dev/zero"))
    monkeypatch.setattr(store, "_check", lambda version, state: None)
    with store.open(version) as file:
        assert file.read() == b"\0"


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("what", ["truncated", "replaced", "touched"])
def test_a_file_that_changed_since_it_was_looked_at_is_not_read(store: FolderObjectStore, what: str) -> None:
    path = store.root / "library" / "first.txt"
    version = store.head("library/first.txt")
    assert version is not None
    if what == "truncated":
        path.write_bytes(b"")
    elif what == "replaced":
        store.put("library/first.txt", b"2")
    else:
        os.utime(path, ns=(0, time.time_ns() + 10**9))
    with pytest.raises(ObjectChangedError), store.open(version):
        pass


def test_a_file_that_went_away_is_not_found(store: FolderObjectStore) -> None:
    version = store.head("library/first.txt")
    assert version is not None
    store.delete("library/first.txt")
    with pytest.raises(NotFoundError), store.open(version):
        pass


def test_what_changed_a_moment_ago_is_given_time_to_settle(
    store: FolderObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    version = store.put("library/new.txt", b"1")
    with store.open(version):
        pass
    assert len(slept) == 1
    assert 0 < slept[0] <= folder.SETTLE_SECONDS
    os.utime(store.root / "library" / "new.txt", (0, 0))
    old = store.head("library/new.txt")
    assert old is not None
    with store.open(old):
        pass
    assert len(slept) == 1


# Signed uploads


def signed(store: FolderObjectStore) -> tuple[int, str]:
    query = parse_qs(urlsplit(store.presign_put("library/a.txt", size=3).url).query)
    return int(query["expires"][0]), query["signature"][0]


@pytest.mark.parametrize("signature", ["", "é", "\ud800", "0" * 64, "0" * 10_000])
def test_a_signature_that_is_none_is_refused(store: FolderObjectStore, signature: str) -> None:
    expires, _ = signed(store)
    assert not store.accepts("library/a.txt", size=3, expires=expires, signature=signature)


def test_without_a_key_nothing_is_accepted(tmp_path: Path, store: FolderObjectStore) -> None:
    keyless = FolderObjectStore(tmp_path)
    expires, signature = signed(keyless)
    assert not keyless.accepts("library/a.txt", size=3, expires=expires, signature=signature)
    assert not store.accepts("library/a.txt", size=3, expires=expires, signature=signature)
