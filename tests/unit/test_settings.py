"""Settings: every mistake names the variable and what it is for, and no secret is ever shown."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from shared import wiring
from shared.errors import ConfigurationError
from shared.milvus import MilvusIndex
from shared.postgres import PostgresClient
from shared.settings import PREFIX, Settings, load_settings

ROOT = Path(__file__).parents[2]
SECRET = "s3cret-v4lue"
ENOUGH = {
    "LOCKSTEP_POSTGRES_URL": f"postgresql://lockstep:{SECRET}@db/lockstep",
    "LOCKSTEP_MILVUS_URI": "http://milvus:19530",
    "LOCKSTEP_BUCKET_URL": "s3://documents/prefix",
}
SECRETS = [
    "LOCKSTEP_POSTGRES_URL",
    "LOCKSTEP_POSTGRES_DIRECT_URL",
    "LOCKSTEP_MILVUS_TOKEN",
    "LOCKSTEP_UPLOAD_SIGNING_KEY",
    "LOCKSTEP_API_KEY",
    "LOCKSTEP_LLM_API_KEY",
    "LOCKSTEP_WEBHOOK_SECRET",
]


def mistake(**environment: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(ENOUGH | environment)
    return str(caught.value)


@pytest.mark.parametrize("name", ENOUGH)
@pytest.mark.parametrize("value", [None, ""])
def test_what_is_missing_is_named_with_an_example(name: str, value: str | None) -> None:
    environment = {key: text for key, text in ENOUGH.items() if key != name} | ({} if value is None else {name: value})
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environment)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{name}: Field required (")
    assert "://" in line
    assert SECRET not in line


def test_everything_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings({})
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == list(ENOUGH)


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("LOCKSTEP_INDEX_PROFILE", "enormous", "'auto', 'small', 'medium' or 'large'"),
        ("LOCKSTEP_INDEX_METRIC", "cosine", "'COSINE', 'IP' or 'L2'"),
        ("LOCKSTEP_EMBEDDER_THREADS", "-1", "0: one per core"),
        ("LOCKSTEP_EMBEDDER_THREADS", "many", "integer"),
        ("LOCKSTEP_LLM_TIMEOUT_SECONDS", "0", "greater than 0"),
        ("LOCKSTEP_LLM_TIMEOUT_SECONDS", "soon", "number"),
        ("LOCKSTEP_LLM_TIMEOUT_SECONDS", "nan", "finite"),
        ("LOCKSTEP_LLM_TIMEOUT_SECONDS", "inf", "finite"),
        ("LOCKSTEP_MAX_OBJECT_MB", "0", "a larger object is rejected"),
        ("LOCKSTEP_MAX_OBJECT_MB", "2.5", "integer"),
        ("LOCKSTEP_LOG_RETENTION_DAYS", "1", "who asked"),
        ("LOCKSTEP_MAX_OBJECT_MB", "9" * 5_000, "integer"),
        ("LOCKSTEP_BACKUP_OBJECTS", "perhaps", "boolean"),
        ("LOCKSTEP_BACKUP_DAYS", "0", "how many days a snapshot is kept"),
        ("LOCKSTEP_BACKUP_MINIMUM", "0", "however old"),
    ],
)
def test_a_bad_value_is_named_with_what_it_should_be(name: str, value: str, what: str) -> None:
    (line,) = mistake(**{name: value}).splitlines()
    assert line.startswith(f"{name}: ")
    assert what in line


def test_what_is_not_a_setting_is_left_alone() -> None:
    assert (
        load_settings(ENOUGH | {"LOCKSTEP_TEST_DATA": "/somewhere", "PATH": "/bin", "lockstep_api_key": "x"}).api_key
        is None
    )


def test_an_empty_variable_counts_as_absent() -> None:
    settings = load_settings(ENOUGH | {"LOCKSTEP_API_KEY": "", "LOCKSTEP_EMBEDDER_THREADS": ""})
    assert settings.api_key is None
    assert settings.embedder_threads == 0


def test_the_environment_is_read_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENOUGH.items():
        monkeypatch.setenv(name, value)
    assert load_settings().bucket_url == "s3://documents/prefix"


def test_settings_do_not_change() -> None:
    settings = load_settings(ENOUGH)
    with pytest.raises(ValidationError):
        settings.bucket_url = "s3://other"


def test_the_direct_url_is_the_pooled_one_unless_it_is_named() -> None:
    assert SECRET in load_settings(ENOUGH).direct_url.get_secret_value()
    direct = {"LOCKSTEP_POSTGRES_DIRECT_URL": "postgresql://direct"}
    assert load_settings(ENOUGH | direct).direct_url.get_secret_value() == "postgresql://direct"


@pytest.mark.parametrize(
    ("bucket", "chosen", "copies"),
    [("s3://b", "", False), ("file:///b", "", True), ("s3://b", "true", True), ("file:///b", "false", False)],
)
def test_uploads_are_copied_into_snapshots_where_the_bucket_is_a_folder(bucket: str, chosen: str, copies: bool) -> None:
    environment = ENOUGH | {"LOCKSTEP_BUCKET_URL": bucket, "LOCKSTEP_BACKUP_OBJECTS": chosen}
    assert load_settings(environment).backs_objects_up is copies


# Secrets


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_masked_however_it_is_written_out(name: str) -> None:
    settings = load_settings(ENOUGH | {name: f"{SECRET}{name}"})
    field: SecretStr = getattr(settings, name.removeprefix(PREFIX).lower())
    assert field.get_secret_value() == f"{SECRET}{name}"
    for written in (
        repr(settings),
        str(settings),
        f"{settings}",
        settings.model_dump_json(),
        str(settings.model_dump()),
    ):
        assert SECRET not in written


def test_every_setting_whose_name_speaks_of_a_secret_is_masked() -> None:
    words = ("key", "token", "password", "secret", "postgres")
    for name, field in Settings.model_fields.items():
        if any(word in name for word in words):
            assert "SecretStr" in str(field.annotation), name


def test_a_mistake_beside_a_secret_does_not_show_it() -> None:
    environment = dict.fromkeys(SECRETS, SECRET) | {"LOCKSTEP_MAX_OBJECT_MB": SECRET}
    assert SECRET not in mistake(**environment)


# What the values mean is found out where they are used


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://lockstep:{SECRET}@db/lockstep",
        f"lockstep:{SECRET}@db/lockstep",
        f"postgresql://lockstep:{SECRET}/x@db:5432/lockstep",
        f"postgresql://lockstep:{SECRET}@db:port/lockstep",
        f"postgresql://lockstep:{SECRET}@db:99999999/lockstep",
        f"postgresql://lockstep:{SECRET}@[db/lockstep",
        f"postgresql://lockstep:{SECRET}@db/lockstep?sslmode=perhaps",
        f"postgresql://lockstep:{SECRET}@db/lockstep?sslrootcert=/nowhere/ca.pem",
        "",
    ],
)
def test_a_url_that_is_none_of_postgres_says_so_without_the_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"LOCKSTEP_POSTGRES_URL|sslmode|sslrootcert") as caught:
        PostgresClient(url)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("uri", ["", "milvus", "milvus:19530", "ftp://milvus", "{{resolve:secret}}"])
def test_a_place_of_milvus_that_is_none_names_the_variable_and_an_example(uri: str) -> None:
    with pytest.raises(ConfigurationError, match=r"LOCKSTEP_MILVUS_URI .* http://host:19530"):
        MilvusIndex(uri, SECRET).ping()


@pytest.mark.parametrize("url", ["ftp://x", "documents", "s3:///prefix", "s3://", "file:relative", "", "http://x/y"])
def test_a_place_for_objects_that_is_none_says_what_one_looks_like(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "settings", lambda: load_settings(ENOUGH))
    with pytest.raises(ConfigurationError, match=r"s3://bucket/prefix or file:///folder"):
        wiring.open_store(url)


def test_a_snapshot_without_a_place_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "settings", lambda: load_settings(ENOUGH))
    wiring.backups.forget()
    with pytest.raises(ConfigurationError, match="LOCKSTEP_BACKUP_URL"):
        wiring.backups()


def test_importing_the_composition_root_reads_no_environment_and_no_vendor() -> None:
    script = "import sys, shared.wiring; print({'pymilvus', 'pg8000', 'boto3', 'onnxruntime'} & set(sys.modules))"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_where_a_key_is_required_nothing_starts_without_one() -> None:
    required = {**ENOUGH, "LOCKSTEP_PUBLIC": "true"}
    with pytest.raises(ConfigurationError, match="LOCKSTEP_API_KEY is not set"):
        load_settings(required)
    assert load_settings({**required, "LOCKSTEP_API_KEY": "k"}).public


def test_a_misspelt_setting_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(ConfigurationError, match="LOCKSTEP_APIKEY is not a setting: is LOCKSTEP_API_KEY meant"):
        load_settings({**ENOUGH, "LOCKSTEP_APIKEY": "k"})
    with pytest.raises(ConfigurationError, match="LOCKSTEP_XYZ is not a setting; shared"):
        load_settings({**ENOUGH, "LOCKSTEP_XYZ": "k"})
