from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime

import docx
import pytest
from docx.document import Document
from docx.oxml import parse_xml

from functions.ingest.parsing import limits
from tests.unit.parsing.samples import archive, read, reason, unpacked

NAMESPACE = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def word(fill: Callable[[Document], object]) -> bytes:
    document = docx.Document()
    fill(document)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def with_xml(xml: str) -> bytes:
    """A document whose body begins with this WordprocessingML."""
    return word(lambda document: document.element.body.insert(0, parse_xml(xml)))


def test_headings_and_the_title_style_become_the_path() -> None:
    def fill(document: Document) -> None:
        document.add_heading("Kidney guide", 0)
        document.add_heading("Signs", 1)
        document.add_paragraph("Few.")
        document.add_heading("Pain", 2)
        document.add_paragraph("None.")
        document.add_heading("Tests", 1)
        document.add_paragraph("Blood.")

    assert read("a.docx", word(fill)).by_heading == {
        ("Kidney guide", "Signs"): "Few.",
        ("Kidney guide", "Signs", "Pain"): "None.",
        ("Kidney guide", "Tests"): "Blood.",
    }


def test_a_style_based_on_a_heading_is_one() -> None:
    def fill(document: Document) -> None:
        style = document.styles.add_style("My Section", 1)
        style.base_style = document.styles["Heading 2"]
        document.add_paragraph("Signs", style="My Section")
        document.add_paragraph("Few.")

    assert read("a.docx", word(fill)).by_heading == {("Signs",): "Few."}


def test_paragraphs_and_tables_keep_their_order() -> None:
    def fill(document: Document) -> None:
        document.add_paragraph("Before.")
        table = document.add_table(3, 2)
        for row, texts in zip(table.rows, [("Stage", "Prevalence"), ("1\u20134", "42.2664"), ("5", "")], strict=True):
            for cell, text in zip(row.cells, texts, strict=True):
                cell.text = text
        document.add_paragraph("After.")

    text = read("a.docx", word(fill)).sections[0].text
    assert text == "Before.\n\nStage: 1\u20134; Prevalence: 42.2664\nStage: 5\n\nAfter."


def test_captions_stand_beside_what_they_name() -> None:
    def fill(document: Document) -> None:
        document.add_paragraph("Table 1: Doses", style="Caption")
        table = document.add_table(3, 2)
        for row, texts in zip(table.rows, (("Group", "Dose"), ("Adults", "500"), ("Children", "250")), strict=True):
            for cell, text in zip(row.cells, texts, strict=True):
                cell.text = text

    assert read("a.docx", word(fill)).sections[0].text == (
        "Table 1: Doses\n\nGroup: Adults; Dose: 500\nGroup: Children; Dose: 250"
    )


