"""Deliver, verify, flip, sweep: how the index comes to hold what the catalog says, and nothing else.

Any worker may begin this anywhere and another may go on; whatever was done twice has the same outcome. No connection,
transaction or lock is held while embedding or calling the index.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from shared.domain import (
    VECTOR_FIELDS,
    Bot,
    Claim,
    Collection,
    EmbeddableText,
    IndexRow,
    Marker,
    Proof,
    Vectors,
    Wanted,
)
from shared.errors import (
    CollectionMissingError,
    ConfigurationError,
    EmbedderMismatchError,
    LockstepError,
    StoreUnavailableError,
)
from shared.ports import DeliveryCatalog, Embedder, Hints, Registry, VectorIndex
from shared.steps import step
from shared.telemetry import count, logger

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shared.domain import Vector

# Passages under one lease. The more, the fewer questions of long answers are embedded twice; but a batch must be done long before
# its lease ends, and embedders differ a hundredfold: so the first is small, and what it took tells how large the next may be.
FIRST_BATCH, BATCH = 32, 256
BATCH_SECONDS = 10.0
LEASE_SECONDS = 120.0
RESERVE_SECONDS = 20.0  # what a batch may still need; no new one begins with less time left

NO_FAULT_OF_THE_PASSAGES = (StoreUnavailableError, CollectionMissingError, ConfigurationError)

KnownVectors = Callable[[Sequence[Marker]], Mapping[UUID, Vectors]]


@dataclass(frozen=True, slots=True)
class Delivery:
    """Carries markers out. `time_left` tells how many seconds this invocation has; `known_vectors` saves embedding.

    `carried` hears how many passages each batch had.
    """

    registry: Registry
    catalog: DeliveryCatalog
    index: VectorIndex
    embedder: Embedder
    hints: Hints
    time_left: Callable[[], float]
    known_vectors: KnownVectors | None = None
    carried: Callable[[int], None] = lambda passages: None

    def run(self, bot: Bot, document_ids: Sequence[UUID]) -> bool:
        """Bring those documents as far as time allows. Returns whether nothing was left to do for them.

        Raises StoreUnavailableError if a store is away, ConfigurationError if it refuses us; nothing is lost by that.
        """
        incarnation = self.ensure_collection(bot)
        changed = list(document_ids)
        while changed and self.time_left() > RESERVE_SECONDS:
            for document_id in changed:
                self.catalog.sweep(bot, document_id)
                step("sweep.absence-wanted")
            self._carry_out(bot, changed, Wanted.ABSENT, incarnation)
            for other in bot.other_collections:  # what is dead goes everywhere; writing there needs another embedder
                self._carry_out(bot.within(other), changed, Wanted.ABSENT, self._incarnation(other))
            self._carry_out(bot, changed, Wanted.PRESENT, incarnation)
            changed = [
                document_id for document_id in changed if self._advance(bot, document_id)
            ]  # a flip leaves dead ones
        return not self.catalog.unfinished(bot, document_ids)

    def ensure_collection(self, bot: Bot) -> UUID:
        """The incarnation that the index holds, created if need be; the catalog learns of it. Raises MismatchError."""
        model, collection = self.embedder.model, bot.collection
        if not collection.is_of(model):
            raise EmbedderMismatchError(
                f"The bot {bot.slug!r} is embedded with {collection.embedder}, this process has {model.model_id} "
                f"({model.revision}, {model.dimension} dimensions)."
            )
        return self._incarnation(collection)

    def _incarnation(self, collection: Collection) -> UUID:
        incarnation = self.index.incarnation(collection)
        if incarnation is None or incarnation != collection.incarnation:
            # Also one that is there: whoever created it may have died before it was indexed and loaded.
            incarnation = self.index.create(collection, uuid4())
            self.registry.set_incarnation(collection, incarnation)
            step("delivery.incarnation-recorded")
        return incarnation

    def _advance(self, bot: Bot, document_id: UUID) -> bool:
        flipped = self.catalog.flip(bot, document_id)
        if flipped:
            count("flips")
            step("delivery.flipped")
            logger().info("document flipped", bot=bot.slug, document_id=str(document_id))
        if flipped:
            return True
        if self.catalog.finish_deletion(bot, document_id):
            step("receipt.provisional-given")
            return True
        if object_key := self.catalog.waiting_object(bot, document_id):
            self.hints.object_changed(object_key)
            step("delivery.look-asked-for")
        return False

    def _carry_out(self, bot: Bot, document_ids: Sequence[UUID], wanted: Wanted, incarnation: UUID) -> None:
        limit = min(FIRST_BATCH, BATCH)
        while self.time_left() > RESERVE_SECONDS:
            claim = self.catalog.claim(bot, document_ids, wanted=wanted, limit=limit, lease_seconds=LEASE_SECONDS)
            if claim is None:
                return
            step("delivery.claimed")
            begin = time.monotonic()
            attempt = _Attempt(self, bot, claim, incarnation, begin + LEASE_SECONDS)
            try:
                attempt.remove() if wanted == Wanted.ABSENT else attempt.write(claim.markers)
            except NO_FAULT_OF_THE_PASSAGES:
                self.catalog.release(bot, claim)
                step("delivery.claim-released")
                raise
            self.carried(len(claim.markers))
            limit = next_batch(len(claim.markers), time.monotonic() - begin)


def next_batch(passages: int, seconds: float) -> int:
    """How many passages take BATCH_SECONDS if so many took so long; at least one, at most BATCH."""
    return max(1, min(BATCH, int(passages * BATCH_SECONDS / max(seconds, 1e-3))))


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One claim on its way."""

    delivery: Delivery
    bot: Bot
    claim: Claim
    incarnation: UUID
    lease_ends: float

    def write(self, markers: Sequence[Marker]) -> None:
        """Write, read back, prove. What cannot be delivered is found by halving, so that its neighbours are."""
        failed = list(self._failing(markers))
        for marker, error in failed:
            self._postpone([marker], error)
        if failed:
            (first, error), ids = failed[0], [str(marker.passage_id) for marker, _ in failed]
            logger().error(
                "passages could not be delivered",
                bot=self.bot.slug,
                passages=len(ids),
                passage_ids=ids[:5],
                document_id=str(first.row and first.row.document_id),
                error=error,
            )

    def _failing(self, markers: Sequence[Marker]) -> Iterator[tuple[Marker, str]]:
        try:
            self._write_all(markers)
            return
        except NO_FAULT_OF_THE_PASSAGES:
            raise
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
        if len(markers) == 1:
            yield markers[0], told
            return
        middle = len(markers) // 2
        yield from self._failing(markers[:middle])
        yield from self._failing(markers[middle:])

    def _write_all(self, markers: Sequence[Marker]) -> None:
        vectors = self._vectors_of(markers)
        rows = [(_row(marker), vectors[marker.passage_id]) for marker in markers]
        index, collection = self.delivery.index, self.bot.collection
        lease_left = self.lease_ends - time.monotonic()
        if lease_left < index.write_timeout_seconds:
            return  # another worker could claim these markers while the write is under way
        index.upsert(collection, rows, within_seconds=lease_left)
        step("delivery.rows-written")
        found = index.fetch(collection, self.bot.bot_id, [marker.passage_id for marker in markers])
        proofs = [
            proof for marker, (_, sent) in zip(markers, rows, strict=True) if (proof := _proof(marker, sent, found))
        ]
        count("deliveries", self.delivery.catalog.prove_present(self.bot, self.claim, proofs, self.incarnation))
        step("delivery.rows-proven")
        if len(proofs) < len(markers):
            proven = {proof.passage_id for proof in proofs}
            unproven = [marker for marker in markers if marker.passage_id not in proven]
            self._postpone(unproven, "the index returned something else than was written")

    def remove(self) -> None:
        """Delete, look again, prove."""
        index, collection, bot_id = self.delivery.index, self.bot.collection, self.bot.bot_id
        ids = [marker.passage_id for marker in self.claim.markers]
        index.delete(collection, bot_id, ids)
        step("sweep.rows-deleted")
        still_there = index.present(collection, bot_id, ids)
        gone = [passage_id for passage_id in ids if passage_id not in still_there]
        count("sweeps", self.delivery.catalog.prove_absent(self.bot, self.claim, gone, self.incarnation))
        step("sweep.absence-proven")
        if still_there:
            count("postponements", len(still_there))
            self.delivery.catalog.postpone(
                self.bot, self.claim, list(still_there), "the index still returned the row after deleting it"
            )

    def _vectors_of(self, markers: Sequence[Marker]) -> dict[UUID, Vectors]:
        known = dict(self.delivery.known_vectors(markers)) if self.delivery.known_vectors else {}
        for vectors in known.values():
            for name in VECTOR_FIELDS:
                _checked(getattr(vectors, name)[None], (1, self.bot.collection.dimension))
        missing = [marker for marker in markers if marker.passage_id not in known]
        embedded = embed([_text(marker) for marker in missing], self.delivery.embedder, self._lent(missing))
        return known | {marker.passage_id: vectors for marker, vectors in zip(missing, embedded, strict=True)}

    def _lent(self, markers: Sequence[Marker]) -> dict[str, Vector]:
        """The vectors of texts that delivered passages have already, if they still are what was proven."""
        lenders = {marker.copy_from: marker for marker in markers if marker.copy_from}
        if not lenders:
            return {}
        lent: dict[str, Vector] = {}
        for passage_id, (_, vectors) in self.delivery.index.fetch(
            self.bot.collection, self.bot.bot_id, sorted(lenders)
        ).items():
            marker = lenders[passage_id]
            if marker.copy_text and vectors.digest == marker.copy_digest:
                lent[marker.copy_text.question] = vectors.question
                lent[marker.copy_text.response] = vectors.response
        return lent

    def _postpone(self, markers: Sequence[Marker], error: str) -> None:
        count("postponements", len(markers))
        ids = [marker.passage_id for marker in markers]
        self.delivery.catalog.postpone(self.bot, self.claim, ids, error)
        step("delivery.postponed")


