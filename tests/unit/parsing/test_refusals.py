from __future__ import annotations

import errno
import io

import pytest

from functions.ingest.parsing import parse
from functions.ingest.parsing.refusals import refusing
from shared.errors import OutOfTimeError, RejectedDocumentError
from tests.unit.parsing.samples import paragraph, pdf

PanicException = type("PanicException", (BaseException,), {})  # as Rust extensions name it, and nobody can import it


@pytest.mark.parametrize("error", [ValueError(), KeyError("x"), OSError("bad bytes"), PanicException(), EOFError()])
def test_what_a_library_throws_becomes_a_refusal(error: BaseException) -> None:
    with pytest.raises(RejectedDocumentError, match="damaged"), refusing("PDF"):
        raise error


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(), MemoryError(), GeneratorExit(), OSError(errno.EIO, "disk")]
)
def test_the_machines_own_trouble_is_no_refusal(error: BaseException) -> None:
    with pytest.raises(type(error)), refusing("PDF"):
        raise error


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", b"One.\n\n" * 9_000),
        ("a.md", b"# One\n\nText.\n\n# Two\n\nText.\n"),
        ("a.html", b"<h1>One</h1><p>Text.</p><h1>Two</h1><p>Text.</p>"),
        ("a.csv", b"question,answer\nOne?,Yes.\nTwo?,No.\n"),
        ("a.json", b'[{"question": "One?", "answer": "Yes."}, {"question": "Two?", "answer": "No."}]'),
        ("a.pdf", pdf([paragraph(["One."]), paragraph(["Two."])])),
    ],
)
def test_time_that_runs_out_is_no_fault_of_the_document(name: str, content: bytes) -> None:
    checks = 0

    def check() -> None:
        nonlocal checks
        checks += 1
        raise OutOfTimeError()

    with pytest.raises(OutOfTimeError):
        list(parse(io.BytesIO(content), name, check=check).content)
    assert checks == 1


def test_recursion_is_refused_as_nesting() -> None:
    with pytest.raises(RejectedDocumentError, match="nested too deeply"), refusing("JSON file"):
        raise RecursionError


def test_a_disk_that_fails_while_a_document_is_read_can_be_retried() -> None:
    class FailingFile(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        parse(FailingFile(b"text"), "a.txt")
