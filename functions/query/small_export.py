"""One table of what is live, as the body of an answer: bounded in records, bytes and time, so that any bot may be asked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

from shared.catalog.exporting import PostgresExport
from shared.domain import Bot
from shared.errors import TooLargeError
from shared.export import TABLES, Record, cells, csv_lines, json_line

MOST_RECORDS = 10_000
MOST_BYTES = 4_000_000  # a function answers with at most 6 MB, and a third of the body is its encoding
READ_SECONDS = 15.0  # an HTTP API waits for 30
RECORDS_AT_ONCE = 100
TOO_LARGE = (
    f"Here go at most {MOST_RECORDS:,} records and {MOST_BYTES // 1_000_000} MB, read within {READ_SECONDS:.0f} s. "
    "Ask for less with `since`, or let a file be written: POST /bots/{bot}/exports."
)


def export_table(reader: PostgresExport, bot: Bot, table: str, form: str, since: datetime | None) -> bytes:
    """The records of that table as jsonl or csv, as of one moment. Raises TooLargeError."""
    body = _Body(table, form)
    reader.read(bot, body.begin, since=since, batch_size=RECORDS_AT_ONCE, tables={table}, page_seconds=READ_SECONDS)
    return b"".join(body.chunks)


class _Body:
    """Takes records as long as there is room and time for them."""

    def __init__(self, table: str, form: str) -> None:
        self._table = TABLES[table]
        self._is_csv = form == "csv"
        self._deadline = time.monotonic() + READ_SECONDS
        self._records = self._bytes = 0
        self.chunks: list[bytes] = []

    def begin(self) -> _Body:
        """Forget what is there: it is of a read view that broke."""
        self._records = self._bytes = 0
        self.chunks = [csv_lines([list(self._table.columns)]).encode()] if self._is_csv else []
        self._check()
        return self

    def add(self, table: str, records: Sequence[Record]) -> None:
        for record in records:
            line = csv_lines([cells(self._table, record)]) if self._is_csv else json_line(record)
            self.chunks.append(line.encode())
            self._records += 1
            self._bytes += len(self.chunks[-1])
            self._check()
        self._check()

    def _check(self) -> None:
        if self._records > MOST_RECORDS or self._bytes > MOST_BYTES or time.monotonic() > self._deadline:
            raise TooLargeError(TOO_LARGE)