def test_lists_and_tables_in_cells_are_not_lost() -> None:
    def fill(document: Document) -> None:
        table = document.add_table(2, 2)
        table.cell(0, 0).text, table.cell(0, 1).text = "A", "B"
        cell = table.cell(1, 0)
        cell.text = "Items"
        cell.add_paragraph("one", style="List Bullet")
        cell.add_paragraph("two", style="List Bullet")
        inner = table.cell(1, 1).add_table(2, 2)
        for index, text in enumerate(["x", "y", "1", "2"]):
            inner.cell(index // 2, index % 2).text = text

    assert read("a.docx", word(fill)).sections[0].text == "A: Items / - one / - two; B: x: 1; y: 2"


def test_merged_cells_count_for_every_row_they_span() -> None:
    def fill(document: Document) -> None:
        table = document.add_table(3, 2)
        for index, text in enumerate(["Group", "Name", "G", "a", "", "b"]):
            table.cell(index // 2, index % 2).text = text
        table.cell(1, 0).merge(table.cell(2, 0))

    assert read("a.docx", word(fill)).sections[0].text == "Group: G; Name: a\nGroup: G; Name: b"


def test_lists_keep_one_item_per_line_with_its_marker() -> None:
    def fill(document: Document) -> None:
        document.add_paragraph("Do:")
        document.add_paragraph("wash", style="List Number")
        document.add_paragraph("rest", style="List Number")
        document.add_paragraph("End.")
        document.add_paragraph("bullet", style="List Bullet")

    assert read("a.docx", word(fill)).sections[0].text == "Do:\n\n1. wash\n2. rest\n\nEnd.\n\n- bullet"


def test_a_reader_sees_insertions_but_no_deletions_or_field_codes() -> None:
    xml = (
        f"<w:p {NAMESPACE}><w:r><w:t>Take </w:t></w:r><w:ins><w:r><w:t>one</w:t></w:r></w:ins>"
        "<w:del><w:r><w:delText>two</w:delText></w:r></w:del><w:hyperlink><w:r><w:t> pill</w:t></w:r></w:hyperlink>"
        "<w:r><w:instrText>PAGE</w:instrText></w:r><w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r></w:p>"
    )
    assert read("a.docx", with_xml(xml)).text.strip() == "Take one pill"


def test_content_controls_and_text_boxes_are_read_once() -> None:
    box = "<w:txbxContent><w:p><w:r><w:t>Boxed.</w:t></w:r></w:p></w:txbxContent>"
    xml = (
        f'<w:sdt {NAMESPACE} xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><w:sdtContent>'
        f"<w:p><w:r><w:t>Controlled.</w:t></w:r><w:r><mc:AlternateContent><mc:Choice>{box}</mc:Choice>"
        f"<mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:r></w:p></w:sdtContent></w:sdt>"
    )
    assert read("a.docx", with_xml(xml)).sections[0].text == "Controlled.\n\nBoxed."


def test_footnotes_follow_the_paragraph_that_refers_to_them() -> None:
    xml = f"<w:p {NAMESPACE}><w:r><w:t>A claim.</w:t></w:r><w:r><w:footnoteReference w:id='2'/></w:r></w:p>"
    members = unpacked(with_xml(xml))
    members["word/footnotes.xml"] = (
        f"<w:footnotes {NAMESPACE}><w:footnote w:id='2'><w:p><w:r><w:t>A source.</w:t></w:r></w:p></w:footnote>"
        "</w:footnotes>"
    ).encode()
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
    relation = f'<Relationship Id="rId99" Type="{kind}" Target="footnotes.xml"/></Relationships>'.encode()
    path = "word/_rels/document.xml.rels"
    members[path] = members[path].replace(b"</Relationships>", relation)
    assert read("a.docx", archive(members)).sections[0].text == "A claim.\n\nA source."


def test_headers_and_footers_are_dropped() -> None:
    def fill(document: Document) -> None:
        document.sections[0].header.paragraphs[0].text = "Page header"
        document.add_paragraph("Text.")

    assert "Page header" not in read("a.docx", word(fill)).text


def test_properties_tell_the_facts() -> None:
    def fill(document: Document) -> None:
        document.add_paragraph("Text.")
        properties = document.core_properties
        properties.title, properties.author, properties.subject = "Kidney guide", "Ada", "CKD"
        properties.created = datetime(2024, 3, 1, 10)

    document = read("a.docx", word(fill)).document
    assert (document.title, document.author) == ("Kidney guide", "Ada")
    assert document.published_at == datetime(2024, 3, 1, 10, tzinfo=UTC)
    assert document.metadata == {"subject": "CKD"}


def test_a_document_without_text_is_refused() -> None:
    assert "no text" in reason("a.docx", word(lambda document: None))


def test_a_document_with_broken_xml_is_refused_as_damaged() -> None:
    members = unpacked(word(lambda document: document.add_paragraph("Text.")))
    members["word/document.xml"] = members["word/document.xml"][:-50]
    assert "damaged" in reason("a.docx", archive(members))


def test_a_document_without_its_main_part_is_refused_as_damaged() -> None:
    members = unpacked(word(lambda document: document.add_paragraph("Text.")))
    del members["word/document.xml"]
    assert "damaged" in reason("a.docx", archive(members))


def test_a_part_that_would_be_too_large_a_tree_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_XML_BYTES", 100_000)
    members = unpacked(word(lambda document: document.add_paragraph("Text.")))
    members["word/footnotes.xml"] = bytes(200_000)
    assert "too large when uncompressed" in reason("a.docx", archive(members))


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_ARCHIVE_BYTES", 1_000_000)
    members = unpacked(word(lambda document: document.add_paragraph("Text.")))
    members["word/media/image.png"] = bytes(2_000_000)
    assert "too large when uncompressed" in reason("a.docx", archive(members))


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("word/_rels/document.xml.rels", None),
        ("_rels/.rels", b"<Relationships"),
        ("[Content_Types].xml", b"<Types"),
        ("docProps/core.xml", b"<broken"),
        ("word/styles.xml", b"<broken"),
        ("word/_rels/document.xml.rels", b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
         b'<Relationship Id="rId1" Type="http://x/image" Target="NULL"/></Relationships>'),
    ],
)  # fmt: skip
def test_a_document_with_a_broken_part_is_read_from_its_body(part: str, content: bytes | None) -> None:
    def fill(document: Document) -> None:
        document.add_heading("Signs", 1)
        document.add_paragraph("Few, and late.")

    members = unpacked(word(fill))
    if content is None:
        del members[part]
    else:
        members[part] = content
    found = read("a.docx", archive(members)).text
    assert "Signs" in found and "Few, and late." in found
