"""The file formats of an export, each of them written as a stream."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from functions.backup.export_sql import SqlScript
from shared.errors import ConfigurationError
from shared.export import Kind, Record, Table, cells, csv_lines, json_line

SHEET_ROWS = 1_048_576  # of Excel and its kind, the header included
CELL_CHARACTERS = 32_767


class _TextFiles:
    """One file per table, opened when its first records come."""

    suffix = ""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open = ExitStack()
        self._files: dict[str, IO[str]] = {}

    def write(self, table: Table, records: Sequence[Record]) -> None:
        if table.name not in self._files:
            path = self._folder / f"{table.name}{self.suffix}"
            self._files[table.name] = self._open.enter_context(path.open("w", encoding="utf-8", newline=""))
            self._files[table.name].write(self.head(table))
        self._files[table.name].write(self.lines(table, records))

    def close(self) -> None:
        self._open.close()

    def head(self, table: Table) -> str:
        return ""

    def lines(self, table: Table, records: Sequence[Record]) -> str:
        raise NotImplementedError


class JsonlFiles(_TextFiles):
    """A JSON object a line."""

    suffix = ".jsonl"

    def lines(self, table: Table, records: Sequence[Record]) -> str:
        return "".join(map(json_line, records))


class CsvFiles(_TextFiles):
    """CSV with a header, harmless in a spreadsheet."""

    suffix = ".csv"

    def head(self, table: Table) -> str:
        return csv_lines([list(table.columns)])

    def lines(self, table: Table, records: Sequence[Record]) -> str:
        return csv_lines(cells(table, record) for record in records)


class XlsxFile:
    """One workbook; a table that is longer than a sheet may be goes on in another one."""

    def __init__(self, folder: Path, *, sheet_rows: int = SHEET_ROWS) -> None:
        openpyxl = _load("openpyxl", "xlsx")
        self._illegal = import_module("openpyxl.cell.cell").ILLEGAL_CHARACTERS_RE
        self._path = folder / "export.xlsx"
        self._sheet_rows = sheet_rows
        self._book = openpyxl.Workbook(write_only=True)
        self._sheets: dict[str, tuple[Any, int, int]] = {}  # by table: the sheet, its number, its rows so far

    def write(self, table: Table, records: Sequence[Record]) -> None:
        if table.name not in self._sheets:
            self._begin_sheet(table, 1)
        for record in records:
            sheet, number, rows = self._sheets[table.name]
            if rows == self._sheet_rows:
                self._begin_sheet(table, number + 1)
                sheet, number, rows = self._sheets[table.name]
            sheet.append([self._fitting(cell) for cell in cells(table, record)])
            self._sheets[table.name] = sheet, number, rows + 1

    def close(self) -> None:
        self._book.save(self._path)

    def _begin_sheet(self, table: Table, number: int) -> None:
        sheet = self._book.create_sheet(table.name if number == 1 else f"{table.name} {number}")
        sheet.append(list(table.columns))
        self._sheets[table.name] = sheet, number, 1

    def _fitting(self, cell: Any) -> Any:
        """Without control characters, which the format does not know, and no longer than a cell may be."""
        return self._illegal.sub("", cell)[:CELL_CHARACTERS] if isinstance(cell, str) else cell


class ParquetFiles:
    """Apache Parquet, a row group per batch."""

    def __init__(self, folder: Path) -> None:
        self._pyarrow = _load("pyarrow", "parquet")
        self._parquet = import_module("pyarrow.parquet")
        self._folder = folder
        self._writers: dict[str, Any] = {}

    def write(self, table: Table, records: Sequence[Record]) -> None:
        schema = self._pyarrow.schema([(name, self._type(kind)) for name, kind in table.columns.items()])
        if table.name not in self._writers:
            self._writers[table.name] = self._parquet.ParquetWriter(
                str(self._folder / f"{table.name}.parquet"), schema, compression="zstd"
            )
        if records:
            rows = [
                {name: _parquet_value(record[name], kind) for name, kind in table.columns.items()} for record in records
            ]
            self._writers[table.name].write_table(self._pyarrow.Table.from_pylist(rows, schema=schema))

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()

    def _type(self, kind: Kind) -> Any:
        arrow = self._pyarrow
        types: dict[Kind, Any] = {
            "integer": arrow.int64(),
            "real": arrow.float64(),
            "boolean": arrow.bool_(),
            "moment": arrow.timestamp("us", tz="UTC"),
            "texts": arrow.list_(arrow.string()),
            "vector": arrow.list_(arrow.float32()),
        }
        return types.get(kind, arrow.string())


def _parquet_value(value: Any, kind: Kind) -> Any:
    if value is None:
        return None
    if kind == "moment":
        return datetime.fromisoformat(value)
    return json.dumps(value, ensure_ascii=False) if kind == "json" else value


class MissingPackageError(ConfigurationError):
    """A format needs a package that is not here: the cloud's function has openpyxl, and pyarrow is too large for it."""


def _load(package: str, form: str) -> Any:
    """A package that only some formats need. Raises MissingPackageError."""
    try:
        return import_module(package)
    except ImportError as error:
        raise MissingPackageError(f"{form} needs the package {package}: pip install {package}") from error


FILE_WRITERS: Mapping[str, Callable[[Path], Any]] = {
    "jsonl": JsonlFiles,
    "csv": CsvFiles,
    "sql": SqlScript,
    "xlsx": XlsxFile,
    "parquet": ParquetFiles,
}
