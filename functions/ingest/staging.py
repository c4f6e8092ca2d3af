"""Commits the pairs of one look as a generation, in parts that one transaction takes each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from functions.ingest.passages import stage_pair
from shared.domain import Accepted, Observation, Pair
from shared.errors import OutOfTimeError
from shared.ports import DocumentCatalog, Embedder
from shared.steps import step

LOOK_LEASE_SECONDS = 120.0
PART_PAIRS = 500  # in one transaction
PART_CHARACTERS = 2_000_000


@dataclass(slots=True)
class Staging:
    """The generation that a look commits. It begins with what earlier looks at the same version have staged.

    Those pairs are offered again and found unchanged, which takes no cutting. So the generation holds what this look read
    and nothing else, or its count is wrong and it is not sealed.
    """

    documents: DocumentCatalog
    observation: Observation
    accepted: Accepted
    embedder: Embedder
    generation: int | None
    pairs: int = 0  # that are staged, from the first of the document on

    def commit(self, pairs: Iterator[Pair]) -> None:
        """Stage all, and seal. Raises OutOfTimeError as `pairs` does, after all parts that were full."""
        for part, is_last in _marking_last(_parts(pairs)):
            self._commit_part(part, is_last=is_last)
            step("upload.part-staged")

    def _commit_part(self, part: list[Pair], *, is_last: bool) -> None:
        observation = self.observation
        unchanged = self.documents.unchanged_pairs(observation, part)
        changed = [pair for pair in part if pair.qa_id not in unchanged]
        named = {relation.target_external_id or "" for pair in changed for relation in pair.relations}
        elsewhere = sorted(named - {"", *(pair.external_id for pair in part)})
        others = self.documents.pairs_of_others(observation, elsewhere)
        staged = [stage_pair(observation.bot, observation.document_id, pair, self.embedder, others) for pair in changed]
        pairs = self.pairs + len(part)
        self.generation = self.documents.stage(
            observation,
            self.accepted,
            generation=self.generation,
            pairs=staged,
            unchanged=unchanged,
            sealed_pairs=pairs if is_last else None,
            lease_seconds=LOOK_LEASE_SECONDS,
        )
        self.pairs = pairs


def _parts(pairs: Iterator[Pair]) -> Iterator[list[Pair]]:
    """Runs of pairs that one transaction takes."""
    while part := list(islice(_until_full(pairs), PART_PAIRS)):
        yield part


def _until_full(pairs: Iterator[Pair]) -> Iterator[Pair]:
    characters = 0
    while characters < PART_CHARACTERS and (pair := next(pairs, None)) is not None:
        characters += len(pair.response)
        yield pair


def _marking_last(parts: Iterable[list[Pair]]) -> Iterator[tuple[list[Pair], bool]]:
    previous: list[Pair] | None = None
    try:
        for part in parts:
            if previous is not None:
                yield previous, False
            previous = part
    except OutOfTimeError:
        if previous is not None:
            yield previous, False
        raise
    if previous is not None:
        yield previous, True
