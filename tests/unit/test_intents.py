"""What a question wants: by its words, in several languages, and by a pair's own label."""

from __future__ import annotations

import gzip
import hashlib
import json
import tomllib
from collections import Counter
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.query.cues import Cues, words_of
from functions.query.intents import (
    MAX_CHARACTERS,
    agreement,
    default_profile,
    intents_of,
    intents_of_pair,
    read_profile,
)
from shared.analysis import words
from shared.domain import Metadata, Pair
from shared.errors import ConfigurationError

MIN_ACCURACY = 0.90
PROFILES = Path(__file__).parents[2] / "functions" / "query" / "profiles"

PROFILE = """
[weights]
clear = 0.9
[kinds.repair]
labels = ["Repairs", "수리"]
en.clear = ["repair*", "^mend"]
"""


def kind_of(text: str) -> str | None:
    return next(iter(intents_of(text)), None)


def pair(question: str, **metadata: object) -> Pair:
    return Pair(UUID(int=1), question, "…", metadata=Metadata(**metadata))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("What is asthma?", "definition"),
        ("What are the symptoms of asthma?", "symptoms"),
        ("HOW DO I KNOW THAT I HAVE SYMPTOMS OF ASTHMA", "symptoms"),
        ("Which drug of choice treats it?", "treatment"),
        ("Why does rust form?", "why"),
        ("How do I oil a chain?", "how-to"),
        ("How much does a chain cost?", "how-many"),
        ("How many people have it?", "frequency"),
        ("When was the bridge built?", "when"),
        ("Who built the bridge?", "who"),
        ("Where is the bridge?", "where"),
        ("What is the difference between rim and disc brakes?", "comparison"),
        ("My lamp is not working any more", "troubleshooting"),
        ("Is the water clean?", "yes-no"),
        ("What should I do if I forget a dose of it?", "dose"),
        ("Can I take it together with aspirin?", "interactions"),
        ("Astımın belirtileri nelerdir?", "symptoms"),
        ("ASTIM NASIL TEDAVİ EDİLİR", "treatment"),
        ("Bu ilacın yan etkileri nelerdir?", "side-effects"),
        ("Köprü ne zaman yapıldı?", "when"),
        ("Zincir nedir?", "definition"),
        ("천식의 증상은 무엇인가요?", "symptoms"),
        ("천식증상", "symptoms"),
        ("이 약의 부작용을 알려 주세요", "side-effects"),
        ("다리는 언제 지어졌나요?", "when"),
    ],
)
def test_a_question_says_what_it_wants(question: str, kind: str) -> None:
    assert kind_of(question) == kind


def test_a_question_may_want_two_things_and_a_way_of_asking_is_not_one_of_them() -> None:
    assert set(intents_of("What are the symptoms and the treatment of asthma?")) == {"symptoms", "treatment"}
    assert "definition" not in intents_of("What is the treatment of asthma?")


def test_an_adjective_in_a_name_is_not_what_is_asked_for() -> None:
    assert kind_of("What is hereditary angioedema?") == "definition"
    assert kind_of("Is angioedema hereditary?") == "inheritance"


@pytest.mark.parametrize(
    "text", ["", "kettle", "?!…", "\x00", "ﷺ", "ⴰⵣⵓⵍ ⴰⵎⴰⴹⴰⵍ", "'; DROP TABLE pairs; --", "* ^ (a+)+$", "🫖"]
)
def test_what_tells_nothing_has_no_intent(text: str) -> None:
    assert intents_of(text) == {}


@given(st.text(max_size=200))
def test_any_text_is_read_and_scores_are_shares(text: str) -> None:
    found = intents_of(text)
    assert all(0 < score <= 1 for score in found.values())
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_of_a_very_long_text_only_the_beginning_is_read() -> None:
    assert intents_of("word " * MAX_CHARACTERS + "symptoms") == {}
    assert kind_of("symptoms " + "word " * 10_000) == "symptoms"


@pytest.mark.parametrize(
    "metadata",
    [
        {"subcategory": "Exams and Tests"},
        {"category": "diagnosis"},
        {"extra": {"qtype": "exams-and-tests"}},
        {"category": "symptoms", "extra": {"type": "검사"}},
    ],
)
def test_a_label_goes_before_the_question(metadata: dict[str, object]) -> None:
    assert intents_of_pair(pair("What is asthma?", **metadata)) == {"diagnosis": 1.0}


