"""What a question wants: a definition, symptoms, a treatment, how to do something …

Profiles say by which words that is known, as data (`profiles/*.toml`). All of them are used together: a bot need not say what it
is about, because the words of one field are seldom used in another, and questions and pairs are judged alike.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from functions.query.cues import Cues, words_of
from shared.domain import HEADING_SEPARATOR, Metadata, Pair
from shared.errors import ConfigurationError

Intents = Mapping[str, float]  # kinds and how surely each is meant, above 0 to 1; best first

MIN_SHARE_OF_BEST = 0.7  # what is less sure than this beside another kind only introduced it: "what is the treatment"
MAX_CHARACTERS = 1_000  # that are read: longer questions are condensed before
LABEL_FIELDS = ("qtype", "question_type", "intent", "type")  # of a pair's further metadata

_PROFILES = Path(__file__).parent / "profiles"
_NONE: Intents = MappingProxyType({})


class _Kind(NamedTuple):
    name: str
    weight: float


@dataclass(frozen=True)
class Profile:
    """By which words kinds of questions are known, and under which labels a record may name its own kind."""

    cues: Cues[_Kind] = field(repr=False)
    labels: Mapping[str, str]  # a folded label to its kind

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(self.labels.values())

    def kind_of_label(self, label: str) -> str | None:
        """The kind that a record means with such a label; None if it is no kind of this profile."""
        return self.labels.get(_folded(label))


def read_profile(paths: Iterable[Path]) -> Profile:
    """The profiles of several files as one. Raises ConfigurationError, which names the file and what is wrong in it."""
    cues: list[tuple[str, _Kind]] = []
    labels: dict[str, str] = {}
    for path in paths:
        try:
            content = tomllib.loads(path.read_text("utf-8"))
            cues += _cues_in(content)
            for name, kind in content["kinds"].items():
                labels.update((_folded(label), name) for label in (name, *kind["labels"]))
        except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(f"The profile {path} cannot be read: {error!r}") from error
    return Profile(Cues(cues), labels)


@lru_cache(maxsize=1)
def default_profile() -> Profile:
    """All profiles together, general questions first."""
    return read_profile(sorted(_PROFILES.glob("*.toml")))


def intents_of(text: str, profile: Profile | None = None) -> Intents:
    """What a question asks for; empty if it does not tell."""
    return _intents_of(text[:MAX_CHARACTERS], (profile or default_profile()).cues)


def intents_of_pair(pair: Pair, profile: Profile | None = None) -> Intents:
    """What a pair answers: as it is labelled, else as it is asked. Of a heading path the last heading tells most."""
    profile = profile or default_profile()
    for label in _labels_of(pair.metadata):
        if kind := profile.kind_of_label(label):
            return {kind: 1.0}
    heading = pair.question.rpartition(HEADING_SEPARATOR)[2]
    return intents_of(heading, profile) or intents_of(pair.question, profile)


def agreement(asked: Intents, answered: Intents) -> float:
    """How surely a pair answers what is asked for, from 0 to 1; 0 too if it is not known of one of them."""
    return max((score * answered.get(kind, 0.0) for kind, score in asked.items()), default=0.0)


@lru_cache(maxsize=4_096)  # the pairs that are found are often the same
def _intents_of(text: str, cues: Cues[_Kind]) -> Intents:
    first_seen: dict[str, int] = {}
    scores: dict[str, float] = {}
    for found in cues.find(words_of(text)):
        name, weight = found.told
        first_seen.setdefault(name, found.begin)
        scores[name] = max(scores.get(name, 0.0), weight)
    if not scores:
        return _NONE
    least = MIN_SHARE_OF_BEST * max(scores.values())
    kinds = sorted((name for name in scores if scores[name] >= least), key=lambda n: (-scores[n], first_seen[n]))
    return MappingProxyType({name: scores[name] for name in kinds})


def _cues_in(content: Mapping[str, Any]) -> Iterator[tuple[str, _Kind]]:
    weights: Mapping[str, float] = content["weights"]
    for name, kind in content["kinds"].items():
        for language, strengths in kind.items():
            if language == "labels":
                continue
            for strength, cues in strengths.items():
                yield from ((cue, _Kind(name, weights[strength])) for cue in cues)


def _labels_of(metadata: Metadata) -> Iterator[str]:
    own = [metadata.extra.get(name) for name in LABEL_FIELDS]
    for label in (*own, metadata.subcategory, metadata.category):
        if isinstance(label, str):
            yield label


def _folded(label: str) -> str:
    return " ".join(word.text for word in words_of(label[:MAX_CHARACTERS]))
