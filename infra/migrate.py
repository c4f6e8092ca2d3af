"""Applies the numbered migrations, forward only. Safe to run twice, and by two at once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from uuid import uuid4

from shared.errors import ConfigurationError
from shared.postgres import PostgresClient, Transaction

_MIGRATION_LOCK = 7_402_517_002
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_BOOTSTRAP = """
create table if not exists schema_migrations (
    version    integer primary key,
    name       text not null,
    checksum   text not null,
    applied_at timestamptz not null default now()
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file of shared/sql/migrations."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """All migrations, in order."""
    files = resources.files("shared.sql").joinpath("migrations").iterdir()
    matches = ((_NAME.fullmatch(file.name), file) for file in files)
    found = [Migration(int(match[1]), file.name, file.read_text("utf-8")) for match, file in matches if match]
    return sorted(found, key=lambda migration: migration.version)


def migrate(client: PostgresClient) -> list[str]:
    """Apply what is missing, one transaction each; returns the names of those applied.

    `client` must reach Postgres without a transaction-mode pooler. Raises ConfigurationError if the catalog was migrated
    by a newer Lockstep, or if a migration that was applied has been edited since.
    """
    client.transact(lambda tx: _under_lock(tx).script(_BOOTSTRAP), timeout_seconds=60)
    applied = [migration.name for migration in migrations() if client.transact(_apply(migration), timeout_seconds=600)]
    client.transact(_ensure_deployment)
    return applied


def _apply(migration: Migration) -> Callable[[Transaction], bool]:
    def work(tx: Transaction) -> bool:
        _under_lock(tx)
        checksums = {row["version"]: row["checksum"] for row in tx.rows("applied_migrations")}
        _check_age(checksums)
        if migration.version in checksums:
            if checksums[migration.version] != migration.checksum:
                raise ConfigurationError(
                    f"{migration.name} was edited after it was applied: add a new migration instead."
                )
            return False
        tx.script(migration.sql)
        tx.execute("insert_migration", version=migration.version, name=migration.name, checksum=migration.checksum)
        return True

    return work


def _check_age(applied: dict[int, str]) -> None:
    newest = migrations()[-1].version
    if applied and max(applied) > newest:
        raise ConfigurationError(
            f"The catalog is at migration {max(applied)}, this Lockstep knows {newest}: run a newer Lockstep."
        )


def _under_lock(tx: Transaction) -> Transaction:
    tx.script(f"select pg_advisory_xact_lock({_MIGRATION_LOCK})")
    return tx


def _ensure_deployment(tx: Transaction) -> None:
    if tx.value("deployment") is None:
        tx.execute("insert_deployment", deployment_id=uuid4())
