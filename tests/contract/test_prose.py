"""What parsing finds, all the way: names, languages and folders that can be searched by, long answers, a parser that learns."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from functions.ingest import pairs
from shared.domain import Filter, qa_id_of
from shared.testing import HashingEmbedder
from tests.worlds import World

STONES = {"id": "stones", "question": "What are kidney stones?", "answer": "Hard deposits of salts inside the kidneys."}
OTHERS = [
    {"id": f"other-{number}", "question": f"What is thing {number}?", "answer": f"It is thing {number} of many."}
    for number in range(8)
]


def lines(*records: Mapping[str, object]) -> str:
    return "".join(f"{json.dumps(record)}\n" for record in records)


def ids(world: World, question: str, matching: Filter | None = None) -> list[str | None]:
    return [hit.evidence.pair.external_id for hit in world.search(question, matching=matching).hits]


@pytest.mark.parametrize("field", ["synonyms", "aliases", "also_known_as"])
def test_each_other_name_of_a_pair_finds_it(world: World, field: str) -> None:
    names = ["Nephrolithiasis", "Calculi, renal"]
    world.put("terms.jsonl", lines(*OTHERS, {**STONES, field: names}))
    for asked in ("Nephrolithiasis?", "calculi"):
        assert ids(world, asked)[0] == "stones"
    (best, *_) = world.search("Nephrolithiasis").hits
    assert best.evidence.pair.metadata.extra[field] == names


def test_a_change_of_names_embeds_nothing(world: World) -> None:
    assert isinstance(world.embedder, HashingEmbedder)
    world.put("terms.jsonl", lines({**STONES, "synonyms": ["Nephrolithiasis"]}))
    world.embedder.embedded.clear()
    world.put("terms.jsonl", lines(*[{**STONES, "synonyms": ["Urolithiasis"]}]))
    assert world.embedder.embedded == []
    assert ids(world, "Urolithiasis")[0] == "stones"


def test_language_category_and_type_are_filters(world: World) -> None:
    turkish = {
        "id": "tr",
        "question": "Böbrek taşı nedir?",
        "answer": "Böbrekte oluşan sert birikintilerdir ve ağrı yapar.",
    }
    world.put("guides/care/terms.jsonl", lines(STONES, turkish))
    world.put("other.jsonl", lines(*OTHERS))
    assert set(ids(world, "kidney stones böbrek", Filter(language=("tr",)))) == {"tr"}
    assert set(ids(world, "kidney stones böbrek", Filter(category=("guides",), subcategory=("care",)))) == {
        "stones",
        "tr",
    }
    assert set(ids(world, "stones", Filter(source_type=("jsonl",), language=("en",), category=("guides",)))) == {
        "stones"
    }


def test_a_long_answer_is_several_passages_and_one_hit(world: World) -> None:
    answer = " ".join(f"Sentence {number} of the answer tells about stones." for number in range(120))
    world.put("terms.jsonl", lines({**STONES, "answer": answer}, *OTHERS))
    status = world.status("terms.jsonl")
    assert status is not None and status.pairs == 9 and status.passages > 9 + 3
    found = ids(world, "Sentence of the answer about stones")
    assert found.count("stones") == 1 and found[0] == "stones"


def test_questions_of_a_page_are_pairs_of_their_own(world: World) -> None:
    page = (
        "<html><body><h1>FAQ</h1><details><summary>How often should I oil it?</summary>Every 200 km.</details>"
        "<details><summary>What does a ticket cost?</summary>Nine euros.</details></body></html>"
    )
    world.put("faq.html", page)
    (best, *_) = world.search("What does a ticket cost?").hits
    assert (best.evidence.pair.question, best.evidence.text) == ("What does a ticket cost?", "Nine euros.")
    assert best.evidence.pair.heading_path == ("FAQ", "What does a ticket cost?")
    document_id = world.status("faq.html").document_id  # type: ignore[union-attr]
    # As it was when the whole path was asked: pairs keep their ids.
    assert best.evidence.pair.qa_id == qa_id_of(document_id, "question:FAQ › What does a ticket cost?")


def test_a_parser_that_has_learned_touches_nothing_and_then_embeds_only_what_changed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is live stays as it is until its object changes; then what is new about the others is metadata alone."""
    assert isinstance(world.embedder, HashingEmbedder)
    with monkeypatch.context() as earlier:
        earlier.setattr(pairs, "with_language", lambda metadata, *_: metadata)
        world.put("terms.jsonl", lines(STONES, *OTHERS))
    world.embedder.embedded.clear()
    world.put("terms.jsonl", lines(STONES, *OTHERS))
    world.sync()
    assert world.embedder.embedded == []
    assert ids(world, "stones", Filter(language=("en",))) == []
    world.put("terms.jsonl", lines({**STONES, "answer": "Hard lumps."}, *OTHERS))
    assert world.embedder.embedded == ["Hard lumps."]
    assert len(ids(world, "stones", Filter(language=("en",)))) == 5
