from __future__ import annotations

from functions.ingest.parsing import limits
from tests.unit.parsing.samples import read


def test_paragraphs_stay_apart_and_their_lines_as_they_are() -> None:
    assert read("a.txt", "One\nline two\n \n\n\nTwo\r\n\r\nThree").sections[0].text == "One\nline two\n\nTwo\n\nThree"


def test_divisions_become_headings() -> None:
    text = "BOOK ONE: 1805\n\nCHAPTER I\n\nText one.\n\nCHAPTER II\n\nText two.\n\nBOOK TWO\n\nText three.\n"
    assert read("a.txt", text).by_heading == {
        ("BOOK ONE: 1805", "CHAPTER I"): "Text one.",
        ("BOOK ONE: 1805", "CHAPTER II"): "Text two.",
        ("BOOK TWO",): "Text three.",
    }


def test_a_line_in_capitals_above_prose_is_a_heading() -> None:
    assert read("a.txt", "WHAT IS DIALYSIS\n\nIt cleans the blood.").by_heading == {
        ("WHAT IS DIALYSIS",): "It cleans the blood."
    }


def test_a_text_in_capitals_has_no_headings() -> None:
    text = "FIRST LINE HERE\n\nSECOND LINE HERE\n\nTHIRD LINE HERE"
    assert read("a.txt", text).by_heading == {(): text}


def test_ordinary_sentences_are_no_headings() -> None:
    text = "Chapter and verse were given.\n\nPart of the plan failed.\n\nI agree."
    assert read("a.txt", text).by_heading == {(): text}


def test_a_heading_without_text_is_not_lost() -> None:
    assert "CHAPTER II" in read("a.txt", "CHAPTER I\n\nText.\n\nCHAPTER II\n").text


def test_sections_are_bounded_even_without_any_border() -> None:
    sections = read("a.txt", "x" * 70_000).sections
    assert sum(len(section.text) for section in sections) == 70_000
    assert max(len(section.text) for section in sections) <= limits.MAX_SECTION_CHARS


def test_a_word_broken_at_a_line_end_is_mended() -> None:
    text = (
        "The treat-\nment of self-\nlocking nuts, pre-\nand postoperative; a self-locking nut\nof the böb-\n   rek kind, the"
        " Smith-\nJones one"
    )
    assert read("a.txt", text).sections[0].text == (
        "The treatment of self-locking nuts, pre- and postoperative; a self-locking nut\nof the böbrek kind, the"
        " Smith-\nJones one"
    )


def test_soft_hyphens_are_gone_and_the_words_that_they_broke_are_whole() -> None:
    text = "hy\xadphen\xadated and bro\xad\n  ken\u200b"
    assert read("a.txt", text).sections[0].text == "hyphenated and broken"
    assert read("a.html", "<p>hy&shy;phen\xadated</p>").sections[0].text == "hyphenated"


def test_lists_and_rules_keep_their_hyphens() -> None:
    text = "- one\n- two\n---\nfoo-\nbar = a -\nb"
    assert read("a.txt", text).sections[0].text == "- one\n- two\n---\nfoobar = a -\nb"


def test_a_text_that_breaks_lines_at_hyphens_keeps_them() -> None:
    text = (
        "The bag was of gold and embroidered. His father-in-\nlaw wore a gold-\nembroidered coat; over-\nall it was well;"
        " overall, all was well over."
    )
    assert read("a.txt", text).sections[0].text == (
        "The bag was of gold and embroidered. His father-in-law wore a gold-embroidered coat; overall it was well;"
        " overall, all was well over."
    )
