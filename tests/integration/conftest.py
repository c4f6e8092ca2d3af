"""Deployments that are backed up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.milvus import EmbeddedMilvus
from infra.local.postgres import EmbeddedPostgres
from tests.integration.deployments import Deployment, Deployments, fill


@pytest.fixture
def deployments(
    postgres_server: EmbeddedPostgres, milvus_server: EmbeddedMilvus, tmp_path: Path
) -> Iterator[Deployments]:
    made = Deployments(postgres_server, milvus_server, tmp_path / "backups")
    yield made
    made.close()


@pytest.fixture
def source(deployments: Deployments) -> Deployment:
    return fill(deployments.new())
