"""Text files read as a stream: decoded piece by piece, so that a file of any size needs little memory."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, TextIO

from functions.ingest.parsing import limits
from functions.ingest.parsing.charset import detect_encoding
from shared.errors import RejectedDocumentError


@contextmanager
def open_text(file: BinaryIO, encoding: str, *, newline: str | None = None) -> Iterator[TextIO]:
    """The file's text from its start, undecodable bytes replaced; the file stays open afterwards."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding, errors="replace", newline=newline)
    try:
        yield text
    finally:
        # Content that was not consumed to its end may be dropped after its file has been closed.
        with suppress(ValueError):
            text.detach()


def iter_lines(text: TextIO, size: int) -> Iterator[str]:
    """Lines without their ends, and without NULs; one longer than `size` characters comes in pieces."""
    while line := text.readline(size):
        yield line.rstrip("\n").replace("\0", "")


def read_markup(file: BinaryIO) -> str:
    """The whole text of a page, refused when it is too large to be held as a tree."""
    encoding = detect_encoding(file, is_markup=True)
    with open_text(file, encoding) as text:
        markup = text.read(limits.MAX_MARKUP_BYTES + 1)
    if len(markup) > limits.MAX_MARKUP_BYTES:
        raise RejectedDocumentError(
            f"The page is too large (more than {limits.MAX_MARKUP_BYTES >> 20} MB); split it into smaller ones."
        )
    return markup.replace("\0", "")
