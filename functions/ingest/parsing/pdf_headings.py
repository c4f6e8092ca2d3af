"""Headings of a PDF: its outline where it has one, else lines in a larger font than the text."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from functions.ingest.parsing.pdf_lines import Line, Page
from functions.ingest.parsing.pdf_reader import Bookmark

_LARGER = 1.15  # than the body's font
_SLIGHTLY_LARGER = 1.07  # is enough for a line that begins with a section's number
_NUMBERED = re.compile(r"\s*(?:\d{1,2}(?:\.\d{1,2}){0,3}\.?|[A-Z]\.?|[IVX]{1,5}\.)\s+[^\W\d_]")
_MAX_SHARE = 0.15  # of the letters: if more of the text is large, size means something else
_MAX_SHARE_OF_FEW = 0.4  # a page or two may be half headings
_FEW_LETTERS = 3_000
_MAX_HEADING_CHARS = 150
_MAX_HEADING_LINES = 4
_MAX_LEVELS = 5
_MAX_BOLD_CHARS = 80  # of a heading that only its bold face sets apart
_MAX_BOLD_LINES = 2
_FEWEST_BOLD = 2
_SENTENCE_ENDS = (".", "!", "?", ":", "。", "？", "”", '"', "…", ")")
_NO_TITLE_ENDS = (
    ".",
    ",",
    ";",
    ":",
    "!",
    "?",
    "…",
    "。",
    "？",
    "、",
    "-",
)  # questions are told from their answers later
# Captions, and entries of a table of contents.
_NO_TITLE = re.compile(r"\s*(?:fig|tab|abb|şekil|figura|표|그림|図|表|图)\w{0,5}\.?\s?\d|.*(?:\.\s?){4}", re.IGNORECASE)
_REACH = 72.0  # points between a bookmark's target and its heading
_NUMBER_CHARS = 6
# Large type for a list of headings would otherwise stand above them all.
_CONTENTS = re.compile(
    r"\s*(?:(?:table of )?contents|inhalt(?:sverzeichnis)?|içindekiler|sommaire|목차|目次|目录)\s*$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Heading:
    """Lines `start` to before `end` of a page are this heading; none of them, if it was not found in the text.

    An empty title is what those lines say.
    """

    level: int
    title: str
    start: int
    end: int


def headings_by_outline(lines: Sequence[Line], bookmarks: Iterable[Bookmark]) -> list[Heading]:
    """Where the outline's entries for a page stand on it, in the order of the lines."""
    found: list[Heading] = []
    for bookmark in bookmarks:
        after = found[-1].end if found else 0
        start, end = _place(lines, bookmark, after)
        found.append(Heading(bookmark.level + 1, bookmark.title, start, end))
    return found


def _place(lines: Sequence[Line], bookmark: Bookmark, after: int) -> tuple[int, int]:
    """First near the height that the bookmark names, then anywhere; else between the lines at that height."""
    wanted = _letters(bookmark.title)
    top = bookmark.top
    starts = range(after, len(lines)) if wanted else range(0)
    near = [start for start in starts if top is not None and abs(lines[start].baseline - top) < _REACH]
    for start in (*near, *starts):
        if end := _matched_end(lines, start, wanted):
            return start, end
    if top is None:
        return after, after
    below = next((index for index in range(after, len(lines)) if lines[index].baseline <= top), len(lines))
    return below, below


def _matched_end(lines: Sequence[Line], start: int, wanted: str) -> int:
    """The end of the lines from `start` that spell the title, or 0; either may leave out the number ("2.1")."""
    text = ""
    for end in range(start, min(start + _MAX_HEADING_LINES, len(lines))):
        text += _letters(lines[end].text)
        longer, shorter = (text, wanted) if len(text) >= len(wanted) else (wanted, text)
        is_numbered = len(shorter) > 3 and len(longer) - len(shorter) <= _NUMBER_CHARS and longer.endswith(shorter)
        if text == wanted or is_numbered:
            return end + 1
        if len(text) > len(wanted) + _NUMBER_CHARS:
            break
    return 0


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))


