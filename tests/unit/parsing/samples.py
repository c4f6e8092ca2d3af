"""Small files of every format, built in the test, and the shortest way through the parser."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import openpyxl
import pytest

from functions.ingest.parsing import ParsedDocument, Record, Section, parse
from shared.errors import RejectedDocumentError


@dataclass(frozen=True)
class Read:
    """A parsed document with its content consumed."""

    document: ParsedDocument
    items: list[Section | Record]

    @property
    def sections(self) -> list[Section]:
        return [item for item in self.items if isinstance(item, Section)]

    @property
    def records(self) -> list[Mapping[str, Any]]:
        return [item.fields for item in self.items if isinstance(item, Record)]

    @property
    def text(self) -> str:
        """Everything that a reader would find, headings and names of fields included."""
        pieces: list[str] = [self.document.title or ""]
        for item in self.items:
            if isinstance(item, Section):
                pieces += [*item.heading_path, item.text]
            else:
                pieces += [f"{name}: {value}" for name, value in item.fields.items()]
        return "\n".join(pieces)

    @property
    def by_heading(self) -> dict[tuple[str, ...], str]:
        return {section.heading_path: section.text for section in self.sections}


def read(name: str, data: bytes | str) -> Read:
    file = io.BytesIO(data.encode() if isinstance(data, str) else data)
    document = parse(file, name)
    items = list(document.content)
    assert not file.closed
    return Read(document, items)


def reason(name: str, data: bytes | str) -> str:
    """Why the file is refused."""
    with pytest.raises(RejectedDocumentError) as caught:
        read(name, data)
    return str(caught.value)


@dataclass(frozen=True)
class Text:
    """A line of text on a PDF page, in points from the lower left corner."""

    x: float
    y: float
    text: str
    size: float = 10
    is_bold: bool = False


@dataclass(frozen=True)
class Entry:
    """An outline entry of a PDF; `page` counts from 0."""

    title: str
    page: int
    top: float


def pdf(
    pages: Sequence[Sequence[Text]], *, info: Mapping[str, str] | None = None, outline: Sequence[Entry] = ()
) -> bytes:
    """A PDF with text in Helvetica."""
    objects: dict[int, bytes] = {}
    first_page = 6
    kids = " ".join(f"{first_page + 2 * index} 0 R" for index in range(len(pages)))
    first_entry = first_page + 2 * len(pages)
    outlines = f"/Outlines {first_entry} 0 R" if outline else ""
    objects[1] = f"<< /Type /Catalog /Pages 2 0 R {outlines} >>".encode()
    objects[2] = f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode()
    objects[3] = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    objects[4] = b"<< " + b" ".join(b"/%s (%s)" % (k.encode(), _escaped(v)) for k, v in (info or {}).items()) + b" >>"
    objects[5] = objects[3].replace(b"Helvetica", b"Helvetica-Bold")
    for index, lines in enumerate(pages):
        number = first_page + 2 * index
        objects[number] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {number + 1} 0 R "
            "/Resources << /Font << /F1 3 0 R /F2 5 0 R >> >> >>"
        ).encode()
        content = b"\n".join(
            b"BT /F%d %g Tf 1 0 0 1 %g %g Tm (%s) Tj ET"
            % (1 + line.is_bold, line.size, line.x, line.y, _escaped(line.text))
            for line in lines
        )
        objects[number + 1] = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content)
    for index, entry in enumerate(outline):
        number = first_entry + 1 + index
        following = f"/Next {number + 1} 0 R" if index + 1 < len(outline) else ""
        objects[number] = b"<< /Title (%s) /Parent %d 0 R /Dest [%d 0 R /XYZ 0 %g 0] %s >>" % (
            _escaped(entry.title),
            first_entry,
            first_page + 2 * entry.page,
            entry.top,
            following.encode(),
        )
    if outline:
        last = first_entry + len(outline)
        objects[first_entry] = f"<< /First {first_entry + 1} 0 R /Last {last} 0 R /Count {len(outline)} >>".encode()
    return _assembled(objects)


def _escaped(text: str) -> bytes:
    return text.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def _assembled(objects: Mapping[int, bytes]) -> bytes:
    data = bytearray(b"%PDF-1.4\n")
    offsets: list[int] = []
    for number in sorted(objects):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, objects[number])
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(offsets) + 1)
    data += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    data += b"trailer\n<< /Size %d /Root 1 0 R /Info 4 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(offsets) + 1, start)
    return bytes(data)


def paragraph(lines: Sequence[str], *, x: float = 72, y: float = 700, size: float = 10) -> list[Text]:
    """Lines below each other at a usual distance."""
    return [Text(x, y - index * 1.2 * size, line, size) for index, line in enumerate(lines)]


def workbook(sheets: Mapping[str, Sequence[Sequence[Any]]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def archive(members: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return file.getvalue()


def unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}
