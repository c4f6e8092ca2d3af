"""What changes an order after fusion: each signal alone, together, and variety."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.query.ranking import Hit, Part
from functions.query.reranking import (
    ADJUSTMENTS,
    PRIOR_VOTES,
    RERANKER_WEIGHT,
    SHARES,
    Adjustment,
    adjust,
    by_cross_encoder,
    feedback_signals,
    mmr,
    read_again,
    recencies,
    should_shares,
)
from functions.query.routes.questions import _hit_out
from shared.domain import Fields, Metadata, Votes
from shared.errors import StoreUnavailableError
from shared.testing import OverlapReranker
from tests.evidence import evidence

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = ["harbour", "tide", "soup", "lentil", "table", "wind"]


def hit(score: float, text: str = "Something.", *, qa_id: str | None = None, metadata: Metadata | None = None) -> Hit:
    found = evidence(text, qa_id=qa_id)
    found = replace(found, pair=replace(found.pair, metadata=metadata or Metadata()))
    return Hit(found, score, {"lexical": Part(3.0, 1, score)})


def texts(hits: Sequence[Hit]) -> list[str]:
    return [one.evidence.text for one in hits]


def ids(hits: Sequence[Hit]) -> list[UUID]:
    return [one.evidence.passage_id for one in hits]


SCORES = st.floats(1e-4, 0.1)
HITS = st.lists(
    st.tuples(SCORES, st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)), min_size=1, max_size=8
).map(lambda made: [hit(score, text) for score, text in sorted(made, key=lambda one: -one[0])])
SIGNALS = st.lists(st.floats(-1, 1), min_size=8, max_size=8)


def assert_sound(hits: Sequence[Hit]) -> None:
    """Scores go down the list, and each is the sum of what its parts added."""
    for one in hits:
        assert sum(part.added for part in one.parts.values()) == pytest.approx(one.score, abs=1e-12)
        assert all(part.rank >= 1 for part in one.parts.values())
    for before, after in pairwise(hits):
        assert before.score >= after.score - 1e-12


def test_an_explanation_has_every_part() -> None:
    hits = by_cross_encoder([hit(0.03, "The wind."), hit(0.02, "The tide.")], [0.5, -0.5])
    hits = adjust(hits, {name: [1.0, -0.5] for name in SHARES})
    for rank, one in enumerate(mmr(hits, 2, 0.3), start=1):
        told = _hit_out(rank, one, is_explained=True).parts
        assert told is not None
        assert {part.signal for part in told} == {"lexical", *ADJUSTMENTS}
        assert sum(part.added for part in told) == pytest.approx(one.score)


# The cross-encoder


def test_a_passage_that_was_read_and_answers_comes_first() -> None:
    hits = [
        hit(2 / 61, "Lentil soup."),
        hit(2 / 62, "Wind."),
        hit(2 / 63, "When the harbour is open."),
        hit(2 / 64, "x"),
    ]
    reranker = OverlapReranker()
    first, *others = read_again("When is the harbour open?", hits, reranker, 3)
    assert first.evidence.text == "When the harbour is open."
    assert first.parts["reranker"] == pytest.approx(Part(1.0, 1, RERANKER_WEIGHT))
    assert_sound([first, *others])
    assert others[-1].evidence.text == "x" and "reranker" not in others[-1].parts
    ((question, passages),) = reranker.read
    assert question == "When is the harbour open?"
    assert passages == tuple(f"What is it?\n{text}" for text in texts(hits[:3]))


def test_a_reranker_that_fails_leaves_the_order_as_it_was() -> None:
    class Late(OverlapReranker):
        def score(self, question: str, passages: Sequence[str]) -> list[float]:
            raise StoreUnavailableError("too late")

    hits = [hit(0.03), hit(0.02)]
    assert read_again("What?", hits, Late(), 2) == hits
    assert read_again("What?", [], OverlapReranker(), 2) == []


@settings(deadline=None)
@given(hits=HITS, scores=SIGNALS, limit=st.integers(0, 8))
def test_what_was_read_stays_before_what_was_not(hits: list[Hit], scores: list[float], limit: int) -> None:
    limit = min(limit, len(hits))
    reranked = by_cross_encoder(hits, scores[:limit])
    assert_sound(reranked)
    assert set(ids(reranked[:limit])) == set(ids(hits[:limit]))
    assert ids(reranked[limit:]) == ids(hits[limit:])


@given(hits=HITS, score=st.floats(-1, 1))
def test_equal_scores_of_a_cross_encoder_change_no_order(hits: list[Hit], score: float) -> None:
    assert ids(by_cross_encoder(hits, [score] * len(hits))) == ids(hits)


# Preference, recency, votes


def test_the_signals_have_their_weight_and_say_so() -> None:
    (found,) = adjust([hit(0.02)], {"should": [0.5], "feedback": [-1.0], "recency": [0.0]})
    assert {name: part.added for name, part in found.parts.items()} == pytest.approx(
        {"lexical": 0.02, "should": 0.005, "feedback": -0.002}
    )
    assert {name: part.score for name, part in found.parts.items()} == {"lexical": 3.0, "should": 0.5, "feedback": -1.0}
    assert found.score == pytest.approx(0.023)
    assert set(SHARES) < set(ADJUSTMENTS)


def test_of_equals_the_preferred_comes_first_and_nothing_is_left_out() -> None:
    should = Fields(category=("kidney",), tags=("basics",))
    none, half, all_ = (Metadata(), Metadata(category="kidney"), Metadata(category="kidney", tags=("basics",)))
    hits = [hit(0.02, text, metadata=m) for text, m in (("none", none), ("half", half), ("all", all_))]
    assert should_shares(hits, should) == [0, 0.5, 1]
    assert texts(adjust(hits, {"should": should_shares(hits, should)})) == ["all", "half", "none"]
    assert adjust(hits, {"should": should_shares(hits, None)}) == hits


def test_recency_halves_with_each_half_life_and_an_unknown_date_has_none() -> None:
    days = (0, 30, 60, -10)
    hits = [hit(0.02, metadata=Metadata(published_at=NOW - timedelta(days=age))) for age in days] + [hit(0.02)]
    assert recencies(hits, NOW, 30) == pytest.approx([1, 0.5, 0.25, 1, 0])
    for off in (0, 0.0, -1):
        assert recencies(hits, NOW, off) == [0.0] * 5


def test_recency_takes_any_date_and_any_half_life() -> None:
    dates = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    hits = [hit(0.02, metadata=Metadata(published_at=date)) for date in dates]
    assert recencies(hits, NOW, 1e-9) == [0.0, 1.0]
    assert recencies(hits, NOW, 36_500) == pytest.approx([0.5 ** ((NOW - dates[0]).days / 36_500), 1.0])


def test_votes_count_the_more_the_more_there_are() -> None:
    hits = [hit(0.02, qa_id=name) for name in ("none", "one", "many", "mixed", "bad")]
    pairs = [one.evidence.pair.qa_id for one in hits]
    votes = dict(zip(pairs[1:], (Votes(1, 0), Votes(20, 0), Votes(5, 5), Votes(0, 20)), strict=True))
    none, one, many, mixed, bad = feedback_signals(hits, votes)
    assert none == mixed == 0
    assert 0 < one == 1 / (1 + 2 * PRIOR_VOTES) < many < 1
    assert bad == -many


@given(up=st.integers(0, 100), down=st.integers(0, 100))
def test_a_vote_more_never_says_the_opposite(up: int, down: int) -> None:
    found = hit(0.02)
    qa_id = found.evidence.pair.qa_id

    def signal(votes: Votes) -> float:
        return feedback_signals([found], {qa_id: votes})[0]

    assert signal(Votes(up, down + 1)) < signal(Votes(up, down)) < signal(Votes(up + 1, down))


@settings(deadline=None)
@given(hits=HITS, signals=st.dictionaries(st.sampled_from(sorted(SHARES)), SIGNALS))
def test_scores_stay_sums_whatever_the_signals_and_their_order(
    hits: list[Hit], signals: dict[Adjustment, list[float]]
) -> None:
    cut = {name: values[: len(hits)] for name, values in signals.items()}
    adjusted = adjust(hits, cut)
    assert_sound(adjusted)
    assert set(ids(adjusted)) == set(ids(hits))
    other = adjust(hits, dict(reversed(cut.items())))
    assert {one.evidence.passage_id: pytest.approx(one.score) for one in adjusted} == {
        one.evidence.passage_id: one.score for one in other
    }


@settings(deadline=None)
@given(hits=HITS, name=st.sampled_from(sorted(SHARES)), value=st.sampled_from([0.0, 0.3, 1.0, -0.7]))
def test_a_signal_that_is_equal_for_all_changes_no_order(hits: list[Hit], name: Adjustment, value: float) -> None:
    adjusted = adjust(hits, {name: [value] * len(hits)})
    assert ids(adjusted) == ids(hits)
    if not value:
        assert adjusted == hits


@settings(deadline=None)
@given(hits=HITS, name=st.sampled_from(sorted(SHARES)), values=SIGNALS, place=st.integers(0, 7), more=st.floats(0, 2))
def test_a_higher_signal_never_lowers_a_hit(
    hits: list[Hit], name: Adjustment, values: list[float], place: int, more: float
) -> None:
    place %= len(hits)
    values = values[: len(hits)]
    higher = [min(1.0, value + more) if n == place else value for n, value in enumerate(values)]
    wanted = hits[place].evidence.passage_id
    before, after = (ids(adjust(hits, {name: chosen})).index(wanted) for chosen in (values, higher))
    assert after <= before


# Variety


TIDES = ["The tide table of the harbour.", "Of the harbour, the tide table!", "A recipe of lentil soup.", "The wind."]


def test_what_was_said_already_comes_later() -> None:
    hits = [hit(0.030 - n / 1000, text) for n, text in enumerate(TIDES)]
    assert texts(mmr(hits, 4, 0.0)) == TIDES
    varied = mmr(hits, 4, 0.5)
    assert texts(varied) == [TIDES[0], TIDES[2], TIDES[3], TIDES[1]]
    assert varied[-1].parts["diversity"].score == pytest.approx(1.0)
    assert varied[0].parts["diversity"].score == 0
    assert_sound(varied)


def test_what_all_are_about_makes_none_alike() -> None:
    subject = "About the kidney and the kidney alone:"
    hits = [hit(0.03, f"{subject} {word}") for word in ("stones", "stones", "dialysis", "transplants")]
    second = mmr(hits, 2, 0.5)[1]
    assert second.evidence.text.endswith("dialysis")
    assert second.parts["diversity"].score < 0.2


@settings(deadline=None)
@given(hits=HITS, top_k=st.integers(1, 10), diversity=st.floats(0, 1))
def test_a_varied_list_begins_with_the_best_and_repeats_nothing(hits: list[Hit], top_k: int, diversity: float) -> None:
    varied = mmr(hits, top_k, diversity)
    assert len(varied) == min(top_k, len(hits)) == len(set(ids(varied)))
    assert varied[0].evidence == hits[0].evidence
    assert_sound(varied)
    assert mmr(hits, top_k, diversity) == varied


@settings(deadline=None)
@given(hits=HITS, top_k=st.integers(1, 10))
def test_without_diversity_the_best_stay_as_they_are(hits: list[Hit], top_k: int) -> None:
    assert mmr(hits, top_k, 0.0) == hits[:top_k]


def test_nothing_is_varied_to_nothing() -> None:
    assert mmr([], 5, 0.7) == []
    assert texts(mmr([hit(0.03, ""), hit(0.02, "")], 5, 1.0)) == ["", ""]
