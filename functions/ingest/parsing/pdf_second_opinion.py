"""What pypdf reads where pdfium reads nothing: plain lines without places. The only user of pypdf."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import BinaryIO

from functions.ingest.parsing import limits
from functions.ingest.parsing.blocks import Block
from functions.ingest.parsing.pdf_lines import Line
from functions.ingest.parsing.pdf_paragraphs import ParagraphBuilder
from shared.errors import RejectedDocumentError

_MAX_SECONDS = 120  # pypdf is pure Python, and slow on files that were made to be
_MAX_EMPTY_PAGES = 30  # after that many without a letter it is a scan
_SIZE = 10.0  # stands for the unknown font size
_PITCH = 1.2


def second_opinion(file: BinaryIO) -> Iterator[Block]:
    """Paragraphs page by page. Raises RejectedDocumentError for a protected file, pypdf's own errors for others."""
    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it reports every oddity of a damaged file
    file.seek(0)
    reader = PdfReader(file, strict=False)
    if reader.is_encrypted and not reader.decrypt(""):
        raise RejectedDocumentError("The PDF is password-protected; remove the password and upload it again.")
    builder = ParagraphBuilder()
    deadline = time.monotonic() + _MAX_SECONDS
    empty = 0
    for number, page in enumerate(reader.pages[: limits.MAX_PDF_PAGES], start=1):
        blocks = list(builder.blocks(_lines(page.extract_text()), number))
        yield from blocks
        empty = 0 if blocks else empty + 1
        if empty >= _MAX_EMPTY_PAGES or time.monotonic() > deadline:
            return


def _lines(text: str) -> list[Line]:
    """Lines at even distances; a blank one leaves a gap, which ends a paragraph."""
    return [
        Line(line, 0.0, len(line) * _SIZE / 2, -index * _SIZE * _PITCH, _SIZE)
        for index, line in enumerate(text.splitlines())
        if line.strip()
    ]
