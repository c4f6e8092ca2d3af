"""Readers among writers: what changes between two steps of a search or an answer is never mixed, said or hidden."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any
from uuid import UUID

import pytest

from functions.query import retrieval
from functions.query.answer import ABSTENTION, Answer, Answerer
from functions.query.retrieval import Retrieval, SearchResult
from shared.domain import Bot, Candidate, Collection, Evidence, Filter, QueryLog
from shared.ports import AnswerWriter, ReadingCatalog, VectorIndex, WrittenAnswer
from shared.testing import FixedWriter
from tests.worlds import World

QUESTION = "What does a ticket cost?"


def priced(*prices: str) -> str:
    rows = "".join(f"p{n},What does ticket {n} cost?,{price} euros.\n" for n, price in enumerate(prices))
    return f"id,question,answer\n{rows}"


@dataclass
class Interrupted:
    """A port between two calls of which something happens: `after[method]` once each, in order."""

    port: Any
    after: dict[str, list[Callable[[], None]]]

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.port, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            if waiting := self.after.get(name):
                waiting.pop(0)()
            return result

        return call if callable(method) else method


def index_of(world: World, *after_search: Callable[[], None]) -> VectorIndex:
    interrupted: VectorIndex = Interrupted(world.index, {"search": list(after_search)})
    return interrupted


def search(world: World, index: VectorIndex, *, top_k: int = 5) -> SearchResult:
    found = Retrieval(reading=world.reading, index=index, embedders=world.embedders(), graph=world.graph)
    return found.search(world.refreshed(), QUESTION, top_k=top_k, matching=Filter())


def texts(result: SearchResult) -> set[str]:
    return {hit.evidence.text for hit in result.hits}


# Between the index and the verdict


def test_a_generation_that_goes_live_after_the_index_was_asked_is_searched_again(world: World) -> None:
    world.put("faq.csv", priced("One", "Two"))
    result = search(world, index_of(world, lambda: world.put("faq.csv", priced("Three", "Four"))))
    assert texts(result) == {"Three euros.", "Four euros."}
    assert result.is_complete


def test_a_document_that_changes_in_part_is_never_mixed(world: World) -> None:
    world.put("faq.csv", priced("One", "Two"))
    result = search(world, index_of(world, lambda: world.put("faq.csv", priced("One", "Four"))))
    assert "Two euros." not in texts(result)
    assert {hit.evidence.generation for hit in result.hits} == {2}


def test_a_document_that_keeps_changing_makes_the_result_incomplete_and_is_never_mixed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Words are searched beside the index: in time for a change they would find it, and it would answer.
    monkeypatch.setattr(world.reading, "lexical_search", lambda *_, **__: [])
    world.put("faq.csv", priced("One", "Two"))
    world.put("other.csv", priced("Nine"))
    change = [lambda n=n: world.put("faq.csv", priced(f"{n}", f"{n}{n}")) for n in (3, 4, 5)]
    result = search(world, index_of(world, *change))
    assert texts(result) == {"Nine euros."}
    assert not result.is_complete


def test_what_is_deleted_after_the_index_was_asked_is_dropped_and_counted(world: World) -> None:
    world.put("faq.csv", priced("One", "Two"))
    world.put("other.csv", priced("Nine"))
    result = search(world, index_of(world, lambda: world.remove("faq.csv")))
    assert texts(result) == {"Nine euros."}
    assert (result.dropped, result.is_complete) == (2, True)


def test_a_correction_that_goes_live_after_the_index_was_asked_answers_alone(world: World) -> None:
    world.put("faq.csv", priced("One"))
    (hit,) = world.search(QUESTION).hits
    own = world.documents.own_pair(world.bot, hit.evidence.pair.qa_id)
    assert own is not None
    correction = json.dumps({"base": own.content_hash, "answer": "Two euros."})
    name = f".corrections/{own.pair.qa_id}.json"
    result = search(world, index_of(world, lambda: world.put(name, correction)))
    assert texts(result) == {"Two euros."}
    assert texts(search(world, world.index)) == {"Two euros."}
    result = search(world, index_of(world, lambda: world.remove(name)))
    assert texts(result) == {"One euros."}


def test_a_bot_that_is_deleted_after_the_index_was_asked_answers_nothing(world: World) -> None:
    world.put("faq.csv", priced("One"))
    bot = world.refreshed()

    def delete() -> None:
        world.registry.delete_bot(bot.slug)

    index = index_of(world, delete)
    found = Retrieval(reading=world.reading, index=index, embedders=world.embedders(), graph=world.graph)
    assert found.search(bot, QUESTION, top_k=5, matching=Filter()).hits == []


# Until `top_k` is filled


def test_more_is_fetched_until_there_is_enough(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "FIRST_LIMIT", 2)
    monkeypatch.setattr(retrieval, "CANDIDATES_PER_HIT", 1)
    monkeypatch.setattr(world.reading, "lexical_search", lambda *_, **__: [])
    world.put("faq.csv", priced(*(f"Price {n}" for n in range(12))))
    bury(world, nearer=20)
    limits: list[int] = []
    result = search(world, Asked(world.index, limits), top_k=4)  # type: ignore[arg-type]
    assert len(result.hits) == 4 and result.is_complete
    assert all(text.startswith("Price") for text in texts(result))
    assert limits[0] < 20 < limits[-1]


def test_a_result_that_could_not_be_filled_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("FIRST_LIMIT", 2), ("CANDIDATES_PER_HIT", 1), ("MAX_ROUNDS", 1)):
        monkeypatch.setattr(retrieval, name, value)
    world.put("faq.csv", priced(*(f"Price {n}" for n in range(4))))
    monkeypatch.setattr(world.reading, "lexical_search", lambda *_, **__: [])
    bury(world, nearer=6)
    result = search(world, world.index, top_k=4)
    assert len(result.hits) < 4
    assert not result.is_complete
    assert result.dropped > 0


def bury(world: World, *, nearer: int) -> None:
    """A deleted document whose rows, nearest to the question, are in the index until they are swept."""
    rows = "".join(f"g{n},{QUESTION},{QUESTION}\n" for n in range(nearer))
    world.put("gone.csv", f"id,question,answer\n{rows}")
    world.objects.delete(world.key("gone.csv"))
    world.look("gone.csv")


@dataclass
class Asked:
    """Remembers how many candidates were asked for."""

    index: VectorIndex
    limits: list[int]

    def search(
        self, collection: Collection, bot_id: UUID, vector: Any, *, limit: int, **more: Any
    ) -> dict[str, list[Candidate]]:
        self.limits.append(limit)
        return self.index.search(collection, bot_id, vector, limit=limit, **more)


# Between the verdict and the last word


@dataclass
class SlowWriter:
    """An LLM during which something happens, each time the next."""

    meanwhile: list[Callable[[], None]]

    def write(self, question: str, evidence: Sequence[Evidence], *, seconds_left: float = inf) -> WrittenAnswer:
        written = FixedWriter().write(question, evidence)
        if self.meanwhile:
            self.meanwhile.pop(0)()
        return written


@dataclass
class RememberingReading:
    """Remembers which entries were kept."""

    reading: ReadingCatalog
    kept: list[QueryLog]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.reading, name)

    def log(self, bot: Bot, entry: QueryLog, passage_ids: Sequence[UUID]) -> bool:
        is_kept = self.reading.log(bot, entry, passage_ids)
        self.kept += [entry] if is_kept else []
        return is_kept


def ask(world: World, *meanwhile: Callable[[], None]) -> tuple[Answer, list[QueryLog]]:
    reading = RememberingReading(world.reading, [])
    found = Retrieval(reading=world.reading, index=world.index, embedders=world.embedders(), graph=world.graph)
    writers: dict[str, AnswerWriter] = {"slow": SlowWriter(list(meanwhile))}
    answerer = Answerer(found, reading, lambda: writers)
    return answerer.answer(world.refreshed(), QUESTION, top_k=3, matching=Filter()), reading.kept


def test_what_changes_while_the_answer_is_written_is_asked_again(world: World) -> None:
    world.put("faq.csv", priced("One"))
    answer, logged = ask(world, lambda: world.put("faq.csv", priced("Two")))
    assert answer.text == "Two euros. [1]"
    assert [entry.answer for entry in logged] == ["Two euros. [1]"]


def test_what_is_deleted_while_the_answer_is_written_is_neither_said_nor_logged(world: World) -> None:
    world.put("faq.csv", priced("One"))
    answer, logged = ask(world, lambda: world.remove("faq.csv"))
    assert (answer.text, answer.citations) == (ABSTENTION, ())
    assert [entry.answer for entry in logged] == [ABSTENTION]


def test_what_changes_each_time_ends_in_an_abstention(world: World) -> None:
    world.put("faq.csv", priced("One"))
    change = [lambda n=n: world.put("faq.csv", priced(f"{n}")) for n in (2, 3)]
    answer, logged = ask(world, *change)
    assert (answer.text, answer.abstained) == (ABSTENTION, True)
    assert [(entry.answer, entry.document_ids) for entry in logged] == [(ABSTENTION, ())]


def test_a_change_of_what_the_answer_does_not_rest_on_does_not_disturb_it(world: World) -> None:
    world.put("faq.csv", priced("One"))
    answer, _ = ask(world, lambda: world.put("other.csv", "id,question,answer\nx,Who reads?,Everybody.\n"))
    assert answer.text == "One euros. [1]"
