"""Exports as SQL: a script, or the tables of a Postgres. Doing it twice has the same outcome as doing it once."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from shared.errors import ConfigurationError
from shared.export import Kind, Record, Table
from shared.postgres import PostgresClient, Transaction

T = TypeVar("T")

TYPES: Mapping[Kind, str] = {
    "text": "text",
    "uuid": "uuid",
    "integer": "bigint",
    "real": "double precision",
    "boolean": "boolean",
    "moment": "timestamptz",
    "json": "jsonb",
    "texts": "text[]",
    "vector": "real[]",
}
BATCH_SECONDS = 300.0


class SqlScript:
    """One script that any Postgres runs: `psql URL --file export.sql`."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "export.sql").open("w", encoding="utf-8", newline="\n")
        self._file.write("begin;\nset local standard_conforming_strings = on;\n")
        self._begun: set[str] = set()

    def write(self, table: Table, records: Sequence[Record]) -> None:
        if table.name not in self._begun:
            self._begun.add(table.name)
            self._file.write(f"\n{create(table)};\n")
        if records:
            values = ",\n".join(f"({', '.join(_literals(table, record))})" for record in records)
            self._file.write(f"insert into {name_of(table)} ({_columns(table)}) values\n{values}\n{upsert(table)};\n")

    def close(self) -> None:
        self._file.write("\ncommit;\n")
        self._file.close()


class SqlDatabase:
    """Tables `lockstep_pairs` and so on, a transaction per batch."""

    def __init__(self, url: str) -> None:
        self._client = _named(lambda: PostgresClient(url, statement_timeout_seconds=BATCH_SECONDS))

    def write(self, table: Table, records: Sequence[Record]) -> None:
        lines = "".join(_copy_line(table, record) for record in records)

        def work(tx: Transaction) -> None:
            tx.script(create(table))
            tx.script(f"create temporary table staged (like {name_of(table)} including defaults) on commit drop")
            tx.copy_in("staged", list(table.columns), cast(BinaryIO, io.BytesIO(lines.encode())))
            columns = _columns(table)  # all names are of TABLES
            tx.script(f"insert into {name_of(table)} ({columns}) select {columns} from staged {upsert(table)}")  # noqa: S608

        _named(lambda: self._client.transact(work))

    def close(self) -> None:
        self._client.close()


def name_of(table: Table) -> str:
    return f"lockstep_{table.name}"


def create(table: Table) -> str:
    columns = ", ".join(f"{name} {TYPES[kind]}" for name, kind in table.columns.items())
    moment = "exported_at timestamptz not null default now()"
    return f"create table if not exists {name_of(table)} ({columns}, {moment}, primary key ({', '.join(table.key)}))"


def upsert(table: Table) -> str:
    """What is there already is replaced; `exported_at` tells it from what the newest export no longer had."""
    rest = [name for name in table.columns if name not in table.key]
    changes = ", ".join(f"{name} = excluded.{name}" for name in rest)
    return f"on conflict ({', '.join(table.key)}) do update set {changes}, exported_at = now()"


def _columns(table: Table) -> str:
    return ", ".join(table.columns)


def _literals(table: Table, record: Record) -> list[str]:
    return [_literal(record[name], kind) for name, kind in table.columns.items()]


def _literal(value: Any, kind: Kind) -> str:
    text = _text(value, kind)
    if text is None:
        return "null"
    return text if kind in ("integer", "real", "boolean") else "'" + text.replace("'", "''") + "'"


def _copy_line(table: Table, record: Record) -> str:
    """A line for COPY, to which nothing is null and nothing between quotes is an empty text."""
    texts = (_text(record[name], kind) for name, kind in table.columns.items())
    return ",".join("" if text is None else '"' + text.replace('"', '""') + '"' for text in texts) + "\n"


def _text(value: Any, kind: Kind) -> str | None:
    if value is None:
        return None
    if kind == "json":
        return json.dumps(value, ensure_ascii=False)
    if kind in ("texts", "vector"):
        return "{" + ",".join(_element(each) for each in value) + "}"
    return str(value)


def _element(value: Any) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' if isinstance(value, str) else repr(value)


def _named(work: Callable[[], T]) -> T:
    """What is wrong with the URL is told of the option that it came from, not of the catalog's setting."""
    try:
        return work()
    except ConfigurationError as error:
        if "lockstep migrate" in str(error):
            raise ConfigurationError(
                "A table lockstep_… there has other columns than this export: rename or drop it."
            ) from error
        raise ConfigurationError(str(error).replace("LOCKSTEP_POSTGRES_URL", "--to")) from error
