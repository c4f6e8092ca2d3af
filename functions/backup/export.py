"""Exports what is live: into files of a folder that appears whole, or into tables of any Postgres.

The catalog's rows of a bot are put aside as of one moment, so that no transaction is open while files are written, another
database is waited for, or vectors are read from the index.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar
from uuid import UUID

from functions.backup.export_files import FILE_WRITERS
from functions.backup.export_sql import SqlDatabase
from shared.catalog.exporting import PostgresExport
from shared.domain import VECTOR_FIELDS, Bot, sha256_of_file
from shared.errors import ConflictError
from shared.export import CATALOG_TABLES, TABLES, Record, Table, json_line
from shared.ports import Registry, VectorIndex

T = TypeVar("T")

FORMATS = tuple(FILE_WRITERS)
MANIFEST = "export.json"
FETCHED_AT_ONCE = 256


class Writer(Protocol):
    """Takes the records of one table after another."""

    def write(self, table: Table, records: Sequence[Record]) -> None: ...


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One finished file, by its path within the export."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ExportedBot:
    """What was exported of one bot, as of one moment; `missing_embeddings` are on their way into the index, or lost."""

    bot: str
    as_of: str
    records: Mapping[str, int]
    missing_embeddings: int
    files: Sequence[ExportedFile] = ()


@dataclass(frozen=True, slots=True)
class Export:
    """Exports bots. `since` leaves out pairs and logs that are older; `batch_size` bounds what is held in memory.

    `go_on` is asked between batches, and ends the export by raising.
    """

    registry: Registry
    reader: PostgresExport
    index: VectorIndex
    since: datetime | None
    batch_size: int
    includes_embeddings: bool
    report: Callable[[str], None]
    go_on: Callable[[], None] = lambda: None

    def to_folder(self, folder: Path, form: str, bots: Sequence[Bot]) -> list[ExportedBot]:
        """Write files of that format. The folder appears when all of it is there. Raises ConflictError if it is there."""
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConflictError(f"{folder} is there already, and nothing is overwritten: name another with --out.")
        partial = folder.with_name(f"{folder.name}.partial")
        if partial.exists():
            shutil.rmtree(partial)  # of an export that was interrupted
        partial.mkdir(parents=True)
        try:
            exported = [self._write_bot(bot, form, partial) for bot in bots]
            content = {
                "deployment_id": str(self.registry.deployment_id()),
                "format": form,
                "since": self.since and self.since.isoformat(),
                "bots": [asdict(bot) for bot in exported],
            }
            (partial / MANIFEST).write_text(json.dumps(content, indent=1, ensure_ascii=False), "utf-8")
            partial.replace(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        return exported

    def to_database(self, url: str, bots: Sequence[Bot]) -> list[ExportedBot]:
        """Write into tables of that Postgres; what is there of the same keys is replaced. Raises ConfigurationError."""
        with closing(SqlDatabase(url)) as database:
            return [self._export(bot, database) for bot in bots]

    def _write_bot(self, bot: Bot, form: str, folder: Path) -> ExportedBot:
        own = folder / bot.slug
        own.mkdir()
        with closing(FILE_WRITERS[form](own)) as writer:
            exported = self._export(bot, writer)
        files = [_described(path, folder) for path in sorted(own.iterdir())]
        return replace(exported, files=files)

    def _export(self, bot: Bot, writer: Writer) -> ExportedBot:
        with tempfile.TemporaryDirectory(prefix="lockstep-export-") as aside:
            spool = _Spool(Path(aside), self.go_on)
            as_of = datetime.now(UTC).isoformat()  # before it is read: an export `since` then misses nothing
            self.reader.read(bot, spool.begin, since=self.since, batch_size=self.batch_size)
            records: dict[str, int] = {}
            missing = 0
            for name in CATALOG_TABLES:
                records[name] = self._write(writer, name, batched(spool.records(name), self.batch_size))
                self.report(f"{bot.slug}: {records[name]:,} {name}")
            if self.includes_embeddings:
                records["embeddings"] = self._write(writer, "embeddings", self._embeddings(bot, spool))
                missing = records["sources"] - records["embeddings"]
                self.report(f"{bot.slug}: {records['embeddings']:,} embeddings, {missing:,} not in the index")
        return ExportedBot(bot.slug, as_of, records, missing)

    def _write(self, writer: Writer, name: str, batches: Iterable[Sequence[Record]]) -> int:
        written = 0
        for records in batches:
            self.go_on()
            writer.write(TABLES[name], records)
            written += len(records)
        if not written:
            writer.write(TABLES[name], ())  # an empty table is there as well
        return written

    def _embeddings(self, bot: Bot, spool: _Spool) -> Iterator[list[Record]]:
        for passages in batched(spool.records("sources"), min(self.batch_size, FETCHED_AT_ONCE)):
            ids = [UUID(passage["passage_id"]) for passage in passages]
            found = self.index.fetch(bot.collection, bot.bot_id, ids)
            yield [
                {
                    **{name: passage[name] for name in ("bot", "passage_id", "qa_id", "part")},
                    "model_id": bot.collection.model_id,
                    "model_revision": bot.collection.model_revision,
                    **{name: getattr(found[passage_id][1], name).tolist() for name in VECTOR_FIELDS},
                }
                for passage_id, passage in zip(ids, passages, strict=True)
                if passage_id in found
            ]


class _Spool:
    """The records of a bot, aside in files."""

    def __init__(self, folder: Path, go_on: Callable[[], None] = lambda: None) -> None:
        self._folder = folder
        self._go_on = go_on

    def begin(self) -> _Spool:
        """Forget what is there: it is of a read view that broke."""
        for name in CATALOG_TABLES:
            self._file(name).write_bytes(b"")
        return self

    def add(self, table: str, records: Sequence[Record]) -> None:
        self._go_on()
        with self._file(table).open("a", encoding="utf-8") as file:
            file.writelines(map(json_line, records))

    def records(self, table: str) -> Iterator[Record]:
        with self._file(table).open(encoding="utf-8", newline="\n") as file:
            for line in file:
                record: dict[str, Any] = json.loads(line)
                yield record

    def _file(self, table: str) -> Path:
        return self._folder / f"{table}.jsonl"


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Runs of at most `size` items."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _described(path: Path, folder: Path) -> ExportedFile:
    with path.open("rb") as file:
        return ExportedFile(str(path.relative_to(folder)), path.stat().st_size, sha256_of_file(file))
