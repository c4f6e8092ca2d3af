from __future__ import annotations

import gzip
import json

import pytest

from functions.ingest.parsing import limits
from tests.unit.parsing.samples import Text, pdf, read, reason, workbook

RECORDS = [{"q": "What?", "a": "Böbrek"}]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.jsonl.gz", json.dumps(RECORDS[0])),
        ("a.json.gz", json.dumps(RECORDS)),
        ("a.csv.gz", "q,a\nWhat?,Böbrek\n"),
        ("A.CSV.GZ", "q,a\nWhat?,Böbrek\n"),
    ],
)
def test_gzipped_records_are_read(name: str, text: str) -> None:
    assert read(name, gzip.compress(text.encode())).records == RECORDS


@pytest.mark.parametrize("name", ["a.txt.gz", "a.md.gz", "a.html.gz", "a.txt", "a"])
def test_gzipped_text_is_read(name: str) -> None:
    assert "çeşmebaşı" in read(name, gzip.compress("<p>çeşmebaşı</p>".encode("cp1254"))).text


def test_text_that_only_its_name_calls_gzipped_is_read() -> None:
    assert read("a.csv.gz", "q,a\nWhat?,Böbrek\n").records == RECORDS


def test_several_members_are_one_text() -> None:
    assert read("a.txt.gz", gzip.compress(b"one ") + gzip.compress(b"two")).text.strip() == "one two"


@pytest.mark.parametrize("size", [3, 12, 60])
def test_a_truncated_gzip_file_is_refused_as_damaged(size: int) -> None:
    data = gzip.compress(bytes(range(32, 127)) * 20, mtime=0)
    assert "damaged or cut off" in reason("a.txt.gz", data[:size])


def test_a_gzip_file_with_flipped_bytes_is_refused_as_damaged() -> None:
    data = bytearray(gzip.compress(b"some text that is long enough " * 50))
    data[-6] ^= 0xFF
    assert "damaged" in reason("a.txt.gz", bytes(data))


@pytest.mark.parametrize(
    "inner",
    [pdf([[Text(72, 700, "Text")]]), workbook({"S": [["a"]]}), gzip.compress(b"text")],
    ids=["pdf", "xlsx", "gz"],
)
def test_what_is_no_text_inside_gzip_is_refused_with_what_to_do(inner: bytes) -> None:
    assert "unpack" in reason("a.gz", gzip.compress(inner))


def test_an_empty_gzip_file_is_refused() -> None:
    assert "empty" in reason("a.txt.gz", gzip.compress(b""))


@pytest.mark.parametrize("name", ["a.txt.gz", "a.csv.gz", "a.json.gz", "a.html.gz"])
def test_a_bomb_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_UNCOMPRESSED_BYTES", 5_000_000)
    assert "too large when uncompressed" in reason(name, gzip.compress(b"a, b\n" * 2_000_000, 1))
