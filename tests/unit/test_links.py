"""Addresses: what a link of a document leads to, and what leads to it."""

from __future__ import annotations

import pytest

from functions.ingest.links import MAX_ADDRESS_CHARACTERS, MAX_LINKS, Place

CARE = Place("guides/care.html")


@pytest.mark.parametrize(
    ("link", "address"),
    [
        ("rules.html", "/guides/rules"),
        ("./Rules.HTML", "/guides/rules"),
        ("rules", "/guides/rules"),
        ("rules/", "/guides/rules"),
        ("../faq.md", "/faq"),
        ("../../../faq.md", "/faq"),
        ("/faq.md", "/faq"),
        ("/index.html", "/"),
        ("more/index.htm", "/guides/more"),
        ("%EA%B0%80%20b.md", "/guides/가 b"),
        ("table.csv", "/guides/table.csv"),
        ("HTTPS://www.Example.org/a/", "//example.org/a"),
        ("http://example.org", "//example.org"),
        ("https://example.org/show?id=5", "//example.org/show?id=5"),
        ("//example.org/a.html", "//example.org/a"),
        (" rules.html\n", "/guides/rules"),
    ],
)
def test_a_link_leads_to_an_address(link: str, address: str) -> None:
    assert CARE.targets([link]) == (address,)


@pytest.mark.parametrize(
    "link",
    ["", "#", "care.html", "mailto:a@example.org", "javascript:void(0)", "tel:1", "data:,a", "C:\\a", "http://[", "//"],
)
def test_what_is_no_link_to_a_page_or_one_to_its_own_leads_nowhere(link: str) -> None:
    assert CARE.targets([link]) == ()


def test_a_link_to_a_section_leads_to_its_document_too() -> None:
    assert CARE.targets(["rules.html#Tooth_care"]) == ("/guides/rules", "/guides/rules#tooth-care")
    assert CARE.targets(["#tooth-care"]) == ("/guides/care#tooth-care",)


def test_a_section_has_its_own_address_and_its_documents() -> None:
    assert CARE.addresses(()) == ("/guides/care",)
    assert CARE.addresses(("Care", "Tooth care!")) == ("/guides/care", "/guides/care#tooth-care")
    assert CARE.addresses(("!!!",)) == ("/guides/care",)


def test_a_page_that_says_its_url_is_linked_to_by_it_and_resolves_its_links_by_it() -> None:
    place = Place("saved/page-17.html", "https://www.example.org/guides/care/")
    assert place.addresses(("Teeth",)) == (
        "/saved/page-17",
        "//example.org/guides/care",
        "/saved/page-17#teeth",
        "//example.org/guides/care#teeth",
    )
    assert place.targets(["../rules"]) == ("/rules", "//example.org/guides/rules")
    assert place.targets(["https://example.org/guides/care"]) == ()


def test_names_with_characters_that_mean_something_in_a_url_meet_links_that_escape_them() -> None:
    assert Place("a b#c?d.md").addresses(()) == Place("x.md").targets(["a%20b%23c%3Fd.md"]) == ("/a b#c?d",)


def test_nothing_that_a_database_cannot_hold_is_in_an_address() -> None:
    assert CARE.targets(["a%00b\x00.html", "\ud800.html"]) == ("/guides/ab", "/guides/\ufffd")


def test_links_are_bounded_in_number_and_length() -> None:
    assert len(CARE.targets(f"{number}.html" for number in range(1_000))) == MAX_LINKS
    assert CARE.targets(["a" * MAX_ADDRESS_CHARACTERS]) == ()
    assert CARE.addresses(("a" * MAX_ADDRESS_CHARACTERS,)) == ("/guides/care",)
