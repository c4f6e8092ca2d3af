"""Pages of a PDF as runs of text with their places. The only user of pdfium.

pdfium is not safe to use from two threads at once, whatever the documents: every call is made under one lock.
"""

from __future__ import annotations

import ctypes
import math
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from functions.ingest.parsing.pdf_lines import Line, Page
from shared.errors import RejectedDocumentError

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

_LOCK = threading.RLock()
_CELL_GAP = 1.2  # of the font size: a gap that separates columns, not words
_MAX_OUTLINE_ENTRIES = 5_000
_MAX_PAGE_CHARS = 500_000
_BOLD_WEIGHT = 600
_BOLD_NAME = re.compile(rb"bold|black|heavy|demi|(?:CM|SF)BX", re.IGNORECASE)
_LINE_END_HYPHENS = "\x02\ufffe"  # what pdfium makes of a hyphen that breaks a word
_LINE_ENDS = "\r\n" + _LINE_END_HYPHENS
_TOKEN = re.compile("[^\x00-\x20\ufffe]+|[\r\n\x02\ufffe]")
_BLANK = re.compile("[\x00-\x20]")
_Box = tuple[float, float, float, float]  # left, bottom, right, top
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})


@dataclass(frozen=True, slots=True)
class Bookmark:
    """An entry of the outline: its depth from 0, the 1-based page, and how high on it the target is, if known."""

    level: int
    title: str
    page: int
    top: float | None


class PdfReader:
    """An open PDF. Close it when done; the file must stay open until then."""

    def __init__(self, file: BinaryIO) -> None:
        """Raises RejectedDocumentError for a protected file, and pypdfium2's PdfiumError for an unreadable one."""
        from pypdfium2 import PdfDocument, PdfiumError

        file.seek(0)
        with _LOCK:
            try:
                self._document: PdfDocument = PdfDocument(file)
            except PdfiumError as exc:
                if exc.err_code in _protection_codes():
                    raise RejectedDocumentError(
                        "The PDF is password-protected; remove the password and upload it again."
                    ) from exc
                raise
            self.page_count = len(self._document)

    def close(self) -> None:
        with _LOCK:
            self._document.close()

    def properties(self) -> dict[str, str]:
        with _LOCK:
            return dict(self._document.get_metadata_dict(skip_empty=True))

    def bookmarks(self) -> list[Bookmark]:
        found: list[Bookmark] = []
        with _LOCK:
            for entry in self._document.get_toc(max_depth=9):
                target = entry.get_dest()
                index = target.get_index() if target is not None else None
                if target is not None and index is not None:
                    found.append(Bookmark(entry.level, entry.get_title(), index + 1, _target_top(target)))
                if len(found) >= _MAX_OUTLINE_ENTRIES:
                    break
        return found

    def page(self, number: int) -> Page:
        """The runs of text on the page (1-based), in the order in which they were written; empty if it is broken."""
        from pypdfium2 import PdfiumError

        with _LOCK:
            try:
                page = self._document[number - 1]
            except PdfiumError:
                return Page(number, 0, 0)
            try:
                return _read_page(page, number)
            finally:
                page.close()


def _protection_codes() -> set[int]:
    from pypdfium2 import raw

    return {raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY}


def _target_top(target: Any) -> float | None:
    from pypdfium2 import raw

    mode, position = target.get_view()
    index = {raw.PDFDEST_VIEW_XYZ: 1, raw.PDFDEST_VIEW_FITH: 0, raw.PDFDEST_VIEW_FITBH: 0}.get(mode)
    return position[index] if index is not None and len(position) > index else None


def _read_page(page: Any, number: int) -> Page:
    left, bottom, right, top = page.get_bbox()
    width, height = right - left, top - bottom
    turn = page.get_rotation()
    text_page = page.get_textpage()
    try:
        runs = [_turned(run, turn, left, bottom, width, height) for run in _runs(text_page, is_upright=turn % 180 == 0)]
    finally:
        text_page.close()
    if turn % 180:
        width, height = height, width
    seen = [run for run in runs if run.right > 0 and run.left < width and run.top > 0 and run.bottom < height]
    return Page(number, width, height, seen)


@dataclass(frozen=True, slots=True)
class _Run:
    text: str
    box: _Box
    origin: tuple[float, float]
    size: float
    is_hyphenated: bool
    is_bold: bool


