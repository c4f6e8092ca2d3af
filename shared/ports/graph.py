"""The graph of a bot: pairs, the names that they bear, and the texts that mention those names.

It proposes and never decides: what it names may be of a kept generation, or gone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from shared.domain import Bearer, Bot, Candidate, Edge, FirstPassage, GraphLimits, Neighbourhood, Uncompared


class GraphCatalog(Protocol):
    """Linking, and looking around. What a look loads is bounded by its limits, whatever the size of the bot."""

    def link(self, bot: Bot, *, limit: int, document_ids: Sequence[UUID] | None = None) -> int:
        """Put at most `limit` contents of pairs that are not in the graph yet into it; returns how many those were.

        A text is searched for the names that are known, and older texts for the names that are new, so that the graph is
        the same in whatever order they come.
        """
        ...

    def uncompared(self, bot: Bot, *, after: Uncompared | None, limit: int) -> list[Uncompared]:
        """Contents of pairs that are live and not compared yet, in the order of their ids, those after that one."""
        ...

    def set_similar(self, bot: Bot, found: Mapping[Uncompared, Sequence[Candidate]]) -> None:
        """Relate each of those contents to the nearest of what was found for it, if that is live; now they are compared.

        What they were related to before by similarity goes, and what was similar to what the pair said before. Contents
        that are gone, or that somebody else has compared meanwhile, are left out.
        """
        ...

    def bearers(self, bot: Bot, name_keys: Collection[str], limits: GraphLimits) -> list[Bearer]:
        """Who bears a name that is among those keys, unless too many pairs bear it."""
        ...

    def names_of(self, bot: Bot, qa_ids: Collection[UUID], limits: GraphLimits) -> list[Bearer]:
        """What those pairs are called."""
        ...

    def look_around(
        self, bot: Bot, qa_ids: Collection[UUID], known: Collection[str], limits: GraphLimits
    ) -> Neighbourhood:
        """The names that those pairs bear or mention, with all who bear or mention them, and the pairs' relations.

        Names that are `known`, or too common, are left out.
        """
        ...

    def first_passages(self, bot: Bot, qa_ids: Collection[UUID]) -> list[FirstPassage]:
        """By which passages those pairs, and their corrections, can enter an answer."""
        ...

    def edges_between(
        self, bot: Bot, contents: Mapping[UUID, int], name_keys: Collection[str], limits: GraphLimits
    ) -> list[Edge]:
        """How those contents (pair to the generation that brought it) are connected with each other."""
        ...
