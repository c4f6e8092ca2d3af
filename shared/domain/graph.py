"""The graph: pairs, the names that they bear, and the texts that mention those names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

ADDRESS = "address"  # a name that only links have: where a document or a section of it is
# How far to trust that a name means who bears it. A document's title and its address are shared by all of its sections.
CONFIDENCES: Mapping[str, float] = {"focus": 1.0, "alias": 0.9, "heading": 0.6, "document": 0.5, ADDRESS: 0.7}
SIMILAR = "similar"  # the type of a relation that was found by comparing questions
SIMILAR_PER_PAIR = 5  # that one pair is related to so; others may be related to it
PAIRS_PER_ID = 5  # of other documents; an id that more of them have leads nowhere


@dataclass(frozen=True, slots=True)
class Name:
    """What a pair is called. `kind` is one of CONFIDENCES."""

    key: str
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Bearer:
    """A pair with one of its names."""

    qa_id: UUID
    name: Name
    is_mentioned_often: bool = False  # by more texts than a name may have to lead to them


@dataclass(frozen=True, slots=True)
class Edge:
    """How one pair is connected with another: `mentions`, `link`, `same-entity`, `synonym`, `similar`, or as a record says."""

    source_qa_id: UUID
    target_qa_id: UUID
    type: str
    confidence: float
    name: str | None = None  # by which they are


@dataclass(frozen=True, slots=True)
class FirstPassage:
    """The passage by which a pair enters an answer, and the generation that brought this content of it.

    A correction is found under the pair that it corrects; `own_qa_id` is that of its content.
    """

    qa_id: UUID
    own_qa_id: UUID
    passage_id: UUID
    document_id: UUID
    since_generation: int


@dataclass(frozen=True, slots=True)
class Uncompared:
    """A content of a pair whose question is to be compared with the others', and the passage that has its vector."""

    qa_id: UUID
    since_generation: int
    document_id: UUID
    passage_id: UUID


@dataclass(frozen=True, slots=True)
class GraphLimits:
    """How much of a graph one look loads."""

    names_per_pair: int = 64
    pairs_per_name: int = 50  # a name that more texts mention, or more pairs bear, leads nowhere
    names: int = 500
    edges: int = 5_000
    similar: bool = False  # whether it loads relations of similarity too


@dataclass(slots=True)
class Neighbourhood:
    """What was loaded of a graph: who bears and who mentions which name, and relations."""

    bearers: dict[str, dict[UUID, str]] = field(default_factory=dict)  # name key → pair → kind of the name
    mentioners: dict[str, set[UUID]] = field(default_factory=dict)  # name key → pairs
    relations: set[Edge] = field(default_factory=set)
    common: set[str] = field(default_factory=set)  # keys of names that more texts mention than are loaded: none is

    def add_name(self, key: str, qa_id: UUID, kind: str | None) -> None:
        """A pair bears the name, or mentions it if there is no kind."""
        if kind is None:
            self.mentioners.setdefault(key, set()).add(qa_id)
        else:
            self.bearers.setdefault(key, {})[qa_id] = kind

    def add_common(self, bearer: Bearer) -> None:
        """Who bears a name that is mentioned too often."""
        self.add_name(bearer.name.key, bearer.qa_id, bearer.name.kind)
        self.common.add(bearer.name.key)

    def add(self, other: Neighbourhood) -> None:
        for key, pairs in other.bearers.items():
            self.bearers.setdefault(key, {}).update(pairs)
        for key, mentioners in other.mentioners.items():
            self.mentioners.setdefault(key, set()).update(mentioners)
        self.relations |= other.relations
        self.common |= other.common

    @property
    def names(self) -> set[str]:
        """The keys of all names in it."""
        return self.bearers.keys() | self.mentioners.keys()


def edge_by_name(source: UUID, target: UUID, name: str, kind: str, other_kind: str | None) -> Edge:
    """The edge from a pair to one that bears the name in that kind: it mentions it, or bears it itself (`other_kind`)."""
    if other_kind is None:
        return Edge(source, target, "link" if kind == ADDRESS else "mentions", CONFIDENCES[kind], name)
    type_of = "synonym" if "alias" in (kind, other_kind) and kind != other_kind else "same-entity"
    return Edge(source, target, type_of, min(CONFIDENCES[kind], CONFIDENCES[other_kind]), name)
