"""How large a sheet really is, before calamine allocates the rectangle around its cells.

Two cells in opposite corners of an XLSX sheet make it ask for half a terabyte, which ends the process.
"""

from __future__ import annotations

import re
import zipfile
from typing import BinaryIO

from functions.ingest.parsing import limits
from functions.ingest.parsing.compression import unpacked_pieces
from shared.errors import RejectedDocumentError

_REFERENCE = re.compile(rb"""\br\s*=\s*["']([A-Za-z]{0,4})([0-9]{1,10})["']""")
_TAIL_BYTES = 40  # longer than any reference, so that none is missed between two pieces
_LETTERS = 26


def refuse_huge_sheets(file: BinaryIO) -> None:
    """Raises RejectedDocumentError when a part of the workbook names cells too far apart."""
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            _refuse_huge(archive, member)  # a sheet may lie under any name


def _refuse_huge(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    rows, columns = _Extent(), _Extent()
    tail = b""
    for piece in unpacked_pieces(archive, member):
        seen = set(_REFERENCE.findall(tail + piece))
        rows.include({int(row) for _, row in seen})
        columns.include({_column(letters) for letters in {letters for letters, _ in seen} if letters})
        tail = piece[-_TAIL_BYTES:]
        if rows.length * columns.length > limits.MAX_SHEET_CELLS:
            raise RejectedDocumentError(
                f"A sheet spans more than {limits.MAX_SHEET_CELLS:,} cells; remove stray cells far from the table, "
                "or split the workbook."
            )


class _Extent:
    def __init__(self) -> None:
        self._least: int | None = None
        self._most = 0

    def include(self, positions: set[int]) -> None:
        if positions:
            self._least = min(positions) if self._least is None else min(self._least, *positions)
            self._most = max(self._most, *positions)

    @property
    def length(self) -> int:
        return 0 if self._least is None else self._most - self._least + 1


def _column(letters: bytes) -> int:
    """ "A" is 1, "AA" is 27."""
    position = 0
    for letter in letters.upper():
        position = position * _LETTERS + letter - ord("A") + 1
    return position
