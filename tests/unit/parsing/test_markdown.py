from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.unit.parsing.samples import read, reason


def test_headings_become_the_path() -> None:
    text = "# Kidney *disease*\n\nIntro.\n\n## Signs\n\nFew.\n\nStages\n------\n\nFive.\n\n# Other\n\nEnd.\n"
    assert read("a.md", text).by_heading == {
        ("Kidney disease",): "Intro.",
        ("Kidney disease", "Signs"): "Few.",
        ("Kidney disease", "Stages"): "Five.",
        ("Other",): "End.",
    }


def test_lists_keep_one_item_per_line_with_its_marker() -> None:
    text = "Causes:\n\n- diabetes\n  - type 1\n  - type 2\n- pressure\n\n3. three\n4. four\n"
    assert read("a.md", text).sections[0].text == (
        "Causes:\n\n- diabetes\n  - type 1\n  - type 2\n- pressure\n\n3. three\n4. four"
    )


def test_a_table_is_one_line_per_row_led_by_its_headers() -> None:
    text = "| Stage | Prevalence |\n|---|---:|\n| 1\u20134 | 42.2664 |\n| 5 | |\n"
    assert read("a.md", text).sections[0].text == "Stage: 1\u20134; Prevalence: 42.2664\nStage: 5"


def test_code_stays_as_it_is() -> None:
    text = "```python\ndef f():\n\n    return '# no heading'\n```\n"
    assert read("a.md", text).sections[0].text == "def f():\n\n    return '# no heading'"


def test_links_and_raw_html_leave_their_text() -> None:
    text = "See [the guide](http://x.org), [this][r] and <b>bold</b>.<br>Next <!-- no --> line.\n\n[r]: http://y.org\n"
    assert read("a.md", text).sections[0].text == "See the guide, this and bold.\nNext line."


def test_links_are_told_with_their_sections() -> None:
    text = "Before [it](a.md).\n\n# One [b](b.md)\n\nThe [c][r], [c][r].\n\n| d |\n| - |\n| [e](e.md#f) |\n\n[r]: http://c.org\n"
    assert [section.links for section in read("a.md", text).sections] == [
        ("a.md",),
        ("b.md", "http://c.org", "e.md#f"),
    ]


def test_references_hold_across_a_long_file() -> None:
    text = "See [this][r].\n\n" + "Filler paragraph of some length.\n\n" * 3_000 + "[r]: http://y.org\n"
    assert read("a.md", text).sections[0].text.startswith("See this.\n\n")


def test_a_long_file_is_read_in_chunks_without_losing_anything() -> None:
    text = "".join(f"## Heading {index}\n\nText {index}.\n\n- a\n- b\n\n" for index in range(4_000))
    sections = read("a.md", text).sections
    assert [section.heading_path for section in sections] == [(f"Heading {index}",) for index in range(4_000)]
    assert {section.text for section in sections} == {f"Text {index}.\n\n- a\n- b" for index in range(4_000)}


def test_a_fence_is_not_cut() -> None:
    text = "```\n" + "a line of code\n\n" * 4_000 + "# not a heading\n```\n"
    assert all(section.heading_path == () for section in read("a.md", text).sections)


def test_a_fence_that_is_longer_than_a_chunk_stays_one() -> None:
    sections = read("a.md", "```sh\n" + "# not a heading\n" * 20_000 + "```\n\n# A heading\n\nText.\n").sections
    assert {section.heading_path for section in sections} == {(), ("A heading",)}
    assert sum(section.text.count("# not a heading") for section in sections) == 20_000


@pytest.mark.parametrize("text", ["|" * 500_000 + "x", "[a]: b\n" * 50_000, " >" * 200_000])
def test_many_marks_of_tables_quotes_and_references_are_read(text: str) -> None:
    found = read("a.md", f"Text.\n\n{text}\n\nMore.\n").text
    assert found.startswith("\nText.") and found.rstrip().endswith("More.")


FRONT_MATTER = """---
title: "Living with CKD"
author: [Ada, Bob]
date: 2024-03-01
tags:
  - kidney
  - 'diet'
audience: patients
---
# Heading

Text.
"""


def test_front_matter_tells_the_facts() -> None:
    document = read("a.md", FRONT_MATTER).document
    assert (document.title, document.author) == ("Living with CKD", "Ada, Bob")
    assert document.published_at == datetime(2024, 3, 1, tzinfo=UTC)
    assert document.metadata == {"tags": ["kidney", "diet"], "audience": "patients"}


def test_front_matter_is_no_text() -> None:
    assert read("a.md", FRONT_MATTER).by_heading == {("Heading",): "Text."}


@pytest.mark.parametrize(
    "text", ["---\n\nA rule, then text.\n", "---\nnot a pair\n---\n\ntext\n", "---\ntitle: open\n"]
)
def test_what_only_looks_like_front_matter_is_text(text: str) -> None:
    parsed = read("a.md", text)
    assert parsed.document.title is None
    assert text.strip("-\n").split("\n")[0] in parsed.text


@pytest.mark.parametrize("mark", ["[", "![", "*a", "`", "<", "- ", "> ", "[a](", "\\[", "&#"])
def test_long_runs_of_marks_come_to_an_end(mark: str) -> None:
    assert "end of text" in read("a.md", mark * 3_000 + "\n\nend of text").text


def test_a_table_of_many_columns_is_read_and_tables_of_nothing_but_padding_are_refused() -> None:
    wide = "|".join(["a"] * 600) + "\n" + "|".join(["-"] * 600) + "\n" + "b|\n" * 100 + "\n"
    assert read("a.md", wide).text.count("a: b") == 100
    assert "far fewer cells" in reason("a.md", wide * 5)


def test_lines_below_a_rule_of_a_listing_are_no_padding() -> None:
    listing = "```\n|" + "-|" * 8 + "\n" + "x\n" * 20_000 + "```\n"
    assert read("a.md", listing * 2).text.count("x") == 40_000


@pytest.mark.parametrize("mark", [">", "> "])
def test_deep_quotes_are_read_as_shallow_ones(mark: str) -> None:
    assert read("a.md", mark * 200 + "The last word.\n").text.strip() == "The last word."
