from __future__ import annotations

import pytest

from tests.unit.parsing.samples import Text, archive, pdf, read, reason, workbook

PDF = pdf([[Text(72, 700, "A sentence in a PDF.")]])


@pytest.mark.parametrize("name", ["a.pdf", "a.txt", "a.docx", "no extension", "guides/Böbrek + diyaliz.PDF", ""])
def test_a_pdf_is_a_pdf_under_any_name(name: str) -> None:
    assert "A sentence in a PDF." in read(name, PDF).text


def test_a_workbook_is_found_by_its_content() -> None:
    data = workbook({"S": [["Name", "Dose"], ["A", 1], ["B", 2]]})
    assert read("table.bin", data).records == [{"Name": "A", "Dose": 1}, {"Name": "B", "Dose": 2}]


def test_html_under_another_name_is_read_as_html() -> None:
    assert read("page.txt", "<!DOCTYPE html><html><body><p>Text</p></body></html>").text.strip() == "Text"


def test_many_comments_before_the_page_do_not_slow_detection() -> None:
    assert "text" in read("page.txt", "<!---->" * 600 + "<p>text").text


def test_text_of_unknown_extension_is_plain_text() -> None:
    assert read("server.log", "Something happened.").text.strip() == "Something happened."


@pytest.mark.parametrize("name", ["a.txt", "a.pdf", "a.csv", "a.json", "a.html", "a.docx", "a"])
def test_an_empty_file_is_refused(name: str) -> None:
    assert "empty" in reason(name, b"")


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.json", "a.jsonl", "a.html", "a.md"])
@pytest.mark.parametrize("data", [b" \n\t\n", b"\xef\xbb\xbf", b"\xff\xfe"])
def test_a_file_without_text_is_refused(name: str, data: bytes) -> None:
    assert "no text" in reason(name, data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG image"),
        (b"\xff\xd8\xff\xe0" + bytes(100), "JPEG image"),
        (b"\x7fELF" + bytes(100), "program"),
        (b"{\\rtf1\\ansi text}", "RTF"),
        (bytes(range(256)) * 20, "binary"),
        (archive({"some/file.txt": b"text"}), "zip archive"),
    ],
)
def test_a_misnamed_binary_is_refused_with_what_it_is(data: bytes, words: str) -> None:
    assert words in reason("notes.txt", data)


@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.xlsx", "a.xls"])
def test_text_under_the_name_of_a_binary_format_is_refused(name: str) -> None:
    assert "holds no" in reason(name, "just some text")


def test_an_old_word_file_is_refused_with_what_to_do() -> None:
    data = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "WordDocument".encode("utf-16-le") + bytes(600)
    assert ".docx" in reason("a.doc", data)


def test_an_encrypted_office_file_is_refused_as_protected() -> None:
    data = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le") + bytes(600)
    assert "password-protected" in reason("a.xlsx", data)


def test_xml_of_another_kind_is_refused() -> None:
    assert "XML" in reason("feed.xml", "<?xml version='1.0'?><feed/>")


@pytest.mark.parametrize("size", [40, 200, 400])
def test_a_truncated_archive_is_refused_as_damaged(size: int) -> None:
    assert "damaged" in reason("a.xlsx", workbook({"S": [["a", "b"], [1, 2]]})[:size])
