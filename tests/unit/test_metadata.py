"""Metadata that a pair's own fields do not say: its path, its language, its other names."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from functions.ingest.pairs import PairMaker
from functions.ingest.parsing import ParsedDocument, Record, Section
from shared.aliases import aliases_of
from shared.domain import Metadata

ASKED = {"question": "Is it open?", "answer": "It is open from ten to six."}


def metadata_of(
    unit: Section | dict[str, Any], name: str = "", columns: dict[str, str] | None = None, **facts: Any
) -> Metadata:
    content = iter([unit if isinstance(unit, Section) else Record(unit)])
    (pair,) = PairMaker(UUID(int=1), ParsedDocument(content, **facts), "guide", columns or {}, name).pairs()
    return pair.metadata


def by_path(name: str, **fields: Any) -> tuple[str | None, str | None, str | None]:
    found = metadata_of({**ASKED, **fields}, name)
    return found.category, found.subcategory, found.source_type


def test_folders_are_the_category_and_the_ending_is_the_type() -> None:
    assert by_path("guides/care/rules.md") == ("guides", "care", "md")
    assert by_path("guides/care/old/faq.JSONL.gz") == ("guides", "care", "jsonl")
    assert by_path("faq.csv") == (None, None, "csv")
    assert by_path("README") == (None, None, None)


@pytest.mark.parametrize("name", ["pairs/hours.json", "adopted/old/000001.jsonl"])
def test_folders_that_nobody_chose_say_nothing(name: str) -> None:
    assert by_path(name) == (None, None, None)


def test_own_fields_go_before_the_path_and_a_category_takes_its_own_subcategory() -> None:
    assert by_path("guides/care/a.csv", category="visit") == ("visit", None, "csv")
    assert by_path("guides/care/a.csv", category="visit", qtype="hours") == ("visit", "hours", "csv")
    assert by_path("guides/care/a.csv", source_type="leaflet") == ("guides", "care", "leaflet")
    said = metadata_of(Section("Text."), "guides/a.md", metadata={"Kategori": "böbrek", "keywords": "a, b", "shelf": 3})
    assert (said.category, said.tags, said.extra) == ("böbrek", ("a", "b"), {"shelf": 3})


def test_the_language_is_the_records_own_then_the_texts_then_the_documents() -> None:
    turkish = {"question": "Ne zaman açık?", "answer": "Her gün ondan altıya kadar açıktır."}
    assert metadata_of(turkish).language == "tr"
    assert metadata_of(turkish, metadata={"language": "en"}).language == "tr"
    assert metadata_of({**turkish, "dil": "az"}).language == "az"
    assert metadata_of({"question": "KX-200", "answer": "B7"}, metadata={"language": "en"}).language == "en"
    assert metadata_of({"question": "KX-200", "answer": "B7"}).language is None


@pytest.mark.parametrize(
    ("said", "language"),
    [("de-AT", "de"), ("pt_BR", "pt"), ("zh-Hant-TW", "zh"), ("EN", "en"), ("Deutsch", "Deutsch"), ("tr", "tr")],
)
def test_a_language_is_kept_without_its_region(said: str, language: str) -> None:
    assert metadata_of({**ASKED, "lang": said}).language == language
    assert metadata_of({"question": "KX-200", "answer": "B7"}, metadata={"language": said}).language == language


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"synonyms": ["Aneurysm, abdominal aortic", "AAA"]}, ["Aneurysm, abdominal aortic", "AAA"]),
        ({"aliases": "CKD; renal failure, chronic; CKD"}, ["CKD", "renal failure, chronic"]),
        ({"also known as": "CKD, KBH"}, ["CKD", "KBH"]),
        ({"Eş anlamlılar": "böbrek yetmezliği"}, ["böbrek yetmezliği"]),
        ({"동의어": "신부전|콩팥병"}, ["신부전", "콩팥병"]),
        ({"synonyms": {"en": "CKD", "tr": ["KBH"]}, "aka": None}, ["CKD", "KBH"]),
        ({"synonyms": [], "aliases": "", "other": "x"}, []),
        ({"aliases": 7}, []),
    ],
)
def test_other_names_come_from_their_fields_and_stay_in_the_metadata(fields: dict[str, Any], names: list[str]) -> None:
    extra = metadata_of({**ASKED, **fields}).extra
    assert aliases_of(extra) == names
    assert extra == {name: value for name, value in fields.items() if value not in (None, "", [])}


def test_a_chosen_column_holds_names_too() -> None:
    extra = metadata_of({**ASKED, "Beiname": "CKD; KBH"}, columns={"aliases": "Beiname"}).extra
    assert aliases_of(extra) == ["CKD", "KBH"]


def test_names_of_a_document_are_names_of_each_of_its_sections() -> None:
    assert aliases_of(metadata_of(Section("Text."), metadata={"aliases": ["CKD", "KBH"]}).extra) == ["CKD", "KBH"]
