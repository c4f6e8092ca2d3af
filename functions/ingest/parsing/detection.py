"""What a file is: by its content first, by its name where text says too little."""

from __future__ import annotations

import re
import zipfile
from enum import Enum
from pathlib import PurePosixPath
from typing import BinaryIO

from functions.ingest.parsing.compression import check_archive
from functions.ingest.parsing.refusals import damaged
from shared.errors import RejectedDocumentError


class Kind(Enum):
    """The formats that are read; the value is how a refusal calls one."""

    PDF = "PDF"
    WORD = "Word document"
    WORKBOOK = "spreadsheet"
    HTML = "HTML page"
    MARKDOWN = "Markdown file"
    TEXT = "text file"
    TABLE = "CSV file"
    JSON = "JSON file"
    JSON_LINES = "JSON Lines file"


_ACCEPTED = "upload a PDF, Word (.docx), Excel (.xlsx), HTML, Markdown, text, CSV or JSON file"
_TEXT_KINDS = {
    ".txt": Kind.TEXT,
    ".text": Kind.TEXT,
    ".md": Kind.MARKDOWN,
    ".markdown": Kind.MARKDOWN,
    ".html": Kind.HTML,
    ".htm": Kind.HTML,
    ".xhtml": Kind.HTML,
    ".csv": Kind.TABLE,
    ".tsv": Kind.TABLE,
    ".tab": Kind.TABLE,
    ".json": Kind.JSON,
    ".jsonl": Kind.JSON_LINES,
    ".ndjson": Kind.JSON_LINES,
}
_BINARY_SUFFIXES = {".pdf": "PDF", ".docx": "Word document", ".xlsx": "Excel workbook", ".xlsm": "Excel workbook"}
_BINARY_SUFFIXES |= {".xls": "Excel workbook", ".doc": "Word document", ".zip": "zip archive", ".ods": "spreadsheet"}
# The signatures of files that people upload by mistake; anything else binary is caught when it is decoded.
_SIGNATURES = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"RIFF", "an audio, video or image file"),
    (b"ID3", "an MP3 file"),
    (b"OggS", "an Ogg file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\x00", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"{\\rtf", "an RTF document"),
    (b"%!PS", "a PostScript file"),
)
_HTML_START = re.compile(
    rb"\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--(?>.*?-->)\s*+)*+<(?:!doctype\s+html|html[\s>])", re.IGNORECASE | re.DOTALL
)
_XML_START = re.compile(rb"\s*<\?xml", re.IGNORECASE)


def detect_kind(file: BinaryIO, name: str) -> Kind:
    """The kind of an uncompressed file. Raises RejectedDocumentError for one that is empty or not readable here."""
    file.seek(0)
    head = file.read(4096)
    if not head:
        raise RejectedDocumentError("The file is empty; upload one that has some text.")
    kind = _binary_kind(file, head)
    return kind or _text_kind(head, PurePosixPath(name).suffix.lower())


def _binary_kind(file: BinaryIO, head: bytes) -> Kind | None:
    if b"%PDF-" in head[:1024]:
        return Kind.PDF
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _archive_kind(file)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _compound_kind(file)
    for signature, description in _SIGNATURES:
        if head.startswith(signature):
            raise RejectedDocumentError(f"The file is {description}, which is not supported; {_ACCEPTED}.")
    return None


def _archive_kind(file: BinaryIO) -> Kind:
    try:
        with zipfile.ZipFile(file) as archive:
            kind = _kind_by_members({member.filename for member in archive.infolist()})
            check_archive(archive)
    except RejectedDocumentError:
        raise
    except Exception as exc:
        raise damaged("zip container (DOCX, XLSX)") from exc
    return kind


def _kind_by_members(names: set[str]) -> Kind:
    if "EncryptedPackage" in names:
        raise _password_protected()
    if "word/document.xml" in names:
        return Kind.WORD
    if any(name.startswith("word/") for name in names) and "[Content_Types].xml" in names:
        return Kind.WORD
    if "xl/workbook.xml" in names:
        return Kind.WORKBOOK
    raise RejectedDocumentError(f"The file is a zip archive of a type that is not supported; {_ACCEPTED}.")


def _compound_kind(file: BinaryIO) -> Kind:
    """Old Office formats, and the envelope of encrypted new ones, name their streams in UTF-16."""
    names = {name: name.encode("utf-16-le") for name in ("EncryptedPackage", "WordDocument", "Workbook", "Book")}
    found: set[str] = set()
    file.seek(0)
    tail = b""
    while piece := file.read(1 << 20):
        found |= {name for name, pattern in names.items() if pattern in tail + piece}
        tail = piece[-64:]
    if "EncryptedPackage" in found:
        raise _password_protected()
    if found & {"Workbook", "Book"}:
        return Kind.WORKBOOK
    if "WordDocument" in found:
        raise RejectedDocumentError("Old Word files (.doc) are not supported; save it as .docx and upload that.")
    raise RejectedDocumentError(f"The file is an Office format that is not supported; {_ACCEPTED}.")


def _password_protected() -> RejectedDocumentError:
    return RejectedDocumentError("The file is password-protected; remove the password and upload it again.")


def _text_kind(head: bytes, suffix: str) -> Kind:
    if suffix in _BINARY_SUFFIXES:
        raise RejectedDocumentError(
            f"The file is named {suffix} but holds no {_BINARY_SUFFIXES[suffix]}; it may be damaged: save it again."
        )
    # UTF-16 hides the markup behind NULs.
    visible = head.replace(b"\x00", b"").removeprefix(b"\xef\xbb\xbf").lstrip(b"\xff\xfe")
    if suffix not in (".csv", ".tsv", ".json", ".jsonl", ".ndjson") and _HTML_START.match(visible):
        return Kind.HTML
    if suffix not in _TEXT_KINDS and _XML_START.match(visible):
        raise RejectedDocumentError(f"The file is XML of a type that is not supported; {_ACCEPTED}.")
    return _TEXT_KINDS.get(suffix, Kind.TEXT)
