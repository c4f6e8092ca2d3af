"""Object keys: a name stays inside its bot's prefix, whatever it is made of."""

from __future__ import annotations

import unicodedata
from pathlib import Path, PurePosixPath
from uuid import uuid4

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.errors import InvalidInputError
from shared.keys import MAX_KEY_BYTES, corrected_pair, correction_key, is_correction, object_key, split_key


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("a.txt", "library/a.txt"),
        ("guides/kidney.pdf", "library/guides/kidney.pdf"),
        ("/leading and trailing/", "library/leading and trailing"),
        ("guides\\kidney.pdf", "library/guides/kidney.pdf"),
        ("a+b%20c & 'd' \"e\" #1?.txt", "library/a+b%20c & 'd' \"e\" #1?.txt"),
        ("한국어/문서.txt", "library/한국어/문서.txt"),
        ("e\u0301.txt", "library/é.txt"),
        (unicodedata.normalize("NFD", "문서.txt"), "library/문서.txt"),
    ],
)
def test_a_name_becomes_a_key_and_comes_back(name: str, key: str) -> None:
    assert object_key("library", name) == key
    assert split_key(key) == ("library", key.removeprefix("library/"))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "//",
        " /..",
        "..",
        ".",
        ".hidden",
        "a/.hidden",
        "a/../b",
        "../other/a",
        "..\\other\\a",
        "a//b",
        "a\\\\b",
    ],
)
def test_a_name_that_could_leave_its_place_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(InvalidInputError, match=r"guides/kidney\.pdf"):
        object_key("library", name)


@pytest.mark.parametrize("character", ["\x00", "\n", "\x1b", "\x7f", "\x85", "\ud800"])
def test_a_name_with_control_characters_is_refused(character: str) -> None:
    with pytest.raises(InvalidInputError, match="control characters"):
        object_key("library", f"a{character}b.txt")


@pytest.mark.parametrize("name", ["x" * 256, "é" * 128, "/".join(["x" * 200] * 6)])
def test_a_name_that_is_too_long_is_refused_with_the_limit(name: str) -> None:
    with pytest.raises(InvalidInputError, match=r"1,024 bytes"):
        object_key("library", name)


@pytest.mark.parametrize(
    "key", ["", "a.txt", "library", "library/", "/a.txt", ".lockstep/deployment.json", ".hidden/a.txt"]
)
def test_a_key_of_no_bot_has_neither_slug_nor_name(key: str) -> None:
    assert split_key(key) == ("", "")


@settings(deadline=None)
@given(name=st.text(st.characters(), max_size=60))
@example("a/b\u200b/c")
@example("\u2024\u2024/passwd")
@example("．．/passwd")
def test_any_name_stays_below_its_bot_or_is_refused(name: str) -> None:
    try:
        key = object_key("library", name)
    except InvalidInputError:
        return
    slug, rest = split_key(key)
    assert slug == "library"
    assert object_key(slug, rest) == key
    assert unicodedata.is_normalized("NFC", key)
    assert len(key.encode()) <= MAX_KEY_BYTES
    assert ".." not in PurePosixPath(key).parts
    assert Path("/bucket").joinpath(*key.split("/")).is_relative_to("/bucket/library")


def test_the_key_of_a_correction_names_the_pair_and_no_name_that_a_person_gives_does() -> None:
    qa_id = uuid4()
    key = correction_key("library", qa_id)
    assert is_correction(key)
    assert corrected_pair(key) == qa_id
    with pytest.raises(InvalidInputError):
        object_key(*split_key(key))


@pytest.mark.parametrize(
    "name", ["", "a.json", "{}.csv", "{}", "deep/{}.json", "{{{}}}.json", "urn:uuid:{}.json", "{}.json.json"]
)
def test_a_key_among_the_corrections_that_names_no_pair_is_of_none(name: str) -> None:
    assert corrected_pair(f"library/.corrections/{name.format(uuid4())}") is None


@pytest.mark.parametrize("key", ["library/a.txt", "library/a/.corrections/b.json", ".corrections/a.json", "library"])
def test_an_ordinary_key_is_of_no_correction(key: str) -> None:
    assert not is_correction(key)
