"""Answering: who writes, what is said when nobody can, and that nothing dead is ever cited."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from functions.query.answer import ABSTENTION, CONTEXT_CHARACTERS, Answer, Answerer, is_weak
from functions.query.ranking import Hit
from functions.query.retrieval import Retrieval
from shared.domain import Evidence, Filter, QueryLog
from shared.errors import LockstepError, StoreUnavailableError
from shared.ports import AnswerWriter, WrittenAnswer
from shared.testing import FixedWriter
from tests.evidence import evidence
from tests.worlds import World, memory_world


class Writer:
    """Says what it is told to, after doing something."""

    def __init__(self, says: WrittenAnswer | Exception, before: Callable[[], object] = lambda: None) -> None:
        self.calls: list[list[str]] = []
        self._says = says
        self._before = before

    def write(self, question: str, evidence: Sequence[Evidence]) -> WrittenAnswer:
        self.calls.append([item.text for item in evidence])
        self._before()
        if isinstance(self._says, Exception):
            raise self._says
        return self._says


@pytest.fixture
def world() -> World:
    made = memory_world()
    made.put("hours.txt", "The library opens at ten.")
    return made


def ask(world: World, writers: Mapping[str, AnswerWriter], question: str = "The library opens at?") -> Answer:
    retrieval = Retrieval(reading=world.reading, index=world.index, embedders=world.embedders(), graph=world.graph)
    answerer = Answerer(retrieval, world.reading, lambda: writers)
    return answerer.answer(world.refreshed(), question, top_k=5, matching=Filter(), user_id="u", session_id="s")


def log_of(world: World, answer: Answer) -> QueryLog:
    logs: Mapping[object, QueryLog] = world.reading._state.bots[world.bot.bot_id].logs  # type: ignore[attr-defined]
    return logs[answer.query_id]


# Who writes


def test_the_first_writer_that_does_not_fail_is_the_one(world: World) -> None:
    failing, second, third = (
        Writer(StoreUnavailableError()),
        Writer(WrittenAnswer("Ten [1].", (1,))),
        Writer(LockstepError()),
    )
    answer = ask(world, {"llm": failing, "extractive": second, "spare": third})
    assert (answer.text, answer.writer) == ("Ten [1].", "extractive")
    assert (len(failing.calls), len(second.calls), len(third.calls)) == (1, 1, 0)
    ((number, cited),) = answer.citations
    assert (number, cited.text) == (1, "The library opens at ten.")


def test_a_writer_that_abstains_has_the_last_word_and_ours_are_the_words(world: World) -> None:
    spare = Writer(WrittenAnswer("Ten [1].", (1,)))
    answer = ask(world, {"llm": Writer(WrittenAnswer("I'd rather not.", (1,), abstained=True)), "extractive": spare})
    assert (answer.text, answer.abstained, answer.citations, answer.writer) == (ABSTENTION, True, (), "llm")
    assert spare.calls == []


def test_when_nobody_can_write_it_is_an_error_and_not_an_answer(world: World) -> None:
    with pytest.raises(LockstepError, match="No answer could be written") as caught:
        ask(world, {"llm": Writer(StoreUnavailableError()), "extractive": Writer(LockstepError("out of order"))})
    assert str(caught.value.__cause__) == "out of order"


# Weak evidence


def test_nobody_is_asked_to_write_from_nothing(world: World) -> None:
    writer = Writer(WrittenAnswer("Spain.", ()))
    for question in ("Who won the cup in 1998?", "?", "a"):
        answer = ask(world, {"llm": writer}, question)
        assert (answer.text, answer.abstained, answer.citations) == (ABSTENTION, True, ())
        assert log_of(world, answer).abstained
    assert writer.calls == []


def hit(text: str, similarity: float) -> Hit:
    return Hit(evidence(text, question="Lighthouse?"), 0.1, {"combined": similarity, "lexical": 9.0})


@pytest.mark.parametrize(
    ("question", "text", "similarity", "expected"),
    [
        ("harbour tide", "nothing alike", 0.9, False),
        ("harbour tide", "the harbour", 0.1, False),
        ("harbour tide table", "the harbour", 0.1, True),
        ("harbour tide", "nothing alike", 0.1, True),
        ("lighthouse", "nothing alike", 0.1, False),
        ("?", "nothing alike", 0.1, True),
    ],
)
def test_evidence_is_weak_when_neither_meaning_nor_words_agree(
    question: str, text: str, similarity: float, expected: bool
) -> None:
    assert is_weak(question, [hit("beside the point", 0.0), hit(text, similarity)]) is expected


def test_no_evidence_is_weak() -> None:
    assert is_weak("harbour", [])


# What writers are given


def test_the_best_evidence_fits_the_context_and_one_is_always_there(world: World) -> None:
    for number in range(40):
        world.put(f"{number}.txt", f"The library opens at ten. {number} " + "word " * 40)
    writer = Writer(WrittenAnswer("Ten [1].", (1,)))
    answerer_top_k = 20
    retrieval = Retrieval(reading=world.reading, index=world.index, embedders=world.embedders(), graph=world.graph)
    answerer = Answerer(retrieval, world.reading, lambda: {"llm": writer})
    answerer.answer(world.refreshed(), "The library opens at?", top_k=answerer_top_k, matching=Filter())
    assert 1 < len(writer.calls[0]) <= answerer_top_k
    assert sum(map(len, writer.calls[0])) <= CONTEXT_CHARACTERS


# What changes meanwhile


def test_an_answer_from_what_was_replaced_meanwhile_is_written_again(world: World) -> None:
    replaced: list[None] = []

    def replace() -> None:
        if not replaced:
            replaced.append(None)
            world.put("hours.txt", "The library opens at noon.")

    writer = Writer(WrittenAnswer("See [1].", (1,)), before=replace)
    answer = ask(world, {"llm": writer})
    assert writer.calls == [["The library opens at ten."], ["The library opens at noon."]]
    assert [cited.text for _, cited in answer.citations] == ["The library opens at noon."]


def test_what_was_deleted_meanwhile_is_neither_said_nor_cited_nor_logged(world: World) -> None:
    writer = Writer(WrittenAnswer("At ten [1].", (1,)), before=lambda: world.remove("hours.txt"))
    answer = ask(world, {"llm": writer})
    assert (answer.text, answer.abstained, answer.citations) == (ABSTENTION, True, ())
    entry = log_of(world, answer)
    assert (entry.answer, entry.citations, entry.document_ids) == (ABSTENTION, (), ())


def test_what_changes_all_the_time_is_given_up_after_the_second_try(world: World) -> None:
    versions: list[None] = []

    def replace() -> None:
        versions.append(None)
        world.put("hours.txt", f"The library opens at {len(versions)}.")

    writer = Writer(WrittenAnswer("See [1].", (1,)), before=replace)
    answer = ask(world, {"llm": writer})
    assert len(writer.calls) == 2
    assert (answer.text, answer.abstained, answer.citations) == (ABSTENTION, True, ())


# The log


def test_every_answer_is_logged_with_what_it_rests_on(world: World) -> None:
    answer = ask(world, {"fixed": FixedWriter()})
    entry = log_of(world, answer)
    ((_, cited),) = answer.citations
    assert (entry.question, entry.answer, entry.abstained) == ("The library opens at?", answer.text, False)
    assert (entry.user_id, entry.session_id, entry.document_ids) == ("u", "s", (cited.document_id,))
    assert entry.citations[0]["passage_id"] == str(cited.passage_id)
    assert entry.score is not None
