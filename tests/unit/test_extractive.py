"""The embedded answerer: what it says stands word for word in what it cites."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.query.extractive import PASSAGES, QUOTED, ExtractiveWriter
from shared.ports import WrittenAnswer
from shared.testing import HashingEmbedder
from tests.evidence import evidence

WRITER = ExtractiveWriter(HashingEmbedder)
KETTLE = evidence(
    "The kettle is made of copper. It holds two litres of water. The handle is of wood. It was bought in 1953."
)
LAMP = evidence("The lamp burns with paraffin oil. Its wick is trimmed every week.")


def quotes(written: WrittenAnswer) -> list[tuple[str, int]]:
    """The sentences of an answer, each with the number that it cites."""
    return [
        (text.strip(), int(number)) for text, number in re.findall(r"(.*?) \[(\d+)\](?: |$)", written.text, re.DOTALL)
    ]


def test_it_quotes_the_sentence_that_is_nearest() -> None:
    written = WRITER.write("litres of water holds", [LAMP, KETTLE])
    assert ("It holds two litres of water.", 2) in quotes(written)
    assert all("lamp" not in text for text, _ in quotes(written))
    assert written.cited == (2,)


def test_sentences_of_a_passage_keep_their_order() -> None:
    written = WRITER.write("kettle copper handle wood 1953 bought", [KETTLE])
    said = [KETTLE.text.index(text) for text, _ in quotes(written)]
    assert len(said) > 1
    assert said == sorted(said)


def test_a_question_that_was_asked_before_is_answered_from_the_first_sentence_on() -> None:
    text = (
        "First of all, take a deep breath. After that, count to ten slowly. Then leave the house. Never mind the cat."
    )
    known = evidence(text, question="Panic › What should I do?")
    written = WRITER.write("what should I do", [known, LAMP])
    assert written.text.startswith("First of all, take a deep breath. [1]")
    assert len(quotes(written)) == QUOTED


def test_without_a_sentence_it_abstains() -> None:
    for nothing in ([], [evidence("")], [evidence(" \n ")]):
        assert WRITER.write("What is it?", nothing) == WrittenAnswer("", (), abstained=True)


@pytest.mark.parametrize("question", ["Is it open?", "", "something else altogether"])
def test_a_passage_of_short_pieces_is_quoted_however_far_it_is_from_the_question(question: str) -> None:
    assert quotes(WRITER.write(question, [evidence("Yes.")])) == [("Yes.", 1)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("물은 백 도에서 끓습니다. 얼음은 영 도에서 녹습니다.", "물은 백 도에서 끓습니다."),
        ("水は百度で沸騰します。氷は零度で溶けます。", "水は百度で沸騰します。"),
        ("Su yüz derecede kaynar! Buz sıfır derecede erir!", "Su yüz derecede kaynar!"),
        ("Water boils at a hundred\nIce melts at zero degrees", "Water boils at a hundred"),
    ],
)
def test_sentences_end_where_they_end_in_their_language(text: str, sentence: str) -> None:
    assert sentence in [quoted for quoted, _ in quotes(WRITER.write(sentence.rstrip(".!。"), [evidence(text)]))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The tide turns at six in the evening [3].", ["The tide turns at six in the evening"]),
        ("Old tables [2, 4] give the time of the tide.", ["Old tables", "give the time of the tide."]),
        ("The tide turns at six in the evening. [12–14]", ["The tide turns at six in the evening."]),
    ],
)
def test_a_reference_of_the_text_does_not_pass_for_a_citation(text: str, expected: list[str]) -> None:
    written = WRITER.write("When does the tide turn?", [evidence(text)])
    assert {quoted for quoted, number in quotes(written) if number == 1} <= set(expected)
    assert set(re.findall(r"\[[^]]*\]", written.text)) == {"[1]"}


def test_a_sentence_that_two_passages_have_is_quoted_once() -> None:
    first, second = (
        evidence("The tide turns at six every day."),
        evidence("The tide turns at six, every day! Ships wait."),
    )
    written = WRITER.write("When does the tide turn?", [first, second])
    assert written.text.lower().count("turns at six") == 1


def test_a_sentence_does_not_end_behind_an_abbreviation() -> None:
    text = "Dr. Ayşe Yılmaz heads the clinic for children. It opens at 9.30 a.m. on weekdays, no. 4 is the door."
    assert ("Dr. Ayşe Yılmaz heads the clinic for children.", 1) in quotes(
        WRITER.write("Who heads it?", [evidence(text)])
    )


def test_what_is_quoted_is_told_apart() -> None:
    written = WRITER.write("litres of water holds kettle lamp oil", [LAMP, KETTLE])
    assert [(text, number) for number, text in written.quoted] == quotes(written)


WORDS = st.lists(
    st.sampled_from(["tide", "harbour", "is", "early.", "late!", "[9]", "\n", "물", "x" * 30]), max_size=30
)


@settings(deadline=None)
@given(passages=st.lists(WORDS.map(" ".join), min_size=1, max_size=7), question=WORDS.map(" ".join))
def test_whatever_the_evidence_every_quotation_is_in_what_it_cites(passages: list[str], question: str) -> None:
    given_evidence = [evidence(text) for text in passages]
    written = WRITER.write(question, given_evidence)
    assert written.abstained is (written.text == "")
    assert len(set(written.cited)) == len(written.cited)
    assert all(1 <= number <= min(PASSAGES, len(passages)) for number in written.cited)
    left = written.text
    for number in written.cited:
        left = left.replace(f" [{number}]", "\x00")
    for piece in filter(None, (part.strip() for part in left.split("\x00"))):
        assert any(piece in item.text for item in given_evidence)
