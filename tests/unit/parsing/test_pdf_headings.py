from __future__ import annotations

from functions.ingest.parsing.pdf_headings import FontSizes
from functions.ingest.parsing.pdf_lines import Line, Page


def test_the_tiniest_type_has_headings_too() -> None:
    lines = [Line("A title of it", 0, 10, 9, 0.2, is_bold=True), Line("Text below the title.", 0, 10, 8, 0.2)]
    assert list(FontSizes([Page(1, 100, 100, lines)]).headings(lines)) == []
