from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from pypdf import PdfReader, PdfWriter

from functions.ingest.parsing import parse
from shared.errors import RejectedDocumentError
from tests.unit.parsing.samples import Entry, Read, Text, paragraph, pdf, read, reason

LONG = [
    "The kidneys filter the blood and remove waste that the body",
    "does not need any more, and they keep the balance of water.",
    "They also make hormones.",
]


def text_of(pages: list[list[Text]]) -> str:
    return "\n\n".join(section.text for section in read("a.pdf", pdf(pages)).sections)


def test_lines_of_a_paragraph_are_joined() -> None:
    assert text_of([paragraph(LONG)]) == " ".join(LONG)


def test_a_wide_gap_parts_paragraphs() -> None:
    second = paragraph(["A second paragraph begins below a gap."], y=640)
    assert text_of([paragraph(LONG) + second]) == " ".join(LONG) + "\n\nA second paragraph begins below a gap."


def test_a_word_broken_at_a_line_end_is_mended() -> None:
    lines = ["This is about the treat-", "ment of self-", "locking nuts; a self-locking nut is", "made of steel."]
    assert text_of([paragraph(lines)]) == (
        "This is about the treatment of self-locking nuts; a self-locking nut is made of steel."
    )


@pytest.mark.parametrize(
    "word", ["e-mail", "X-ray", "well-known", "well-established", "long-term", "high-risk", "evidence-based"]
)
def test_a_compound_broken_at_its_hyphen_keeps_it(word: str) -> None:
    first, second = word.split("-")
    lines = [f"These are the words that stand before {first}-", f"{second} and the words after it, which are more."]
    assert f" {word} and" in text_of([paragraph(lines)])


@pytest.mark.parametrize("word", ["high-light", "short-age", "well-ness", "long-itude", "full-est"])
def test_a_broken_word_that_resembles_a_compound_is_mended(word: str) -> None:
    first, second = word.split("-")
    lines = [f"These are the words that stand before {first}-", f"{second} and the words after it, which are more."]
    assert f" {first}{second} and" in text_of([paragraph(lines)])


def test_list_items_stay_on_lines_of_their_own() -> None:
    lines = [
        "Causes are:",
        "\x95 diabetes, which is the most",
        "frequent cause",
        "\x95 pressure",
        "1. first",
        "2. second",
    ]
    page = paragraph([line.replace("\x95", "•") for line in lines])
    assert text_of([page]) == (
        "Causes are:\n\n• diabetes, which is the most frequent cause\n• pressure\n1. first\n2. second"
    )


def table(*rows: tuple[str, ...], columns: tuple[int, ...] = (72, 200, 330), bold: int = 0) -> list[Text]:
    return [
        Text(x, 700 - 14 * index, cell, is_bold=index < bold)
        for index, row in enumerate(rows)
        for x, cell in zip(columns, row, strict=False)
        if cell
    ]


def test_rows_of_a_table_carry_their_headers() -> None:
    page = table(("Stage", "Prevalence"), ("1-4", "42.2664"), ("5", "0.1"))
    assert text_of([page]).split("\n") == ["Stage: 1-4; Prevalence: 42.2664", "Stage: 5; Prevalence: 0.1"]


def test_a_table_of_words_is_known_by_its_bold_headers() -> None:
    page = table(("Drug", "Use", "Note"), ("Aspirin", "Pain", ""), ("Insulin", "", "Cool"), bold=1)
    assert text_of([page]).split("\n") == ["Drug: Aspirin; Use: Pain", "Drug: Insulin; Note: Cool"]


def test_row_headers_without_a_name_and_cells_of_two_lines() -> None:
    page = table(("", "Dose in mg", "Times"), ("Adults", "500", "3"), ("Children above", "250", "2"), ("twelve",))
    assert text_of([page]).split("\n") == [
        "Adults; Dose in mg: 500; Times: 3",
        "Children above twelve; Dose in mg: 250; Times: 2",
    ]
    page = table(("Group", "Dose in mg"), ("Adults", "500"), ("Children above", "250"), ("twelve", ""), ("Others", "9"))
    assert text_of([page]).split("\n") == [
        "Group: Adults; Dose in mg: 500",
        "Group: Children above twelve; Dose in mg: 250",
        "Group: Others; Dose in mg: 9",
    ]


