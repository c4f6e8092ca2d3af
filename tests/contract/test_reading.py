"""What a question finds and what it never finds, over twins and real stores alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.domain import Bot, Candidate, Fields, Filter, QueryLog, Votes
from shared.errors import NotFoundError
from shared.ports import VectorIndex
from tests.worlds import World

RECORDS = "\n".join(
    json.dumps(record, ensure_ascii=False)
    for record in (
        {
            "id": "a",
            "question": "How is dialysis done?",
            "answer": "The blood is filtered.",
            "category": "kidney",
            "tags": ["treatment", "50% off"],
            "language": "en",
            "date": "2024-03-01",
            "shelf": {"row": 3},
            "copies": 2,
            "colours": ["red", "blue"],
        },
        {
            "id": "b",
            "question": "How is diabetes treated?",
            "answer": "With insulin or tablets.",
            "category": "hormones",
            "tags": ["treatment"],
            "language": "en",
            "date": "2020-01-01",
            "copies": 2.5,
            "colours": "red",
        },
        {
            "id": "c",
            "question": "Diyaliz nasıl yapılır?",
            "answer": "Kan süzülür.",
            "category": "kidney",
            "tags": [],
            "language": "tr",
        },
    )
)


@pytest.fixture
def library(world: World) -> World:
    world.put("records.jsonl", RECORDS)
    return world


class BusyIndex:
    """An index, and something that happens just after it was asked."""

    def __init__(self, index: VectorIndex, *happenings: Callable[[], None]) -> None:
        self._index, self._happenings = index, list(happenings)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    def search(self, *arguments: Any, **named: Any) -> dict[str, list[Candidate]]:
        found = self._index.search(*arguments, **named)
        if self._happenings:
            self._happenings.pop(0)()
        return found


def found(world: World, matching: Filter, question: str = "How is it treated or done? nasıl") -> set[str | None]:
    return {hit.evidence.pair.external_id for hit in world.search(question, top_k=10, matching=matching).hits}


@pytest.mark.parametrize(
    ("matching", "expected"),
    [
        (Filter(category=("kidney",)), {"a", "c"}),
        (Filter(category=("kidney", "hormones")), {"a", "b", "c"}),
        (Filter(language=("tr",)), {"c"}),
        (Filter(tags=("treatment",)), {"a", "b"}),
        (Filter(tags=("treatment", "50% off")), {"a"}),
        (Filter(tags=("50-off",)), set()),  # like "50% off" in the index, but the catalog has the last word
        (Filter(external_id=("b",)), {"b"}),
        (Filter(published_from=datetime(2022, 1, 1, tzinfo=UTC)), {"a"}),
        (Filter(published_to=datetime(2022, 1, 1, tzinfo=UTC)), {"b"}),
        (Filter(metadata={"copies": 2}), {"a"}),
        (Filter(metadata={"copies": 2.5}), {"b"}),
        (Filter(metadata={"shelf": {"row": 3}}), {"a"}),
        (Filter(metadata={"shelf": {"row": 4}}), set()),
        (Filter(category=("kidney",), language=("tr",)), {"c"}),
        (Filter(category=('" or bot_id != "',)), set()),
        (Filter(author=("'; drop table bots; --",)), set()),
        (Filter(document_id=(uuid4(),)), set()),
        (Filter(metadata={"colours": "red"}), {"a", "b"}),
        (Filter(metadata={"colours": ["blue", "green"]}), {"a"}),
        (Filter(metadata={"colours": ["red"], "copies": [2.5, 7]}), {"b"}),
        (Filter(metadata={"copies": []}), set()),
        (Filter(metadata={"copies": "2"}), set()),
        (Filter(metadata={"nobody": "has it"}), set()),
        (Filter(metadata=dict.fromkeys("klmnopqrst", 1)), set()),
        (Filter(metadata={"copies": list(range(100)), "colours": [*"abcdefgh", "red"], "shelf": {"row": 3}}), {"a"}),
        (Filter(must_not=Fields(category=("kidney",))), {"b"}),
        (Filter(must_not=Fields(category=("hormones", "lungs"), language=("tr",))), {"a"}),
        (Filter(must_not=Fields(author=("nobody",))), {"a", "b", "c"}),
        (Filter(must_not=Fields(tags=("50% off",))), {"b", "c"}),
        (Filter(must_not=Fields(tags=("50-off",))), {"a", "b", "c"}),  # which the index could not tell apart
        (Filter(must_not=Fields(tags=("50% off", "treatment"))), {"c"}),
        (Filter(must_not=Fields(external_id=("a", "c"))), {"b"}),
        (Filter(must_not=Fields(published_from=datetime(2022, 1, 1, tzinfo=UTC))), {"b", "c"}),
        (Filter(must_not=Fields(published_to=datetime(2020, 1, 1, tzinfo=UTC))), {"a", "c"}),
        (Filter(must_not=Fields(published_to=datetime(2019, 12, 31, 23, 59, 59, 999_999, UTC))), {"a", "b", "c"}),
        (Filter(must_not=Fields(published_from=datetime(2020, 1, 1, 0, 0, 0, 1, UTC))), {"b", "c"}),
        (
            Filter(
                must_not=Fields(
                    published_from=datetime(2020, 1, 1, tzinfo=UTC), published_to=datetime(2024, 2, 1, tzinfo=UTC)
                )
            ),
            {"a", "c"},
        ),
        (Filter(must_not=Fields(metadata={"copies": 2, "nobody": 1})), {"b", "c"}),
        (Filter(must_not=Fields(metadata={"colours": ["blue", "green"]})), {"b", "c"}),
        (Filter(must_not=Fields(metadata={"shelf": {"row": 3}})), {"b", "c"}),
        (Filter(must_not=Fields(metadata={"nobody": "has it"})), {"a", "b", "c"}),
        (Filter(must_not=Fields(document_id=(uuid4(),))), {"a", "b", "c"}),
        (Filter(must_not=Fields(category=('" or bot_id != "',), author=("'; drop table bots; --",))), {"a", "b", "c"}),
        (Filter(must_not=Fields()), {"a", "b", "c"}),
        (Filter(category=("kidney",), must_not=Fields(language=("tr",))), {"a"}),
        (Filter(category=("kidney",), must_not=Fields(category=("kidney",))), set()),
        (Filter(should=Fields(category=("nowhere",), metadata={"nobody": 1})), {"a", "b", "c"}),
    ],
)
def test_filters_hold_exactly(library: World, matching: Filter, expected: set[str]) -> None:
    assert found(library, matching) == expected


def test_what_matches_is_listed_and_proposed_by_words_alike(library: World) -> None:
    matching = Filter(metadata={"colours": "red"}, must_not=Fields(metadata={"copies": 2}))
    listed = library.reading.matching_passages(library.bot, matching, 10)
    by_words = library.reading.lexical_search(library.bot, "treated done", limit=10, matching=matching)
    assert len(listed) == 1
    assert [candidate.passage_id for candidate in by_words] == listed


def test_a_filter_on_the_document_finds_its_pairs(library: World) -> None:
    library.put("other.txt", "Dialysis is described elsewhere too.")
    status = library.status("records.jsonl")
    assert status is not None
    assert found(library, Filter(document_id=(status.document_id,))) == {"a", "b", "c"}
    left = found(library, Filter(must_not=Fields(document_id=(status.document_id,))))
    assert left and not left & {"a", "b", "c"}


def test_records_keep_their_own_fields_as_metadata(library: World) -> None:
    (hit, *_) = library.search("dialysis done", matching=Filter(external_id=("a",))).hits
    metadata = hit.evidence.pair.metadata
    assert metadata.extra == {"shelf": {"row": 3}, "copies": 2, "colours": ["red", "blue"]}
    assert metadata.tags == ("treatment", "50% off")
    assert metadata.published_at == datetime(2024, 3, 1, tzinfo=UTC)


def test_turkish_is_found_with_and_without_dots(library: World) -> None:
    assert library.reading.lexical_search(library.bot, "DİYALİZ NASIL", limit=5, matching=Filter())
    assert library.reading.lexical_search(library.bot, "diyaliz nasil", limit=5, matching=Filter())


@pytest.mark.parametrize("question", ["", "!!!", "' | & ! :*", "a:b & (c", "%_\\", "\u0000".strip("\0") or "…"])
def test_a_question_without_words_finds_nothing_by_words(library: World, question: str) -> None:
    found_by_words = library.reading.lexical_search(library.bot, question, limit=5, matching=Filter())
    assert all(candidate.score > 0 for candidate in found_by_words)


def test_what_no_generation_holds_any_more_cannot_be_vouched_for(library: World) -> None:
    ids = [hit.evidence.passage_id for hit in library.search("treated done").hits]
    assert library.reading.vouch(library.bot, ids) == set(ids)
    library.remove("records.jsonl")
    assert library.reading.vouch(library.bot, ids) == set()


def test_stale_candidates_are_dropped_counted_and_searched_again(library: World) -> None:
    for answer in ("By washing.", "By filtering."):
        library.put("records.jsonl", RECORDS.replace("The blood is filtered.", answer))
    result = library.search("How is dialysis done?", top_k=3)
    texts = [hit.evidence.text for hit in result.hits]
    assert "By filtering." in texts
    assert "By washing." not in texts
    assert "The blood is filtered." not in texts
    assert result.dropped == 1  # of the one kept generation


def test_a_short_result_of_a_small_bot_is_complete(library: World) -> None:
    result = library.search("dialysis", top_k=50)
    assert len(result.hits) == 3
    assert result.is_complete


def test_a_log_takes_feedback_and_an_unknown_one_does_not(library: World) -> None:
    entry = QueryLog(uuid4(), "q", "a", False, 12, score=0.5, user_id="u", session_id="s", citations=({"number": 1},))
    assert library.reading.log(library.bot, entry, [])
    library.reading.add_feedback(library.bot, entry.query_id, 1, "good")
    with pytest.raises(NotFoundError):
        library.reading.add_feedback(library.bot, uuid4(), 1, None)
    other = library.register("other")
    with pytest.raises(NotFoundError):
        library.reading.add_feedback(other, entry.query_id, -1, None)


def test_the_votes_on_a_pair_are_those_on_answers_that_cited_it(library: World) -> None:
    liked, mixed, unvoted, unasked = (uuid4() for _ in range(4))

    def answered(feedback: int | None, *cited: UUID, bot: Bot = library.bot) -> UUID:
        citations = tuple({"number": n, "passage_id": str(uuid4()), "qa_id": str(qa)} for n, qa in enumerate(cited, 1))
        entry = QueryLog(uuid4(), "q", "a", False, 12, citations=citations)
        assert library.reading.log(bot, entry, [])
        if feedback is not None:
            library.reading.add_feedback(bot, entry.query_id, feedback, None)
        return entry.query_id

    answered(1, liked, mixed)
    answered(1, liked)
    changed = answered(1, mixed)
    library.reading.add_feedback(library.bot, changed, -1, "not after all")
    answered(0, liked, unvoted)
    answered(None, mixed, unvoted)
    answered(1, unasked, unasked)
    answered(-1, liked, bot=library.register("other"))

    asked = [liked, mixed, unvoted, liked, uuid4()]
    assert library.reading.votes_of(library.bot, asked) == {liked: Votes(2, 0), mixed: Votes(1, 1)}
    assert library.reading.votes_of(library.bot, [unasked]) == {unasked: Votes(1, 0)}
    assert library.reading.votes_of(library.bot, []) == {}
    assert library.reading.forget_logs(library.bot, days=-1, limit=100) == 6
    assert library.reading.votes_of(library.bot, asked) == {}


def test_a_pair_is_found_though_its_generation_went_live_while_the_index_was_asked(library: World) -> None:
    index = library.index

    def update(answer: str) -> Callable[[], None]:
        return lambda: library.put("records.jsonl", RECORDS.replace("The blood is filtered.", answer))

    library.index = BusyIndex(index, update("The blood is cleaned."))
    result = library.search("How is it treated or done? nasıl", top_k=10)
    assert {hit.evidence.text for hit in result.hits} == {
        "The blood is cleaned.",
        "With insulin or tablets.",
        "Kan süzülür.",
    }
    assert result.is_complete

    library.index = BusyIndex(index, update("It is washed."), update("It is rinsed."))
    result = library.search("How is it treated or done? nasıl", top_k=10)
    texts = {hit.evidence.text for hit in result.hits}
    assert texts >= {"With insulin or tablets.", "Kan süzülür."} and not texts & {
        "The blood is cleaned.",
        "It is washed.",
    }
    assert result.is_complete == ("It is rinsed." in texts)


def test_what_a_filter_leaves_out_is_not_taken_for_superseded(library: World) -> None:
    asked: list[int] = []
    library.index = BusyIndex(library.index, *[lambda: asked.append(1)] * 10)
    assert found(library, Filter(metadata={"copies": 2})) == {"a"}
    assert found(library, Filter(document_id=(uuid4(),))) == set()
    assert len(asked) <= 2
