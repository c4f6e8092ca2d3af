"""Whatever the bytes and whatever their name: a document that can be consumed, or a refusal with a reason."""

from __future__ import annotations

import gzip
import io
import json
import unicodedata
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.ingest.parsing import Record, Section, limits, parse
from shared.errors import RejectedDocumentError
from tests.unit.parsing.samples import Text, paragraph, pdf, workbook

EXTENSIONS = [
    "pdf",
    "docx",
    "xlsx",
    "xls",
    "txt",
    "md",
    "html",
    "xhtml",
    "csv",
    "tsv",
    "json",
    "jsonl",
    "gz",
    "bin",
    "",
]
STARTS = [
    b"",
    b"%PDF-1.7\n",
    b"PK\x03\x04",
    b"\x1f\x8b\x08\x00",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"<html><body><table><tr><td>",
    b"<ul><li><details><summary>",
    b'[{"a": ',
    b'{"data": [{',
    b'a,"b\n',
    b"---\ntitle: x\n---\n",
    b"| a | b |\n|---|---|\n",
]
WHOLE = {
    "pdf": pdf([[Text(72, 740, "Heading", 18), *paragraph(["A text of some lines,", "which is joined."])]] * 3),
    "xlsx": workbook({"S": [["a", "b"], [1, "x"], [2.5, "y"]]}),
    "txt": gzip.compress(b"CHAPTER I\n\nSome text.\n" * 20),
}
SLOW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("extension", EXTENSIONS)
@SLOW
@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(extension: str, start: bytes, rest: bytes) -> None:
    consume(f"a.{extension}", start + rest)


@pytest.mark.parametrize("extension", ["txt", "md", "html", "csv", "json", "jsonl"])
@SLOW
@given(text=st.text(alphabet=st.sampled_from("ab1ğ \n\t\"',;:|-#*`[](){}<>/=&\\~_!\x00é한"), max_size=200))
def test_any_text_is_read_or_refused(extension: str, text: str) -> None:
    consume(f"a.{extension}", text.encode())


@pytest.mark.parametrize("kind", WHOLE)
@SLOW
@given(data=st.data())
def test_damaged_files_are_read_or_refused(kind: str, data: st.DataObject) -> None:
    damaged = bytearray(WHOLE[kind])
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    consume(f"a.{kind}", bytes(damaged[: data.draw(st.integers(1, len(damaged)))]))


def consume(name: str, data: bytes) -> None:
    try:
        document = parse(io.BytesIO(data), name)
        for item in document.content:
            check(item)
    except RejectedDocumentError as exc:
        assert len(str(exc)) > 20


def check(item: Section | Record) -> None:
    """What every store and every later step relies on."""
    if isinstance(item, Section):
        assert 0 < len(item.text) <= limits.MAX_SECTION_CHARS
        assert item.page is None or item.page >= 1
        texts = [item.text, *item.heading_path]
        assert all(item.heading_path)
    else:
        assert item.fields
        texts = list(strings(item.fields))
        json.dumps(item.fields, allow_nan=False)
    for text in texts:
        text.encode()
        assert unicodedata.is_normalized("NFC", text)
        assert not any(character < " " and character not in "\n\t" for character in text)


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in strings(part)]
    return [text for part in value for text in strings(part)] if isinstance(value, list) else []