@pytest.mark.parametrize(
    "rows",
    [
        [("Ada Lovelace", "Alan Turing"), ("Grace Hopper", "Edsger Dijkstra"), ("Donald Knuth", "Barbara Liskov")],
        [("Introduction", "3"), ("Methods", "7"), ("Results", "12")],
        [("Stage", "Prevalence"), ("1-4", "42.2664")],
    ],
)
def test_cells_below_each_other_that_are_no_table_stay_as_they_are(rows: list[tuple[str, ...]]) -> None:
    assert text_of([table(*rows)]).split("\n") == ["  ".join(row) for row in rows]


def column(name: str, x: float) -> list[Text]:
    return paragraph([f"{name} line {index} of a column of prose that is wide" for index in range(12)], x=x)


@pytest.mark.parametrize("is_interleaved", [False, True])
def test_columns_come_one_after_the_other(is_interleaved: bool) -> None:
    left, right = column("left", 40), column("right", 320)
    mixed = [line for pair in zip(left, right, strict=True) for line in pair]
    text = text_of([mixed if is_interleaved else left + right])
    assert text.index("left line 11") < text.index("right line 0")


def test_text_written_from_the_bottom_up_is_read_from_the_top() -> None:
    lines = [f"Number {index} of the lines on this page." for index in range(12)]
    text = text_of([list(reversed(paragraph(lines)))])
    assert [text.index(f"Number {index} ") for index in range(12)] == sorted(
        text.index(f"Number {index} ") for index in range(12)
    )


def book(count: int = 6) -> Read:
    pages = [
        [
            Text(72, 800, "Guide to the kidneys", 8),
            *paragraph([f"This is the text of page {word}, which differs from the others."]),
            Text(290, 30, str(number), 8),
        ]
        for number, word in enumerate(["one", "two", "three", "four", "five", "six"][:count], start=1)
    ]
    return read("a.pdf", pdf(pages))


@pytest.mark.parametrize("count", [2, 3, 6])
def test_headers_footers_and_page_numbers_are_removed(count: int) -> None:
    text = book(count).text
    assert "Guide" not in text
    assert not any(character.isdigit() for character in text)
    assert text.count("which differs") == count


def sided(count: int, *, has_title_page: bool) -> str:
    """The text of a document whose left and right pages have headers of their own."""
    pages = []
    for number in range(1, count + 1):
        header = Text(72, 800, "Annual report" if number % 2 else "City council", 8)
        margins = [header, Text(250, 30, f"Page {number} of {count}", 8)]
        body = paragraph([f"This is the text of page {'x' * number}, which differs from the others."])
        pages.append(body if number == 1 and has_title_page else [*margins, *body])
    return read("a.pdf", pdf(pages)).text


@pytest.mark.parametrize("count", [4, 5, 6, 9])
def test_headers_of_left_and_right_pages_are_removed_from_the_first_to_the_last(count: int) -> None:
    text = sided(count, has_title_page=False)
    assert not any(word in text for word in ("report", "council", "Page"))
    assert text.count("which differs") == count


def test_a_title_page_without_header_does_not_keep_that_of_a_short_document() -> None:
    pages = [
        [Text(72, 800, "Guide to chains", 8), Text(250, 30, f"Page {number} of 3", 8), *paragraph([f"Text {word}."])]
        for number, word in ((2, "two"), (3, "three"))
    ]
    assert text_of([paragraph(LONG), *pages]).split("\n\n") == [" ".join(LONG), "Text two.", "Text three."]


def test_what_stands_in_the_margin_of_one_page_stays() -> None:
    text = text_of([[Text(72, 800, f"Heading {word}", 10), *paragraph(LONG)] for word in ("one", "two", "three")])
    assert [text.count(f"Heading {word}") for word in ("one", "two", "three")] == [1, 1, 1]


