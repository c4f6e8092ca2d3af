"""What the tests of the deployment share: the package of this machine, and a cloud to run it in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.milvus import EmbeddedMilvus
from infra.local.postgres import EmbeddedPostgres
from infra.package import build_package
from infra.packaging.target import Target
from tests.conftest import ROOT
from tests.infra.cloud import BACKUPS, CREDENTIALS, DOCUMENTS, REGION, Cloud, aws_server, lockstep
from tests.infra.packaged import Package, copy_runtime
from tests.s3_server import s3_server

# In every one of them, so that one look finds it wherever it should not be.
SECRET = "recognisable-secret"
API_KEY = "the-key-of-the-test-deployment"
SETTINGS = {
    **CREDENTIALS,
    "POWERTOOLS_LOG_LEVEL": "DEBUG",
    "PYDANTIC_DISABLE_PLUGINS": "__all__",
    "LOCKSTEP_MILVUS_TOKEN": f"token-{SECRET}",
    "LOCKSTEP_BUCKET_URL": f"s3://{DOCUMENTS}",
    "LOCKSTEP_BACKUP_URL": f"s3://{BACKUPS}",
    "LOCKSTEP_S3_REGION": REGION,
    "LOCKSTEP_EMBEDDER_THREADS": "1",
    "LOCKSTEP_API_KEY": API_KEY,
    "LOCKSTEP_LLM_API_KEY": f"llm-{SECRET}",
}


@pytest.fixture(scope="session")
def package(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Package:
    """What `python -m infra.package --host` builds: the installed distributions, so nothing but the model is fetched."""
    build_package(Target.host(), ROOT / "dist", model=model_folder)
    return Package(ROOT / "dist" / Target.host().name, copy_runtime(tmp_path_factory.mktemp("runtime")))


@pytest.fixture(scope="session")
def aws_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with aws_server(tmp_path_factory.mktemp("aws")) as url:
        yield url


@pytest.fixture(scope="module")
def s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    buckets = tmp_path_factory.mktemp("s3") / "buckets"
    for name in (DOCUMENTS, BACKUPS):
        (buckets / name).mkdir(parents=True)
    with s3_server(buckets) as url:
        yield url


@pytest.fixture(scope="module")
def cloud(
    package: Package,
    s3_url: str,
    aws_url: str,
    postgres_server: EmbeddedPostgres,
    milvus_server: EmbeddedMilvus,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cloud]:
    """A deployment as infra/README.md makes it: settings, then `lockstep migrate`."""
    postgres = postgres_server.ensure_database("packaged").replace("lockstep@", f"lockstep:{SECRET}@")
    stores = {
        "AWS_ENDPOINT_URL_SQS": aws_url,
        "LOCKSTEP_POSTGRES_URL": postgres,
        "LOCKSTEP_POSTGRES_DIRECT_URL": postgres,
        "LOCKSTEP_MILVUS_URI": milvus_server.uri,
        "LOCKSTEP_S3_ENDPOINT_URL": s3_url,
        "LOCKSTEP_MODEL_PATH": str(package.model),
    }
    made = Cloud(package, SETTINGS | stores, tmp_path_factory.mktemp("cloud"), s3_url, aws_url)
    queues = {f"LOCKSTEP_{name}_QUEUE_URL": made.create_queue(name.lower()) for name in ("INGEST", "SYNC")}
    made.environment = {**made.environment, **queues}
    lockstep(made.environment, made.folder, "migrate")
    yield made
    made.stop()