def _turned(run: _Run, turn: int, left: float, bottom: float, width: float, height: float) -> Line:
    """The run where a reader sees it, on a page that is shown turned clockwise by 0, 90, 180 or 270 degrees."""

    def seen(x: float, y: float) -> tuple[float, float]:
        x, y = x - left, y - bottom
        return {90: (y, width - x), 180: (width - x, height - y), 270: (height - y, x)}.get(turn, (x, y))

    one, other = seen(*run.box[:2]), seen(*run.box[2:])
    _, baseline = seen(*run.origin)
    left, right = sorted((one[0], other[0]))
    return Line(run.text, left, right, baseline, run.size, is_hyphenated=run.is_hyphenated, is_bold=run.is_bold)


@dataclass(frozen=True, slots=True)
class _Word:
    start: int  # index of its first character on the page
    end: int
    box: _Box


def _runs(text_page: Any, *, is_upright: bool) -> Iterator[_Run]:
    """Split pdfium's characters at its line ends, and at gaps as wide as those between columns."""
    text = _characters(text_page)
    words: list[_Word] = []
    size = 0.0
    for item in _words(text_page, text):
        if isinstance(item, str):
            if words:
                yield _run(text_page, text, words, item in _LINE_END_HYPHENS)
            words = []
            continue
        if words and is_upright and not -3 * size < item.box[0] - words[-1].box[2] < _CELL_GAP * size:
            yield _run(text_page, text, words, False)
            words = []
        size = size if words else _size(text_page, item.start, is_upright)
        words.append(item)
    if words:
        yield _run(text_page, text, words, False)


def _characters(text_page: Any) -> str:
    """One character for each of pdfium's indices: in bulk, unless it leaves out or adds some, or pairs surrogates."""
    from pypdfium2 import raw

    count = min(text_page.count_chars(), _MAX_PAGE_CHARS)
    units = (ctypes.c_ushort * (count + 1))()
    if raw.FPDFText_GetText(text_page.raw, 0, count, units) == count + 1:
        return "".join(map(chr, units[:count]))
    return "".join(chr(raw.FPDFText_GetUnicode(text_page.raw, index)) for index in range(count))


def _words(text_page: Any, text: str) -> Iterator[_Word | str]:
    """Words, whose first and last character tell their place, and the characters that end lines."""
    for found in _TOKEN.finditer(text):
        if found[0] in _LINE_ENDS:
            yield found[0]
        else:
            first, last = _box(text_page, found.start()), _box(text_page, found.end() - 1)
            yield _Word(found.start(), found.end(), _around((first, last)))


def _box(text_page: Any, index: int) -> _Box:
    from pypdfium2 import raw

    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    raw.FPDFText_GetCharBox(text_page.raw, index, left, right, bottom, top)
    return left.value, bottom.value, right.value, top.value


def _around(boxes: Iterable[_Box]) -> _Box:
    lefts, bottoms, rights, tops = zip(*boxes, strict=True)
    return min(lefts), min(bottoms), max(rights), max(tops)


def _run(text_page: Any, text: str, words: Sequence[_Word], is_hyphenated: bool) -> _Run:
    from pypdfium2 import raw

    middle = words[len(words) // 2].start
    x, y = ctypes.c_double(), ctypes.c_double()
    raw.FPDFText_GetCharOrigin(text_page.raw, middle, x, y)
    text = _BLANK.sub(" ", text[words[0].start : words[-1].end]).translate(_LIGATURES)
    # Halves of characters beyond the 16-bit plane come one by one.
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    size = _size(text_page, middle, True)
    box = _around(word.box for word in words)
    return _Run(text, box, (x.value, y.value), size, is_hyphenated, _is_bold(text_page, middle))


def _is_bold(text_page: Any, index: int) -> bool:
    """TeX's fonts do not tell their weight, but have it in their names."""
    from pypdfium2 import raw

    if raw.FPDFText_GetFontWeight(text_page.raw, index) >= _BOLD_WEIGHT:
        return True
    name, flags = ctypes.create_string_buffer(100), ctypes.c_int()
    raw.FPDFText_GetFontInfo(text_page.raw, index, name, len(name), flags)
    return bool(_BOLD_NAME.search(name.value))


def _size(text_page: Any, index: int, is_upright: bool) -> float:
    """The font size as it appears; inside scaled drawings only the character's own box knows it."""
    from pypdfium2 import raw

    matrix, box = raw.FS_MATRIX(), raw.FS_RECTF()
    raw.FPDFText_GetMatrix(text_page.raw, index, matrix)
    size: float = raw.FPDFText_GetFontSize(text_page.raw, index) * math.hypot(matrix.c, matrix.d)
    if is_upright and raw.FPDFText_GetLooseCharBox(text_page.raw, index, box):
        height = box.top - box.bottom
        if 0 < height < 0.58 * size or size <= 0:
            return float(height / 1.1)
    return size if size > 0 else 1.0