def test_roman_page_numbers_are_removed() -> None:
    pages = [[*paragraph(LONG), Text(290, 30, number, 8)] for number in ("i", "- ii -", "iii")]
    assert text_of(pages).count("hormones.") == 3
    assert "ii" not in text_of(pages)


def test_a_section_names_the_page_on_which_it_begins() -> None:
    pages = [paragraph(LONG), paragraph(LONG), paragraph(LONG)]
    pages[0].insert(0, Text(72, 740, "First heading", 18))
    pages[2].insert(0, Text(72, 740, "Second heading", 18))
    sections = read("a.pdf", pdf(pages)).sections
    assert [(section.heading_path, section.page) for section in sections] == [
        (("First heading",), 1),
        (("Second heading",), 3),
    ]


def test_larger_fonts_become_headings_by_rank() -> None:
    page = [
        Text(72, 760, "Kidney guide", 24),
        *paragraph(LONG, y=720),
        Text(72, 650, "Signs", 16),
        *paragraph(LONG, y=620),
        Text(72, 550, "Tests of blood and", 16),
        Text(72, 532, "of urine", 16),
        *paragraph(LONG, y=500),
    ]
    body = " ".join(LONG)
    assert read("a.pdf", pdf([page])).by_heading == {
        ("Kidney guide",): body,
        ("Kidney guide", "Signs"): body,
        ("Kidney guide", "Tests of blood and of urine"): body,
    }


def test_bold_lines_of_the_bodys_size_become_headings() -> None:
    page = [
        Text(72, 760, "Kidney guide", 18),
        *paragraph(LONG, y=735),
        Text(72, 690, "Signs", is_bold=True),
        *paragraph(LONG, y=678),
        Text(72, 630, "Tests of the blood and", is_bold=True),
        Text(72, 618, "of the urine", is_bold=True),
        *paragraph(LONG, y=606),
    ]
    body = " ".join(LONG)
    assert read("a.pdf", pdf([page])).by_heading == {
        ("Kidney guide",): body,
        ("Kidney guide", "Signs"): body,
        ("Kidney guide", "Tests of the blood and of the urine"): body,
    }


@pytest.mark.parametrize(
    "lines",
    [
        ["The kidneys are", "two organs of the body"],  # goes on in the next line
        ["Never do this at home.", "Call the clinic instead"],
        ["Table 1 The stages", "There are five"],
        ["The stages ......... 12", "There are five"],
        ["and so it is said", "Others do not say so"],
    ],
)
def test_bold_lines_that_are_part_of_the_text_are_no_headings(lines: list[str]) -> None:
    page = [
        line
        for index in range(3)
        for line in (
            *paragraph(LONG, y=700 - 100 * index),
            Text(72, 660 - 100 * index, lines[0], is_bold=True),
            Text(72, 648 - 100 * index, lines[1]),
        )
    ]
    assert list(read("a.pdf", pdf([page])).by_heading) == [()]


def test_the_outline_names_the_headings_where_there_is_one() -> None:
    page = [Text(72, 740, "1 Kidneys"), *paragraph(LONG), Text(72, 600, "2 Tests"), *paragraph(LONG, y=580)]
    outline = [Entry("Kidneys", 0, 750), Entry("2 Tests", 0, 610), Entry("Not in the text", 1, 800)]
    sections = read("a.pdf", pdf([page, paragraph(LONG)], outline=outline)).sections
    body = " ".join(LONG)
    assert [(section.heading_path, section.text, section.page) for section in sections] == [
        (("Kidneys",), body, 1),
        (("2 Tests",), body, 1),
        (("Not in the text",), body, 2),
    ]


def test_empty_pages_do_not_abort() -> None:
    assert text_of([[], paragraph(LONG), [], paragraph(["The end of it."]), []]).endswith("The end of it.")


