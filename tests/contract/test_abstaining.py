"""Weak evidence: what a knowledge base does not speak of is told from what it says in other words."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import replace

import pytest

from functions.query.abstaining import (
    ANSWER_SHARE,
    ENOUGH_OF_A_PAIR,
    ENOUGH_OF_A_TEXT,
    Place,
    coverage,
    is_weak,
    strength,
)
from functions.query.ranking import Hit, Part
from functions.query.retrieval import SearchResult
from functions.query.trust import LEAST
from shared.domain import Evidence, Metadata
from tests.evidence import evidence
from tests.worlds import World

COMMON = {"symptom", "treatment", "diseas"}


def rarity_of(asked: Collection[Sequence[str]]) -> list[float]:
    return [1.0 if COMMON & set(forms) else 6.0 for forms in asked]


def unplaced(word: str) -> int | None:
    """The place of a word for an embedder that knows none."""


def covered(question: str, *texts: str) -> float:
    return coverage(question, [evidence(text, question="…") for text in texts], rarity_of, unplaced)


def parts(**scores: float) -> dict[str, Part]:
    return {signal: Part(score, 1, 0.5) for signal, score in scores.items()}


def found(question: str, text: str, similarity: float, trust: float = 1.0) -> SearchResult:
    hit = Hit(evidence(text, question="…"), 1.0, parts(combined=similarity, lexical=40.0, graph=0.9))
    return SearchResult([hit], True, 0, searched_for=question, trust=trust)


def is_weak_by(question: str, text: str, similarity: float, trust: float = 1.0) -> bool:
    return is_weak(found(question, text, similarity, trust), rarity_of, unplaced)


# What is covered


def test_words_count_by_the_square_of_their_rarity() -> None:
    question = "What are the symptoms of Gaucher disease?"
    whole = covered(question, "Symptoms of Gaucher disease are many.")
    assert whole == pytest.approx(1 / ENOUGH_OF_A_TEXT)
    assert covered(question, "Gaucher, in short.") == pytest.approx(whole * 36 / 38)
    assert covered(question, "Symptoms of Fabry disease are many.") == pytest.approx(whole * 2 / 38)
    assert covered(question, "Nothing alike.") == 0.0


def test_one_passage_must_hold_them_and_the_best_one_counts() -> None:
    question = "What are the symptoms of Gaucher disease?"
    assert covered(question, "Symptoms of a disease.", "Gaucher.", "Nothing.") == covered(question, "Gaucher.")


@pytest.mark.parametrize("own", ["What is Gaucher disease?", "Do you have information about Gaucher disease"])
def test_a_pair_that_asks_says_by_that_what_it_is_about(own: str) -> None:
    def of(question: str, answer: str) -> float:
        return coverage("Gaucher disease", [evidence(answer, question=question)], rarity_of, unplaced)

    assert of(own, "It is rare.") == pytest.approx(1 / ENOUGH_OF_A_PAIR)
    mentioned = of("What is Fabry disease?", "It is as rare as Gaucher disease.")
    assert mentioned == pytest.approx((1 + ANSWER_SHARE * 36) / 37 / ENOUGH_OF_A_PAIR)
    assert of("Gaucher disease", "It is rare.") == of("Fabry disease", "As rare as Gaucher.") == 1 / ENOUGH_OF_A_TEXT


def test_other_names_of_a_pair_count_as_its_question_does() -> None:
    one = evidence("It is rare.", question="What is Gaucher disease?")
    named = replace(one, pair=replace(one.pair, metadata=Metadata(extra={"synonyms": ["Cerebroside lipidosis"]})))
    question = "cerebroside lipidosis"
    assert coverage(question, [one], rarity_of, unplaced) == 0.0
    assert coverage(question, [named], rarity_of, unplaced) == pytest.approx(1 / ENOUGH_OF_A_PAIR)


@pytest.mark.parametrize("question", ["", "?", "…!"])
def test_of_a_question_without_words_nothing_is_covered(question: str) -> None:
    assert covered(question, "Symptoms of Gaucher disease are many.") == 0.0


def test_a_word_with_another_ending_counts_as_much_as_words_that_begin_so() -> None:
    def by_length(asked: Collection[Sequence[str]]) -> list[float]:
        return [3.0 if all(form.endswith("~") and len(form) <= 5 for form in forms) else 6.0 for forms in asked]

    def of(text: str) -> float:
        return coverage("kalesinden", [evidence(text, question="")], by_length, unplaced)

    assert of("Ankara kalesinde bir müze ve bir çay bahçesi var.") == pytest.approx(1 / ENOUGH_OF_A_TEXT)
    assert of("Ankara kalelerinde bir müze ve bir çay bahçesi var.") == pytest.approx(0.25 / ENOUGH_OF_A_TEXT)


# What is weak


def test_without_hits_evidence_is_weak() -> None:
    nothing = SearchResult([], True, 0, searched_for="Gaucher disease")
    assert is_weak(nothing, rarity_of, unplaced)
    assert strength(nothing, rarity_of, unplaced) == 0.0


def test_the_symptoms_of_what_is_not_there_are_weak_evidence_however_near_their_vectors_are() -> None:
    question = "What are the symptoms of Gaucher disease?"
    assert is_weak_by(question, "The symptoms of Fabry disease are pain and fever.", 0.75)
    assert not is_weak_by(question, "The symptoms of Gaucher disease are pain and fever.", 0.75)


def test_what_is_put_otherwise_is_not_weak() -> None:
    assert not is_weak_by("Why is my tummy aching after every meal?", "An aching belly has these causes.", 0.95)
    assert is_weak_by("Why is my tummy aching after every meal?", "An aching belly has these causes.", 0.5)


def test_of_words_no_more_than_enough_makes_up_for_vectors_that_say_otherwise() -> None:
    question, text = "How do doctors look for cancer?", "Doctors look for cancer, says the film."
    assert not is_weak_by(question, text, 0.6)
    assert is_weak_by(question, text, 0.3)


def arthritis(question: str, place: Place) -> bool:
    asked = evidence("It swells the joints of children, too.", question="What is arthritis?")
    hit = Hit(asked, 1.0, parts(combined=0.75))
    return is_weak(SearchResult([hit], True, 0, searched_for=question), rarity_of, place)


@pytest.mark.parametrize(("rarity", "similarity", "expected"), [(8, 0.36, False), (8, 0.34, True), (6, 0.36, True)])
def test_prose_with_a_rare_name_that_is_asked_about_may_be_farther(
    rarity: float, similarity: float, expected: bool
) -> None:
    def rarity_of_all(asked: Collection[Sequence[str]]) -> list[float]:
        return [float(rarity) for _ in asked]

    near = found("What is vcfanno?", "Fast annotation of variants with vcfanno.", similarity)
    assert is_weak(near, rarity_of_all, unplaced) is expected
    of_a_pair = replace(near, hits=[replace(near.hits[0], evidence=evidence("By vcfanno.", question="What is it?"))])
    assert is_weak(of_a_pair, rarity_of_all, unplaced)


def test_an_everyday_word_that_the_passages_lack_is_no_name() -> None:
    known = {"kids": 4_300, "arthritis": 27_600}
    assert arthritis("Can kids get arthritis?", unplaced)
    assert not arthritis("Can kids get arthritis?", known.get)
    assert arthritis("Can kids get hypophosphatasia?", known.get)
    assert arthritis("Can kids get arthritis?", {"kids": 27_600, "arthritis": 27_600}.get)


@pytest.mark.parametrize("question", ["What is arthritis 7?", "What is arthritis E?"])
def test_numbers_and_single_letters_are_names_however_common_they_are(question: str) -> None:
    assert arthritis(question, {"7": 1_021, "e": 1_041, "arthritis": 27_600}.get)


def test_without_vectors_words_alone_decide() -> None:
    for text, expected in (("Gaucher disease is rare.", False), ("Fabry disease is rare.", True)):
        hit = Hit(evidence(text, question="…"), 1.0, parts(lexical=40.0))
        result = SearchResult([hit], True, 0, searched_for="Gaucher disease", trust=1.0)
        assert is_weak(result, rarity_of, unplaced) is expected


def test_an_embedder_that_does_not_know_the_language_has_no_say() -> None:
    question, text = "Kanser tedavisi nasıl yapılır?", "Museums open at ten."
    assert is_weak_by(question, text, 0.95, trust=0.2)
    assert not is_weak_by(question, "Kanser tedavisi böyle yapılır.", 0.1, trust=0.2)


@pytest.mark.parametrize(
    ("own", "expected"), [("What is Gaucher disease?", False), ("What is Fabry disease?", True), ("Gaucher", True)]
)
def test_of_a_long_question_it_is_enough_that_it_mentions_what_a_pair_asks_about(own: str, expected: bool) -> None:
    story = "My aunt from Leeds slept badly and her doctor said it was Gaucher disease, what now?"
    hit = Hit(evidence("It is rare.", question=own), 1.0, parts(combined=0.5))
    told = SearchResult([hit], True, 0, searched_for=story, trust=1.0)
    assert is_weak(told, rarity_of, unplaced) is expected
    short = replace(told, searched_for="aunt Leeds doctor Gaucher disease")
    assert is_weak(short, rarity_of, unplaced)


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
    return coverage(question, hits, lambda asked: world.reading.rarity(bot, asked), unplaced)


def test_a_name_that_nothing_holds_weighs_more_than_words_that_all_hold(clinic: World) -> None:
    assert of_catalog(clinic, "What are the symptoms of Fabry disease?") == pytest.approx(1 / ENOUGH_OF_A_PAIR)
    assert of_catalog(clinic, "What are the symptoms of Gaucher disease?") < 0.5


def test_rarity_is_of_a_bots_own_passages(clinic: World) -> None:
    bot, other = clinic.refreshed(), clinic.register("other")
    asked = [("diseas",), ("fabri",), ("gaucher", "gauche~"), ("fabri", "pomp")]
    everywhere, rare, nowhere, either = clinic.reading.rarity(bot, asked)
    assert 0 <= everywhere < either < rare < nowhere
    assert len(set(clinic.reading.rarity(other, asked))) == 1
    assert clinic.reading.rarity(bot, []) == []


def opening(question: str, similarity: float, place: Place, trust: float = 1.0) -> bool:
    """Whether the hours of a shop are weak evidence."""
    pair = evidence("From nine to six, near Leigh Street.", question="What are your opening hours?")
    hit = Hit(pair, 1.0, parts(question=similarity))
    return is_weak(SearchResult([hit], True, 0, searched_for=question, trust=trust), rarity_of, place)


EVERYDAY_WORDS = {
    "are": 2_024,
    "you": 2_017,
    "open": 2_330,
    "sunday": 4_465,
    "leigh": 7_000,
    "when": 2_043,
    "there": 2_045,
}


def test_what_asks_the_same_in_other_everyday_words_is_not_weak() -> None:
    assert not opening("When are you there?", 0.6, EVERYDAY_WORDS.get)
    assert opening("When are you there?", 0.3, EVERYDAY_WORDS.get)
    assert opening("When are you there?", 0.6, EVERYDAY_WORDS.get, trust=LEAST)  # its vectors say nothing


def test_a_word_that_is_written_as_a_name_is_one() -> None:
    assert not opening("When is leigh there?", 0.6, EVERYDAY_WORDS.get)
    assert opening("When is Leigh there?", 0.6, EVERYDAY_WORDS.get)  # the answer mentions him, which is not enough
    assert not opening("WHEN IS LEIGH THERE?", 0.6, EVERYDAY_WORDS.get)


def test_where_the_embedder_knows_nothing_of_the_language_half_of_the_words_are_enough() -> None:
    pair = evidence("30 gün içinde iade edilir.", question="Bir ürünü nasıl iade edebilirim?")

    def weak(question: str, trust: float) -> bool:
        hit = Hit(pair, 1.0, parts(question=0.3))
        return is_weak(SearchResult([hit], True, 0, searched_for=question, trust=trust), rarity_of, unplaced)

    assert not weak("ürün iade", LEAST)
    assert weak("ürün iade kargo fatura", 1.0)
    assert weak("kargo fatura iade", LEAST)