class FontSizes:
    """What sizes of headings a document uses, from a sample of its pages."""

    def __init__(self, pages: Iterable[Page]) -> None:
        pages = list(pages)
        letters: Counter[float] = Counter()
        bold = 0
        for line in (line for page in pages for line in page.lines):
            count = sum(map(str.isalpha, line.text))
            letters[_rounded(line.size)] += count
            bold += count * line.is_bold
        self._body = letters.most_common(1)[0][0] if letters else 0.5
        larger = {size: count for size, count in letters.items() if size >= self._body * _SLIGHTLY_LARGER and count}
        share = _MAX_SHARE if sum(letters.values()) > _FEW_LETTERS else _MAX_SHARE_OF_FEW
        if sum(larger.values()) > share * sum(letters.values()):
            larger = {}
        found = sum(self._is_bold_title(page.lines, index) for page in pages for index in range(len(page.lines)))
        self._has_bold_titles = found >= _FEWEST_BOLD and bold <= share * sum(letters.values())
        self._levels: list[float] = []
        for size in sorted(larger, reverse=True):
            if not self._levels or size < self._levels[-1] * 0.93:
                self._levels.append(size)

    def headings(self, lines: Sequence[Line]) -> Iterator[Heading]:
        """Runs of lines of one larger size."""
        index = 0
        while index < len(lines):
            level = self._level(lines[index])
            if level is None and self._has_bold_titles and self._is_bold_title(lines, index):
                level = min(len(self._levels), _MAX_LEVELS) + 1
            end = index + 1
            while level is not None and end < len(lines) and self._is_continued(lines[end - 1], lines[end]):
                end += 1
            if level is not None and end - index <= _MAX_HEADING_LINES:
                is_contents = end == index + 1 and _CONTENTS.match(lines[index].text)
                yield Heading(_MAX_LEVELS + 2 if is_contents else level, "", index, end)
            index = end

    def _is_continued(self, line: Line, following: Line) -> bool:
        """Only the first line of a numbered heading has the number, so its look decides for the others."""
        is_alike = abs(line.size - following.size) < 0.05 * line.size and line.is_bold == following.is_bold
        is_near = 0 < line.baseline - following.baseline < 1.6 * line.size
        return is_alike and is_near and following.cells == 1 and not _NUMBERED.match(following.text)

    def _level(self, line: Line) -> int | None:
        is_numbered = _NUMBERED.match(line.text)
        is_bold_section = is_numbered and line.is_bold and line.size > self._body * 0.97
        is_large = self._levels and line.size >= self._body * (_SLIGHTLY_LARGER if is_numbered else _LARGER)
        if not is_large and not is_bold_section:
            return None
        if len(line.text) > _MAX_HEADING_CHARS or line.cells > 1 or sum(map(str.isalpha, line.text)) < 3:
            return None
        # A size that the sample did not hold belongs to the next larger one.
        rank = sum(size > _rounded(line.size) * 1.07 for size in self._levels)
        return min(rank, _MAX_LEVELS) + 1

    def _is_bold_title(self, lines: Sequence[Line], index: int) -> bool:
        """Whether a line of the body's size, or the first of two, stands in bold by itself above text that is not."""
        end = index
        while end < len(lines) and lines[end].is_bold and end - index <= _MAX_BOLD_LINES:
            end += 1
        if not 0 < end - index <= _MAX_BOLD_LINES or end == len(lines) or (index and lines[index - 1].is_bold):
            return False
        line, last, below = lines[index], lines[end - 1], lines[end]
        text = " ".join(each.text.strip() for each in lines[index:end])
        is_of_body = all(0.97 <= each.size / self._body < _SLIGHTLY_LARGER for each in (line, last))
        is_title = 3 <= len(text) <= _MAX_BOLD_CHARS and _begins(text) and not text.endswith(_NO_TITLE_ENDS)
        is_above_text = below.cells == 1 and _begins(below.text) and below.size <= self._body * _SLIGHTLY_LARGER
        if not (is_of_body and is_title and is_above_text) or line.cells > 1 or _NO_TITLE.match(text):
            return False
        return index == 0 or _is_set_apart(lines[index - 1], line)

    def title(self, lines: Sequence[Line]) -> str:
        """The largest lines of a first page, for documents that name no title."""
        largest = max((line.size for line in lines if sum(map(str.isalpha, line.text)) > 2), default=0.0)
        pieces = [line.text.strip() for line in lines if line.size > largest * 0.97]
        is_title = largest >= self._body * _LARGER and len(pieces) <= _MAX_HEADING_LINES
        return " ".join(pieces) if is_title else ""


def _begins(text: str) -> bool:
    """Whether a sentence or a title may begin so: with a capital, or a letter of a script that has none."""
    first = next(filter(str.isalnum, text), "")
    return bool(first) and not first.islower()


def _is_set_apart(above: Line, line: Line) -> bool:
    """Whether what stands above is at an end: a sentence, a column, or a paragraph before a gap."""
    step = above.baseline - line.baseline
    return step <= 0 or step > 1.6 * line.size or above.text.rstrip().endswith(_SENTENCE_ENDS)


def _rounded(size: float) -> float:
    return max(0.5, round(size * 2) / 2)