def test_properties_tell_the_facts() -> None:
    info = {"Title": "Kidney guide", "Author": "Ada", "CreationDate": "D:20240301100000Z", "Subject": "CKD"}
    document = read("a.pdf", pdf([paragraph(LONG)], info=info)).document
    assert (document.title, document.author) == ("Kidney guide", "Ada")
    assert document.published_at == datetime(2024, 3, 1, 10, tzinfo=UTC)
    assert document.metadata == {"subject": "CKD"}


def test_what_programs_write_for_nobody_is_no_fact() -> None:
    info = {"Title": "(unspecified)", "Author": "(anonymous)", "Subject": "unspecified"}
    document = read("a.pdf", pdf([paragraph(LONG)], info=info)).document
    assert (document.title, document.author, document.metadata) == (None, None, {})


def test_the_printed_title_stands_in_for_a_programs() -> None:
    page = [Text(72, 760, "Kidney guide", 24), *paragraph(LONG, y=720)]
    data = pdf([page], info={"Title": "Microsoft Word - foo.docx"})
    assert read("a.pdf", data).document.title == "Kidney guide"


def test_an_image_only_pdf_is_refused_with_what_to_do() -> None:
    message = reason("a.pdf", pdf([[], []]))
    assert "no extractable text (scanned?)" in message
    assert "OCR" in message


def encrypted(user_password: str) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf([paragraph(LONG)]))))
    writer.encrypt(user_password=user_password, owner_password="owner", algorithm="AES-128")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def test_an_encrypted_pdf_is_refused_as_protected() -> None:
    assert "password-protected" in reason("a.pdf", encrypted("secret"))


def test_a_pdf_that_opens_without_a_password_is_read() -> None:
    assert "remove waste" in read("a.pdf", encrypted("")).text


def test_a_pdf_whose_table_of_objects_is_wrong_is_repaired() -> None:
    data = (
        pdf([paragraph(LONG)]).replace(b"%PDF-1.4", b"%PDF-1.4\n% moves every object").replace(b"00000 n", b"00009 n")
    )
    assert " ".join(LONG) in read("a.pdf", data).text


def test_a_truncated_pdf_is_refused_as_damaged() -> None:
    data = pdf([paragraph(LONG)])
    assert "damaged or cut off" in reason("a.pdf", data[: data.rindex(b"xref\n0")])


@pytest.mark.parametrize("data", [b"%PDF-1.4", b"%PDF-1.4\n" + bytes(range(256)) * 40, b"%PDF-1.7\n%%EOF\n"])
def test_a_pdf_of_rubbish_is_refused(data: bytes) -> None:
    assert reason("a.pdf", data).startswith("The PDF")


def test_what_only_pypdf_reads_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from functions.ingest.parsing import pdf as parsing_pdf

    def fail(file: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(parsing_pdf, "PdfReader", fail)
    assert read("a.pdf", pdf([paragraph(LONG)])).sections[0].text == " ".join(LONG)


def test_content_that_is_not_consumed_leaves_the_file_usable() -> None:
    file = io.BytesIO(pdf([paragraph(LONG)] * 30))
    content = parse(file, "a.pdf").content
    next(content)
    del content
    assert "kidneys" in read("a.pdf", file.getvalue()).text


def test_content_may_be_dropped_after_its_file_was_closed() -> None:
    for name, data in (("a.pdf", pdf([paragraph(LONG)] * 30)), ("a.csv", b"a,b\n" + b"1,2\n" * 100)):
        file = io.BytesIO(data)
        content = parse(file, name).content
        next(content)
        file.close()
        del content


def test_two_documents_are_read_side_by_side() -> None:
    one, other = (parse(io.BytesIO(pdf([paragraph(LONG)] * 3)), "a.pdf").content for _ in range(2))
    assert next(one) == next(other)


def test_ligatures_are_written_out_and_nfc_holds() -> None:
    # Helvetica has no ligatures of its own here; the bytes name them by their Windows code.
    assert text_of([[Text(72, 700, "Größe \u2013 “naïve” café…")]]) == "Größe \u2013 “naïve” café…"


def test_a_refusal_is_the_familys_own_error() -> None:
    with pytest.raises(RejectedDocumentError):
        list(parse(io.BytesIO(pdf([[]])), "a.pdf").content)
