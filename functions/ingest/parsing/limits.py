"""Bounds of parsing, in one place: what is larger is refused or cut, so that no document can exhaust a function."""

from __future__ import annotations

MAX_SECTION_CHARS = 20_000

MAX_UNCOMPRESSED_BYTES = 1 << 30  # of a gzip file; it is streamed, so this bounds time, not memory
MAX_ARCHIVE_BYTES = 256 << 20  # of all members of a DOCX, XLSX or ODS together; the libraries hold them in memory
MAX_XML_BYTES = 48 << 20  # of one part of a DOCX; its tree takes twenty times that
MAX_MARKUP_BYTES = 48 << 20  # of an HTML page or a Markdown file; the tree of the whole page is in memory
MAX_MARKUP_TAGS = 1_500_000  # some 200 bytes of memory each
MAX_MARKUP_DEPTH = 2_000  # the HTML parser's time grows with the square of the nesting
MAX_PADDED_CELLS = 200_000  # of a Markdown file's tables: cells that the header has and the rows leave out
MAX_QUOTE_DEPTH = 10  # of Markdown; the parser drops text that is nested deeper than twice that
MAX_SHEET_CELLS = 8_000_000  # of the rectangle around a sheet's cells, which calamine allocates at once
MAX_RECORD_CHARS = 8_000_000  # of one JSON value or one CSV field
MAX_COLUMNS = 16_384  # as in Excel
MAX_JSON_DEPTH = 64
MAX_PDF_PAGES = 20_000
