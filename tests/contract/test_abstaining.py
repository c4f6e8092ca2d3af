"""Weak evidence: what a knowledge base does not speak of is told from what it says in other words."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from functions.query.abstaining import coverage, is_weak, strength
from functions.query.ranking import Hit
from functions.query.retrieval import SearchResult
from shared.domain import Evidence
from tests.evidence import evidence
from tests.worlds import World

COMMON = {"symptom", "treatment", "diseas"}


def rarity(asked: Sequence[Sequence[str]]) -> list[float]:
    return [1.0 if COMMON & set(forms) else 6.0 for forms in asked]


def covered(question: str, *texts: str) -> float:
    return coverage(question, [evidence(text, question="…") for text in texts], lambda asked: rarity(list(asked)))


def found(question: str, text: str, similarity: float, trust: float = 1.0) -> SearchResult:
    hit = Hit(evidence(text, question="…"), 1.0, {"combined": similarity, "lexical": 40.0, "graph": 0.9})
    return SearchResult([hit], True, 0, searched_for=question, trust=trust)


def is_weak_by(question: str, text: str, similarity: float, trust: float = 1.0) -> bool:
    return is_weak(found(question, text, similarity, trust), lambda asked: rarity(list(asked)))


# What is covered


def test_words_count_by_their_rarity() -> None:
    question = "What are the symptoms of Gaucher disease?"
    assert covered(question, "Symptoms of Gaucher disease are many.") == 1.0
    assert covered(question, "Gaucher, in short.") == pytest.approx(6 / 8)
    assert covered(question, "Symptoms of Fabry disease are many.") == pytest.approx(2 / 8)
    assert covered(question, "Nothing alike.") == 0.0


def test_one_passage_must_hold_them_and_the_best_one_counts() -> None:
    question = "What are the symptoms of Gaucher disease?"
    assert covered(question, "Symptoms of a disease.", "Gaucher.", "Nothing.") == pytest.approx(6 / 8)


def test_a_pairs_question_and_its_other_names_count_as_its_text_does() -> None:
    one = evidence("It is rare.", question="Gaucher disease")
    assert coverage("Symptoms of Gaucher disease", [one], lambda asked: rarity(list(asked))) == pytest.approx(7 / 8)


@pytest.mark.parametrize("question", ["", "?", "…!"])
def test_of_a_question_without_words_nothing_is_covered(question: str) -> None:
    assert covered(question, "Symptoms of Gaucher disease are many.") == 0.0


def test_a_word_with_another_ending_counts_as_much_as_words_that_begin_so() -> None:
    def by_length(asked: Sequence[Sequence[str]]) -> list[float]:
        return [3.0 if all(form.endswith("~") and len(form) == 5 for form in forms) else 6.0 for forms in asked]

    def of(text: str) -> float:
        return coverage("Kalesinden nerede?", [evidence(text, question="")], lambda asked: by_length(list(asked)))

    assert of("Ankara kalesinde bir müze ve bir çay bahçesi var.") == of("kalesinden") == 1.0
    assert of("Ankara kalelerinde bir müze ve bir çay bahçesi var.") == pytest.approx(0.5)


# What is weak


def test_without_hits_evidence_is_weak() -> None:
    nothing = SearchResult([], True, 0, searched_for="Gaucher disease")
    assert is_weak(nothing, lambda asked: rarity(list(asked)))
    assert strength(nothing, lambda asked: rarity(list(asked))) == 0.0


def test_the_symptoms_of_what_is_not_there_are_weak_evidence_however_near_their_vectors_are() -> None:
    question = "What are the symptoms of Gaucher disease?"
    assert is_weak_by(question, "The symptoms of Fabry disease are pain and fever.", 0.75)
    assert not is_weak_by(question, "The symptoms of Gaucher disease are pain and fever.", 0.75)


def test_what_is_said_in_other_words_is_not_weak() -> None:
    assert not is_weak_by("Why is my tummy aching after every meal?", "Abdominal pain has these causes.", 0.95)


def test_an_embedder_that_does_not_know_the_language_has_no_say() -> None:
    question, text = "Kanser tedavisi nasıl yapılır?", "Museums open at ten."
    assert is_weak_by(question, text, 0.95, trust=0.2)
    assert not is_weak_by(question, "Kanser tedavisi böyle yapılır.", 0.1, trust=0.2)


# In a catalog


DISEASES = ["Fabry", "Pompe", "Tangier", "Wolman", "Krabbe", "Canavan", "Sandhoff", "Refsum", "Alpers", "Batten"]


@pytest.fixture
def clinic(world: World) -> World:
    world.put(
        "diseases.jsonl",
        "\n".join(
            json.dumps(
                {
                    "id": f"{name}-{what}",
                    "question": f"What are the {what} of {name} disease?",
                    "answer": "See a doctor.",
                }
            )
            for name in DISEASES
            for what in ("symptoms", "causes", "treatments")
        ),
    )
    return world


def of_catalog(world: World, question: str) -> float:
    bot = world.refreshed()
    hits: list[Evidence] = [hit.evidence for hit in world.search(question).hits]
    return coverage(question, hits, lambda asked: world.reading.rarity(bot, asked))


def test_a_name_that_nothing_holds_weighs_more_than_words_that_all_hold(clinic: World) -> None:
    assert of_catalog(clinic, "What are the symptoms of Fabry disease?") == 1.0
    assert of_catalog(clinic, "What are the symptoms of Gaucher disease?") < 0.5


def test_rarity_is_of_a_bots_own_passages(clinic: World) -> None:
    bot, other = clinic.refreshed(), clinic.register("other")
    asked = [("diseas",), ("fabri",), ("gaucher", "gauche~"), ("fabri", "pomp")]
    everywhere, rare, nowhere, either = clinic.reading.rarity(bot, asked)
    assert 0 <= everywhere < either < rare < nowhere
    assert len(set(clinic.reading.rarity(other, asked))) == 1
    assert clinic.reading.rarity(bot, []) == []
