"""Real documents of every format, which are no part of the repository: see the README of the data folder."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from functions.ingest.parsing import Section, limits, parse
from shared.errors import RejectedDocumentError

_REPOSITORY = Path(__file__).resolve().parents[3]
DATA = Path(os.environ.get("LOCKSTEP_TEST_DATA") or _REPOSITORY.parent / "shared" / "data")
MANIFEST = DATA / "docs" / "manifest.json"

pytestmark = pytest.mark.skipif(
    not MANIFEST.is_file(), reason=f"no real documents in {DATA} (set LOCKSTEP_TEST_DATA to the data folder)"
)


def cases() -> list[Any]:
    files = json.loads(MANIFEST.read_text(encoding="utf-8"))["files"] if MANIFEST.is_file() else []
    return [pytest.param(entry, id=entry["file"]) for entry in files]


def normal(text: str) -> str:
    """As the manifest says: NFKC, without white space, soft hyphens, U+FFFE and hyphens."""
    text = unicodedata.normalize("NFKC", text)
    return "".join(character for character in text if not character.isspace() and character not in "\u00ad\ufffe-")


def text_of(path: Path) -> str:
    pieces: list[str] = []
    with path.open("rb") as file:
        document = parse(file, path.name)
        for item in document.content:
            if isinstance(item, Section):
                assert len(item.text) <= limits.MAX_SECTION_CHARS
                pieces += [*item.heading_path, item.text]
            else:
                pieces += [f"{name} {value}" for name, value in item.fields.items()]
    return "\n".join(pieces)


@pytest.mark.parametrize("entry", [case for case in cases() if case.values[0]["expected"] == "extract"])
def test_what_must_be_extracted_is(entry: dict[str, Any]) -> None:
    text = text_of(DATA / "docs" / entry["file"])
    found = normal(text)
    missing = [wanted for wanted in entry["must_contain"] if not any(normal(w) in found for w in wanted.split("|"))]
    assert not missing
    assert not [unwanted for unwanted in entry["must_not_contain"] if unwanted in text]
    assert "\x00" not in text


@pytest.mark.parametrize("entry", [case for case in cases() if case.values[0]["expected"] == "reject"])
def test_what_must_be_refused_is(entry: dict[str, Any]) -> None:
    with pytest.raises(RejectedDocumentError) as caught:
        text_of(DATA / "docs" / entry["file"])
    assert len(str(caught.value)) > 20
