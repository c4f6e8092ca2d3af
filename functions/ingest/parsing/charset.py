"""The encoding of a text file: byte order mark, UTF-16 without one, valid UTF-8, a declaration, then likelihood."""

from __future__ import annotations

import codecs
import re
from typing import BinaryIO

from functions.ingest.parsing.alphabets import best_latin_encoding
from functions.ingest.parsing.scripts import encoding_by_letters, is_korean, mixes_alphabets
from functions.ingest.parsing.utf16 import utf16_order
from shared.errors import RejectedDocumentError

_PIECE_BYTES = 1 << 18
_SAMPLE_BYTES = 1 << 16
_STRETCH_BYTES = 400
_FOREIGN = re.compile(rb"[\x80-\xff]")
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARATION = re.compile(rb"""(?:charset|encoding)\s{0,9}=\s{0,9}["']?\s{0,9}([A-Za-z0-9_.:-]{2,40})""", re.IGNORECASE)
# What browsers do: these names are used for their larger brothers.
_LARGER_BROTHERS = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "iso8859-9": "cp1254",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
}
# Python also knows codecs that are none for text ("hex", "idna"); and a declaration in ASCII cannot be UTF-16's.
_DECLARABLE = ("cp", "iso8859", "koi8", "mac", "euc", "shift", "big5", "gb", "utf-8", "johab", "hz", "tis", "ptcp")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\x81\x8d\x8f\x90\x9d\ufffd\ufffe\uffff]")
_OTHER_SCRIPTS = ("cp949", "cp932", "euc_jp", "gb18030", "big5", "cp1251", "koi8_u", "cp1253", "cp1255", "cp1256")

_SINGLE_BYTE = ("cp1251", "koi8_u", "cp1253", "cp1255", "cp1256")


def detect_encoding(file: BinaryIO, *, is_markup: bool = False) -> str:
    """The name of the codec that reads `file`, which is left at its start.

    Raises RejectedDocumentError for bytes that are no text. `is_markup` trusts what the file's head declares.
    """
    file.seek(0)
    head = file.read(_SAMPLE_BYTES)
    encoding = _marked(head) or _escaped(head) or utf16_order(head)
    if encoding is None:
        foreign = _foreign_sample(file)
        encoding = "utf-8" if not foreign else (is_markup and _declared(head, foreign)) or _likeliest(foreign)
    _refuse_binary(head, encoding)
    file.seek(0)
    return encoding


def _marked(head: bytes) -> str | None:
    return next((encoding for mark, encoding in _BYTE_ORDER_MARKS if head.startswith(mark)), None)


def _escaped(head: bytes) -> str | None:
    """ISO 2022 is all ASCII bytes, so it would pass for UTF-8."""
    if b"\x1b$)C" in head:
        return "iso2022_kr"
    return "iso2022_jp_2" if b"\x1b$B" in head or b"\x1b$@" in head else None


def _foreign_sample(file: BinaryIO) -> bytes:
    """Stretches of the file around its bytes beyond ASCII, or nothing when the whole file is valid UTF-8.

    The whole file is looked at: a page of English may precede the first Turkish letter.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_valid, sample = True, bytearray()
    file.seek(0)
    while piece := file.read(_PIECE_BYTES):
        if is_valid:
            is_valid = _decodes(decoder, piece)
        if len(sample) < _SAMPLE_BYTES and not piece.isascii():
            sample += _foreign_stretches(piece)
        if not is_valid and len(sample) >= _SAMPLE_BYTES:
            break
    return b"" if is_valid and _decodes(decoder, b"", final=True) else bytes(sample)


def _decodes(decoder: codecs.IncrementalDecoder, piece: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(piece, final)
    except UnicodeDecodeError:
        return False
    return True


def _foreign_stretches(piece: bytes) -> bytes:
    """What surrounds the bytes beyond ASCII, begun at line ends and blanks, which are never half of a character."""
    stretches = bytearray()
    position = 0
    while len(stretches) < _SAMPLE_BYTES and (found := _FOREIGN.search(piece, position)):
        begin = max(position, found.start() - _STRETCH_BYTES)
        blank = max(piece.rfind(b"\n", begin, found.start()), piece.rfind(b" ", begin, found.start()))
        end = piece.find(b"\n", found.start(), found.start() + _STRETCH_BYTES)
        position = end if end >= 0 else found.start() + _STRETCH_BYTES
        stretches += piece[blank + 1 if blank >= 0 else found.start() : position] + b"\n"
    return bytes(stretches)


def _declared(head: bytes, sample: bytes) -> str | None:
    found = _DECLARATION.search(head[:4096])
    try:
        name = codecs.lookup(found[1].decode("ascii")).name if found else ""
    except LookupError:
        return None
    encoding = _LARGER_BROTHERS.get(name, name)
    is_usable = encoding.startswith(_DECLARABLE) and _decoded(sample, encoding).count("\ufffd") * 20 <= len(sample)
    return encoding if is_usable else None


def _likeliest(sample: bytes) -> str:
    broken = _decoded(sample, "utf-8")
    foreign = sum(character >= "\x80" for character in broken)
    if foreign > 5 * broken.count("\ufffd"):
        return "utf-8"  # with a few damaged bytes
    if is_korean(sample):
        return "cp949"
    encoding, score = best_latin_encoding(sample)
    if score >= 0.6 and not _is_other_script(sample):
        return encoding
    return encoding_by_letters(sample) or _by_statistics(sample) or encoding


def _is_other_script(sample: bytes) -> bool:
    """Latin languages scatter their accents; in Cyrillic or Greek one byte beyond ASCII follows the other."""
    high = sum(byte >= 0x80 for byte in sample)
    followed = len(re.findall(rb"[\x80-\xff](?=[\x80-\xff])", sample))
    return high >= 6 and followed * 2 > high


def _by_statistics(sample: bytes) -> str | None:
    from charset_normalizer import from_bytes

    for match in from_bytes(sample[:16_384], cp_isolation=list(_OTHER_SCRIPTS)):
        is_japanese = match.encoding in ("cp932", "shift_jis", "euc_jp")
        is_guess = is_japanese and not re.search("[\u3041-\u30ff]", str(match))  # no Japanese text is without kana
        if not is_guess and not (match.encoding in _SINGLE_BYTE and mixes_alphabets(str(match))):
            return match.encoding
    return None


def _decoded(sample: bytes, encoding: str) -> str:
    """The sample as text; a character cut at its end is no mistake."""
    return codecs.getincrementaldecoder(encoding)("replace").decode(sample)


def _refuse_binary(head: bytes, encoding: str) -> None:
    """A few stray control characters are cleaned away later; many mean that this is no text at all."""
    text = _decoded(head, encoding)
    allowed = max(4, len(text) // 50) if encoding.startswith("utf") else max(2, len(text) // 200)
    if len(_CONTROLS.findall(text)) > allowed:
        raise RejectedDocumentError(
            "The file holds binary data, not text; upload a PDF, Word, Excel, HTML, Markdown, text, CSV or JSON file."
        )
