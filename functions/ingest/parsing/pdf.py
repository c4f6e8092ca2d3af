"""PDF documents: pages in reading order under headings, with pypdf as second opinion where pdfium finds nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

from functions.ingest.parsing import limits
from functions.ingest.parsing.blocks import Block
from functions.ingest.parsing.document import ParsedDocument, Section
from functions.ingest.parsing.facts import parse_pdf_date, usable_text, usable_title
from functions.ingest.parsing.outline import fold_blocks
from functions.ingest.parsing.pdf_headings import FontSizes, Heading, headings_by_outline
from functions.ingest.parsing.pdf_lines import Page, lines_in_reading_order
from functions.ingest.parsing.pdf_margins import without_margins
from functions.ingest.parsing.pdf_paragraphs import ParagraphBuilder
from functions.ingest.parsing.pdf_reader import Bookmark, PdfReader
from functions.ingest.parsing.pdf_second_opinion import second_opinion
from functions.ingest.parsing.refusals import damaged
from shared.errors import RejectedDocumentError

_SAMPLED_PAGES = 16
_TITLE_PAGES = 3  # whose usual font tells what is large on the first


def parse_pdf(file: BinaryIO) -> ParsedDocument:
    try:
        reader = PdfReader(file)
    except RejectedDocumentError:
        raise
    except Exception as exc:
        return ParsedDocument(_by_pypdf(file, exc))
    try:
        properties = reader.properties()
        title = usable_title(properties.get("Title")) or usable_title(_printed_title(reader))
    finally:
        reader.close()  # opened again when the content is consumed, which may be never
    return ParsedDocument(
        _sections(file),
        title=title,
        author=usable_text(properties.get("Author")),
        published_at=parse_pdf_date(properties.get("CreationDate")),
        metadata={key.lower(): text for key in ("Subject", "Keywords") if (text := usable_text(properties.get(key)))},
    )


def _printed_title(reader: PdfReader) -> str:
    pages = list(_pages(reader, range(1, min(reader.page_count, _TITLE_PAGES) + 1)))
    return FontSizes(pages).title(pages[0].lines) if pages else ""


def _sections(file: BinaryIO) -> Iterator[Section]:
    reader = PdfReader(file)
    found = False
    try:
        if reader.page_count > limits.MAX_PDF_PAGES:
            raise RejectedDocumentError(f"The PDF has more than {limits.MAX_PDF_PAGES:,} pages; split it.")
        for section in fold_blocks(_blocks(reader)):
            found = True
            yield section
    finally:
        reader.close()
    if not found:
        yield from _by_pypdf(file, None)


def _by_pypdf(file: BinaryIO, cause: Exception | None) -> Iterator[Section]:
    """The second opinion; `cause` is why pdfium could not open the file, None if it could but found no text."""
    found = False
    try:
        for section in fold_blocks(second_opinion(file)):
            found = True
            yield section
    except RejectedDocumentError:
        raise
    except Exception as exc:
        if cause is not None or found:
            raise damaged("PDF") from exc
    if not found:
        raise RejectedDocumentError(
            "The PDF has no extractable text (scanned?); run text recognition (OCR) on it and upload the result."
        )


def _blocks(reader: PdfReader) -> Iterator[Block]:
    bookmarks = _bookmarks_by_page(reader)
    sampled: dict[int, Page] = {}
    if not bookmarks:
        step = -(-reader.page_count // _SAMPLED_PAGES)
        sampled = {page.number: page for page in _pages(reader, range(1, reader.page_count + 1, max(step, 1)))}
    sizes = None if bookmarks else FontSizes(sampled.values())
    builder = ParagraphBuilder()
    for page in without_margins(_pages(reader, range(1, reader.page_count + 1), sampled)):
        if sizes is None:
            headings: Iterable[Heading] = headings_by_outline(page.lines, bookmarks.get(page.number, ()))
        else:
            headings = sizes.headings(page.lines)
        yield from _page_blocks(page, list(headings), builder)


def _bookmarks_by_page(reader: PdfReader) -> dict[int, list[Bookmark]]:
    """The outline, if it has entries for parts of the document and not just one for the whole."""
    found: dict[int, list[Bookmark]] = defaultdict(list)
    bookmarks = reader.bookmarks()
    for bookmark in bookmarks if len(bookmarks) > 1 else ():
        found[bookmark.page].append(bookmark)
    return found


def _pages(reader: PdfReader, numbers: Iterable[int], known: dict[int, Page] | None = None) -> Iterator[Page]:
    """Pages in reading order; those that are known are taken, and forgotten."""
    for number in numbers:
        page = known.pop(number, None) if known else None
        yield page or lines_in_reading_order(reader.page(number))


def _page_blocks(page: Page, headings: Sequence[Heading], builder: ParagraphBuilder) -> Iterator[Block]:
    position = 0
    for heading in headings:
        yield from builder.blocks(page.lines[position : heading.start], page.number)
        title = heading.title or builder.join(page.lines[heading.start : heading.end])
        yield Block(title, heading_level=heading.level, page=page.number)
        position = heading.end
    yield from builder.blocks(page.lines[position:], page.number)