def embed(
    texts: Sequence[EmbeddableText], embedder: Embedder, known: Mapping[str, Vector] | None = None
) -> list[Vectors]:
    """The vectors of passages: question and response are embedded, combined is their normalised sum.

    A passage without a question is its response in all three. What is `known` of a text is not embedded again.
    """
    embedded = dict(known or {})
    parts = dict.fromkeys(part for text in texts for part in (text.question, text.response) if part)
    if unknown := [part for part in parts if part not in embedded]:
        vectors = _checked(embedder.embed_passages(unknown), (len(unknown), embedder.model.dimension))
        embedded |= zip(unknown, vectors, strict=True)
    return [_vectors(embedded[text.question or text.response], embedded[text.response]) for text in texts]


def _checked(vectors: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Vectors that a search can compare with, one a row. Raises LockstepError: no comparison would find others again."""
    import numpy as np

    if vectors.shape != shape:
        raise LockstepError(f"There are {vectors.shape} numbers where {shape} make the vectors: is it another model?")
    if not np.isfinite(vectors).all() or not vectors.any(axis=1).all():
        raise LockstepError("A vector is zero, or not made of finite numbers: is the model damaged?")
    return vectors


def _vectors(question: NDArray[np.float32], response: NDArray[np.float32]) -> Vectors:
    import numpy as np

    total = question + response
    norm = float(np.linalg.norm(total))
    combined = total / norm if norm > 1e-6 else response
    return Vectors(question, response, combined.astype(np.float32))


def _proof(marker: Marker, sent: Vectors, found: Mapping[UUID, tuple[IndexRow, Vectors]]) -> Proof | None:
    """The proof of a row that came back as it was written and as the catalog recorded it."""
    if marker.passage_id not in found:
        return None
    row, vectors = found[marker.passage_id]
    if row.row_hash != marker.row_hash or vectors.digest != sent.digest:
        return None
    return Proof(marker.passage_id, row.row_hash, vectors.digest)


def _row(marker: Marker) -> IndexRow:
    assert marker.row is not None
    return marker.row


def _text(marker: Marker) -> EmbeddableText:
    assert marker.text is not None
    return marker.text