@pytest.mark.parametrize("metadata", [{}, {"category": "lungs"}, {"extra": {"qtype": 7, "type": ["x"]}}])
def test_without_a_label_the_question_tells(metadata: dict[str, object]) -> None:
    assert next(iter(intents_of_pair(pair("What is asthma?", **metadata)))) == "definition"


def test_of_headings_the_last_one_tells_and_else_those_above_it() -> None:
    assert next(iter(intents_of_pair(pair("Asthma › Causes › Treatment")))) == "treatment"
    assert next(iter(intents_of_pair(pair("Asthma › Treatment › Children")))) == "treatment"


def test_agreement_is_high_for_the_same_kind_and_nothing_without_one() -> None:
    asked = intents_of("How is asthma treated?")
    assert agreement(asked, {"treatment": 1.0}) > 0.7
    assert agreement(asked, {"causes": 1.0}) == agreement(asked, {}) == agreement({}, asked) == 0.0


# Profiles


def test_a_profile_is_read_from_files(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(PROFILE, "utf-8")
    profile = read_profile([tmp_path / "own.toml"])
    assert profile.kinds == {"repair"}
    assert (
        profile.kind_of_label("repairs") == profile.kind_of_label("수리") == profile.kind_of_label("repair") == "repair"
    )
    assert profile.kind_of_label("") is None
    assert intents_of("Repairing a lamp", profile) == intents_of("So. Mend it!", profile) == {"repair": 0.9}
    assert intents_of("I mend it. What is it?", profile) == {}


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("not toml", "own.toml"),
        ("[weights]\nclear = 1", "kinds"),
        (PROFILE.replace("clear = 0.9", "sure = 0.9"), "clear"),
        (PROFILE.replace("labels", "names"), "own.toml"),
        (PROFILE.replace('"repair*"', '"re*"'), "'re\\*'"),
        (PROFILE.replace('"repair*"', '"?"'), "no word"),
    ],
)
def test_a_broken_profile_says_where(tmp_path: Path, broken: str, said: str) -> None:
    (tmp_path / "own.toml").write_text(broken, "utf-8")
    with pytest.raises(ConfigurationError, match=said):
        read_profile([tmp_path / "own.toml"])


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_kind_has_cues_in_three_languages(path: Path) -> None:
    kinds = tomllib.loads(path.read_text("utf-8"))["kinds"]
    assert {name: kind.keys() for name, kind in kinds.items() if not kind.keys() >= {"labels", "en", "tr", "ko"}} == {}
    assert kinds.keys() <= default_profile().kinds


def test_no_label_means_two_kinds() -> None:
    owners: dict[str, set[str]] = {}
    for path in PROFILES.glob("*.toml"):
        for name, kind in tomllib.loads(path.read_text("utf-8"))["kinds"].items():
            for label in (name, *kind["labels"]):
                owners.setdefault(" ".join(words(label)), set()).add(name)
    assert {label: kinds for label, kinds in owners.items() if len(kinds) > 1} == {}


def test_cues_overlap_and_are_found_where_they_stand() -> None:
    cues = Cues([("side effect*", 1), ("effect*", 2), ("^side", 3)])
    found = [(cue.begin, cue.end, cue.told) for cue in cues.find(words_of("Side effects, side effect"))]
    assert found == [(0, 2, 1), (0, 1, 3), (1, 2, 2), (2, 4, 1), (3, 4, 2)]


# Real questions


def test_questions_of_medquad_that_no_cue_was_written_for(shared_data: Path) -> None:
    """Cues were written with the half of the subjects before one's eyes whose hash is even; this is the other half.

    Most of MedQuAD's questions are of a few forms ("What are the symptoms of … ?"), and both halves have the same ones.
    """
    right, asked, wrong = Counter[str](), Counter[str](), Counter[tuple[str, str | None]]()
    with gzip.open(shared_data / "corpora" / "medquad.jsonl.gz", "rt", encoding="utf-8") as lines:
        for record in map(json.loads, lines):
            if int(hashlib.md5(record["focus"].lower().encode(), usedforsecurity=False).hexdigest(), 16) % 2 == 0:
                continue
            kind = kind_of(record["question"])
            asked[record["source"]] += 1
            if kind == default_profile().kind_of_label(record["qtype"]):
                right[record["source"]] += 1
            else:
                wrong[record["qtype"], kind] += 1
    accuracy = {source: right[source] / asked[source] for source in asked}
    assert asked.total() > 7_000
    assert right.total() / asked.total() >= MIN_ACCURACY, (accuracy, wrong)
    assert min(accuracy.values()) >= MIN_ACCURACY, (accuracy, wrong)
