"""Answering: who writes, what is said when nobody can, and that nothing dead is ever cited."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from math import inf

import pytest

from functions.query.answer import ABSTENTION, NEIGHBOURS, Answer, Answerer
from functions.query.retrieval import Retrieval
from shared.domain import Evidence, Filter, QueryLog
from shared.errors import LockstepError, StoreUnavailableError
from shared.ports import AnswerWriter, WrittenAnswer
from shared.testing import FixedWriter
from tests.worlds import World, memory_world


class Writer:
    """Says what it is told to, after doing something."""

    def __init__(self, says: WrittenAnswer | Exception, before: Callable[[], object] = lambda: None) -> None:
        self.calls: list[list[str]] = []
        self.seconds_left: list[float] = []
        self._says = says
        self._before = before

    def write(self, question: str, evidence: Sequence[Evidence], *, seconds_left: float = inf) -> WrittenAnswer:
        self.calls.append([item.text for item in evidence])
        self.seconds_left.append(seconds_left)
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


def test_one_deadline_holds_for_all_that_is_written(world: World) -> None:
    """What was spent on an answer that could not be used is missing for the next."""
    clock = iter(range(0, 1_000, 6))  # each look at it is six seconds later
    versions: list[None] = []

    def replace() -> None:
        versions.append(None)
        world.put("hours.txt", f"The library opens at {len(versions)}.")

    slow, quick = Writer(StoreUnavailableError()), Writer(WrittenAnswer("See [1].", (1,)), before=replace)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("functions.query.answer.monotonic", lambda: float(next(clock)))
        answerer = Answerer(world.retrieval(), world.reading, lambda: {"llm": slow, "extractive": quick}, 20.0)
        answerer.answer(world.refreshed(), "The library opens at?", top_k=5, matching=Filter())
    times = [*slow.seconds_left, *quick.seconds_left]
    assert len(times) == 4 and len(set(times)) == 4 and max(times) < 20
    assert min(times) < 0 < slow.seconds_left[0]


# When there is nothing to write from


def test_nobody_is_asked_to_write_from_nothing(world: World) -> None:
    writer = Writer(WrittenAnswer("Spain.", ()))
    for question in ("Who won the cup in 1998?", "?", "a"):
        answer = ask(world, {"llm": writer}, question)
        assert (answer.text, answer.abstained, answer.citations) == (ABSTENTION, True, ())
        assert log_of(world, answer).abstained
    assert writer.calls == []


# What writers are given


def contexts(world: World, question: str, top_k: int) -> list[str]:
    """What a writer is given."""
    writer = Writer(WrittenAnswer("Ten [1].", (1,)))
    answerer = Answerer(world.retrieval(), world.reading, lambda: {"llm": writer})
    answerer.answer(world.refreshed(), question, top_k=top_k, matching=Filter())
    return writer.calls[0]


def test_nothing_is_said_twice(world: World) -> None:
    pair = {"question": "When does the library open?", "answer": "Every day at ten, but never on a Monday."}
    for number in range(3):
        world.put(f"copy{number}.jsonl", json.dumps(pair | {"id": number}))
    given = contexts(world, "When does the library open?", 5)
    assert given.count("Every day at ten, but never on a Monday.") == 1
    assert len(given) == 2


PEOPLE = [
    {"id": "ada", "title": "Ada Lovelace", "text": "She was the daughter of Lord Byron."},
    {"id": "byron", "title": "Lord Byron", "text": "He died in Missolonghi."},
    {"id": "town", "title": "Missolonghi", "text": "A town by a lagoon."},
]


def test_what_the_graph_leads_to_comes_behind_the_hits_and_is_bounded(world: World) -> None:
    friends = [{"id": f"f{n}", "title": f"Friend {n}", "text": f"Knew Lord Byron, as number {n}."} for n in range(9)]
    world.put("people.jsonl", "\n".join(json.dumps(record) for record in [*PEOPLE, *friends]))
    world.sync()
    first, *others = contexts(world, "Who was Ada Lovelace the daughter of?", 1)
    assert first == "She was the daughter of Lord Byron."
    assert "He died in Missolonghi." in others
    assert len(others) <= NEIGHBOURS


def test_a_neighbour_that_was_deleted_meanwhile_is_in_no_answer(world: World) -> None:
    for record in PEOPLE:
        world.put(f"{record['id']}.jsonl", json.dumps(record))
    world.sync()
    deleted: list[None] = []

    def delete() -> None:
        if not deleted:
            deleted.append(None)
            world.remove("byron.jsonl")

    writer = Writer(WrittenAnswer("Of Lord Byron [1].", (1,)), before=delete)
    answerer = Answerer(world.retrieval(), world.reading, lambda: {"llm": writer})
    answer = answerer.answer(world.refreshed(), "Who was Ada Lovelace the daughter of?", top_k=1, matching=Filter())
    assert "He died in Missolonghi." in writer.calls[0]  # cited or not, it was read
    assert len(writer.calls) == 2
    assert "He died in Missolonghi." not in writer.calls[1]
    assert not answer.abstained


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
