"""Files that cannot be read, through the whole pipeline: a clear reason, nothing lost, nobody else disturbed."""

from __future__ import annotations

import gzip
import io
import re
from pathlib import PurePosixPath

import pytest
from pypdf import PdfReader, PdfWriter

from functions.sync.bucket_scan import claim_bucket
from shared.domain import DocumentStatus
from tests.api import client_of
from tests.unit.parsing.samples import archive, paragraph, pdf, workbook
from tests.worlds import World, memory_world

LINES = ["The kidneys remove waste and water.", "They make urine all day long."]
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)


def encrypted_pdf() -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf([paragraph(LINES)]))))
    writer.encrypt(user_password="secret", owner_password="owner", algorithm="AES-128")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


BAD: dict[str, tuple[str, bytes, str]] = {
    "empty": ("a.txt", b"", "empty"),
    "without text": ("a.md", b"\xef\xbb\xbf \n\n", "no text"),
    "corrupt pdf": ("a.pdf", pdf([paragraph(LINES)])[:300], "damaged or cut off"),
    "encrypted pdf": ("a.pdf", encrypted_pdf(), "password-protected"),
    "image-only pdf": ("a.pdf", pdf([[], []]), "OCR"),
    "corrupt workbook": ("a.xlsx", workbook({"S": [["question", "answer"], [1, 2]]})[:300], "damaged"),
    "encrypted workbook": ("a.xlsx", OLE + "EncryptedPackage".encode("utf-16-le") + bytes(600), "password-protected"),
    "old word file": ("a.doc", OLE + "WordDocument".encode("utf-16-le") + bytes(600), ".docx"),
    "misnamed image": ("a.pdf", b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG image"),
    "misnamed text": ("a.docx", b"just some text", "holds no"),
    "misnamed archive": ("a.txt", archive({"some/file.txt": b"text"}), "zip archive"),
    "binary": ("a.csv", bytes(range(256)) * 20, "binary"),
    "malformed json": ("a.json", b'[{"question": "a", "answer": ', "JSON"),
    "json nested without end": ("a.json", b"[" * 5_000 + b"]" * 5_000, "nested"),
    "cut off gzip": ("a.txt.gz", gzip.compress(b"text " * 1000)[:40], "damaged"),
    "huge": ("a.txt", b"word " * 10_100_000, "larger than 50 MB"),
}

PAIRS = [["question", "answer"], ["What do kidneys do?", "They remove waste."]]
GOOD: dict[str, bytes] = {
    ".txt": b"The kidneys remove waste.",
    ".md": b"# Kidneys\n\nThey remove waste.",
    ".csv": b"question,answer\nWhat do kidneys do?,They remove waste.\n",
    ".json": b'[{"question": "What do kidneys do?", "answer": "They remove waste."}]',
    ".pdf": pdf([paragraph(LINES)]),
    ".xlsx": workbook({"S": PAIRS}),
    ".gz": gzip.compress(b"The kidneys remove waste."),
}
UPDATES = {kind: bad[:2] for kind, bad in BAD.items() if PurePosixPath(bad[0]).suffix in GOOD}


@pytest.fixture
def world() -> World:
    made = memory_world()
    claim_bucket(made.objects, made.registry.deployment_id())
    made.put("neighbour.txt", "The neighbour is healthy.")
    return made


def status_of(world: World, name: str) -> DocumentStatus:
    status = world.status(name)
    assert status is not None
    return status


@pytest.mark.parametrize(("name", "content", "words"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_rejected_with_a_reason_for_people(world: World, name: str, content: bytes, words: str) -> None:
    world.put(name, content)
    status = status_of(world, name)
    assert (status.state, status.is_answering, status.pairs) == ("rejected", False, 0)
    assert words in str(status.reason)
    assert not re.search(r"Traceback|Error\b|Exception|0x[0-9a-f]{6}", str(status.reason))
    assert world.answers("The neighbour is healthy") == ["The neighbour is healthy."]
    assert world.index.count(world.bot.collection, world.bot.bot_id) == 1


@pytest.mark.parametrize(("name", "content"), UPDATES.values(), ids=UPDATES.keys())
def test_a_bad_update_loses_nothing_rests_and_heals(world: World, name: str, content: bytes) -> None:
    good = GOOD[PurePosixPath(name).suffix]
    world.put(name, good)
    before, answers = status_of(world, name), world.answers("remove waste")
    assert (before.state, len(answers)) == ("live", 2)
    world.put(name, content)
    rejected = status_of(world, name)
    assert (rejected.state, rejected.is_answering, rejected.document_id) == ("rejected", True, before.document_id)
    assert world.answers("remove waste") == answers
    assert world.sync()
    assert world.hints.keys == []  # it is not looked at again and again
    assert world.look(name) is None
    world.put(name, good)
    healed = status_of(world, name)
    assert (healed.state, healed.reason, healed.pairs) == ("live", None, before.pairs)


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        ("Çay saat beşte içilir, ğüşıöç.".encode("cp1254"), "Çay saat beşte içilir, ğüşıöç."),
        ("한국어 문서를 읽습니다. 모두 잘 보입니다.".encode("euc-kr"), "한국어 문서를 읽습니다. 모두 잘 보입니다."),
        ("Das Wörterbuch überrascht.".encode("utf-16"), "Das Wörterbuch überrascht."),
        (b"A nul\x00 and a bell\x07 inside.", "A nul and a bell inside."),
    ],
)
def test_a_file_of_another_encoding_or_with_stray_bytes_is_read(world: World, content: bytes, answer: str) -> None:
    world.put("notes.txt", content)
    assert status_of(world, "notes.txt").state == "live"
    words = [text.replace("  ", " ") for text in world.answers(answer)]
    assert answer in words


def test_an_empty_upload_is_refused_as_empty_however_it_is_sent(world: World) -> None:
    with client_of(world) as api:
        put = api.put("/bots/library/documents", params={"name": "a.txt"}, content=b"")
        posted = api.post("/bots/library/documents", files={"file": ("a.txt", b"")})
    for response in (put, posted):
        assert (response.status_code, response.json()["detail"]) == (422, "The content is empty.")


def test_a_bad_record_among_good_ones_is_named_by_its_line(world: World) -> None:
    lines = ['{"question": "Is it good?", "answer": "It is good."}', '{"question": "Is it', '{"question": "?"}']
    world.put("records.jsonl", "\n".join(lines))
    status = status_of(world, "records.jsonl")
    assert status.state == "rejected"
    assert "Line 2" in str(status.reason)
    assert world.answers("Is it good?") == ["The neighbour is healthy."]


def test_names_that_need_care_are_ordinary_names(world: World) -> None:
    names = ["a b.txt", "a+b%20c.txt", 'it\'s "x".txt', "한국어/문서.txt", "Böbrek ıİ.txt", "😀.txt", "a&b=c#d?.txt"]
    for name in names:
        world.put(name, f"This is {name} itself.")
        assert status_of(world, name).state == "live"
    sources = {hit.evidence.source.object_path for hit in world.search("This is itself", top_k=20).hits}
    assert sources == {*names, "neighbour.txt"}
