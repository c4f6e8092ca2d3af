"""The catalog as a document goes through it: bots and leases, documents, markers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from shared.domain import (
        Accepted,
        Bot,
        BotSettings,
        Claim,
        Collection,
        DocumentStatus,
        EmbedderModel,
        KeyRange,
        MarkerState,
        ObjectVersion,
        Observation,
        OwnPair,
        Pair,
        Proof,
        ProvenMarker,
        SeenObject,
        StagedPair,
    )


class Registry(Protocol):
    """Deployment, collections, bots, leases."""

    def deployment_id(self) -> UUID: ...

    def ensure_collection(
        self, model: EmbedderModel, *, metric: str, index_type: str, index_params: Mapping[str, int]
    ) -> Collection: ...

    def set_incarnation(self, collection: Collection, incarnation: UUID) -> None: ...

    def register_bot(self, slug: str, name: str, settings: BotSettings, collection: Collection) -> Bot:
        """Raises ConflictError if the slug is or was in use."""
        ...

    def bot(self, slug: str) -> Bot:
        """Raises NotFoundError, also for a bot that is being deleted."""
        ...

    def change_bot(self, slug: str, *, name: str | None, settings: Mapping[str, Any]) -> Bot:
        """Give the bot another name, if one is given, and those settings; the others stay. Raises NotFoundError."""
        ...

    def bot_by_id(self, bot_id: UUID) -> Bot:
        """In any state. Raises NotFoundError."""
        ...

    def bots(self) -> list[Bot]: ...

    def delete_bot(self, slug: str, entry: str | None = None) -> Bot:
        """Answers stop with it; what is behind the bot is removed by sync. Raises NotFoundError.

        `entry` is where the ledger has it. With an entry, a bot that is being deleted already is deleted again.
        """
        ...

    def deleting_bots(self) -> list[Bot]: ...

    def bot_states(self) -> dict[UUID, str]:
        """Every bot that there ever was: "active", "deleting" or "deleted"."""
        ...

    def collections(self) -> list[Collection]:
        """Every collection that the deployment owns."""
        ...

    def drop_bot(self, bot: Bot) -> None:
        """Drop what the catalog holds of a bot whose index rows are gone, and give the provisional receipt."""
        ...

    def claim_lease(self, name: str, holder: UUID, seconds: float) -> Mapping[str, Any] | None:
        """The progress that the last holder saved; None while somebody else holds the lease."""
        ...

    def save_progress(self, name: str, holder: UUID, progress: Mapping[str, Any]) -> None: ...

    def release_lease(self, name: str, holder: UUID) -> None: ...

    def drop_lease(self, name: str, holder: UUID) -> None:
        """Release it and forget its progress: nobody will take it again."""
        ...


class DocumentCatalog(Protocol):
    """The life of one object, from a look at it to its generation, or to its tombstone."""

    def observe(self, bot: Bot, object_key: str, *, lease_seconds: float) -> Observation | None:
        """Begin a look. None if a building generation must flip first (it will be looked at then). Raises LeasedError."""
        ...

    def release(self, observation: Observation) -> None:
        """End a look without an outcome, so that the same version is looked at again."""
        ...

    def put_off(self, observation: Observation, pairs: int) -> None:
        """End a look for want of time. The next one finds what is staged: so many of the document's first pairs.

        Until then the document is unfinished, so that sync asks for that look if nobody else does. Raises SupersededError.
        """
        ...

    def drop_staged(self, observation: Observation) -> None:
        """Give up what earlier looks have staged: the object is another one now. Raises SupersededError."""
        ...

    def conclude_seen(self, observation: Observation) -> None:
        """The very version was looked at before: nothing changes."""
        ...

    def conclude_unchanged(self, observation: Observation, version: ObjectVersion) -> None:
        """Another version with the content that is live."""
        ...

    def reject(self, observation: Observation, version: ObjectVersion, reason: str) -> None: ...

    def remove(self, observation: Observation, entry: str | None = None) -> None:
        """The object is gone: its answers stop with this. `entry` is where the ledger has it. Raises SupersededError."""
        ...

    def unchanged_pairs(self, observation: Observation, pairs: Sequence[Pair]) -> dict[UUID, int]:
        """Of the pairs offered, those that need no new passages, with the generation they are of: nothing of them changed.

        The document has them live, kept, or staged by this look or those that it goes on from.
        """
        ...

    def stage(
        self,
        observation: Observation,
        accepted: Accepted,
        *,
        generation: int | None,
        pairs: Sequence[StagedPair],
        unchanged: Mapping[UUID, int],
        sealed_pairs: int | None,
        lease_seconds: float,
    ) -> int:
        """Commit one part of a generation; returns its number. Raises SupersededError.

        The last part seals it: `sealed_pairs` is then the number of pairs of all parts, which the catalog must agree to.
        """
        ...

    def pairs_of_others(self, observation: Observation, external_ids: Sequence[str]) -> dict[str, list[UUID]]:
        """Which live pairs of other documents have those ids: of ids that the document itself has none, and only few have."""
        ...

    def own_pair(self, bot: Bot, qa_id: UUID) -> OwnPair | None:
        """The pair as its own document has it live, whether a correction replaces it or not."""
        ...

    def document(self, bot: Bot, document_id: UUID) -> DocumentStatus:
        """Raises NotFoundError."""
        ...

    def document_of(self, bot: Bot, object_key: str) -> DocumentStatus | None: ...

    def seen_objects(self, bot: Bot, *, after: str, limit: int) -> list[SeenObject]:
        """What the catalog knows of the objects, in the order of a bucket listing, those up to `after` left out."""
        ...

    def abandoned_corrections(self, bot: Bot, limit: int) -> list[str]:
        """Keys of objects that correct pairs of documents which are no longer there."""
        ...

    def documents(self, bot: Bot, *, after: str, limit: int, state: str | None = None) -> list[DocumentStatus]:
        """In the order of their object keys, those up to `after` left out."""
        ...


def pin_name(bot: Bot) -> str:
    """The lease under which a snapshot has the sweep of the bot's superseded passages wait."""
    return f"pin:{bot.bot_id}"


class DeliveryCatalog(Protocol):
    """Markers, and what follows from them."""

    def unfinished_documents(self, bot: Bot, limit: int) -> list[UUID]:
        """Documents of the bot with something left to do, those that are due first."""
        ...

    def unfinished(self, bot: Bot, document_ids: Sequence[UUID]) -> list[UUID]:
        """Which of those documents have something left to do."""
        ...

    def claim(
        self, bot: Bot, document_ids: Sequence[UUID], *, wanted: str, limit: int, lease_seconds: float
    ) -> Claim | None:
        """Take markers that are due under one lease; None if there are none."""
        ...

    def prove_present(self, bot: Bot, claim: Claim, proofs: Sequence[Proof], incarnation: UUID) -> int: ...

    def prove_absent(self, bot: Bot, claim: Claim, passage_ids: Sequence[UUID], incarnation: UUID) -> int:
        """Also removes from the catalog what no collection holds any more."""
        ...

    def postpone(self, bot: Bot, claim: Claim, passage_ids: Sequence[UUID], error: str) -> None:
        """Those passages could not be delivered: later again, and after too many attempts not at all."""
        ...

    def release(self, bot: Bot, claim: Claim) -> None:
        """Give the claim back as if it had not been taken: the store was away."""
        ...

    def fail_exhausted(self, bot: Bot) -> None: ...

    def reopen_unproven(self, bot: Bot, incarnation: UUID, limit: int) -> int:
        """Markers that were proven on another incarnation become pending again."""
        ...

    def proven(
        self,
        collection: Collection,
        bot_ids: Sequence[UUID],
        keys: KeyRange,
        *,
        limit: int,
        document_id: UUID | None = None,
    ) -> list[ProvenMarker]:
        """What must be in the index in that range of ids, at most `limit`, in the order of ids."""
        ...

    def marker_states(
        self, collection: Collection, passages: Sequence[tuple[UUID, UUID]]
    ) -> dict[tuple[UUID, UUID], MarkerState]:
        """The markers that there are of those bots' passages, each named by bot and passage."""
        ...

    def reopen(self, collection: Collection, bot_id: UUID, passage_ids: Sequence[UUID]) -> int:
        """Have those passages written and proven anew, as the catalog's content says; returns how many that will be."""
        ...

    def unmarked_members(self, bot: Bot) -> dict[UUID, int]:
        """Documents with passages that a generation holds and no marker wants, and how many. There are none by right."""
        ...

    def remint(self, bot: Bot, document_id: UUID) -> int:
        """Replace such passages by new ones of the same content, to be delivered; returns how many.

        What the index must not hold never comes back under its id.
        """
        ...

    def known_passages(self, bot: Bot) -> int:
        """How many passages may be in the index without being proven: on their way in, or on their way out."""
        ...

    def flip(self, bot: Bot, document_id: UUID) -> bool:
        """Make the building generation live if every member is proven; returns whether it was made so now."""
        ...

    def sweep(self, bot: Bot, document_id: UUID) -> int:
        """Want absent what no generation holds any more; returns how many markers that were.

        While the bot is pinned nothing is swept, unless something of the document was deleted.
        """
        ...

    def finish_deletion(self, bot: Bot, document_id: UUID) -> bool:
        """Give the provisional receipts of a deleted document, or of deleted pairs, of which nothing is left.

        Returns whether a document ended with it.
        """
        ...

    def waiting_object(self, bot: Bot, document_id: UUID) -> str | None:
        """The key of the object if a look at it waited for a generation that is no longer building."""
        ...

    def receipts_to_finish(self, limit: int, age_seconds: float) -> Sequence[Mapping[str, Any]]:
        """Provisional receipts of at least that age: tombstone_id, kind, bot_id, document_id, qa_id, generation."""
        ...

    def absent_passages(self, bot_id: UUID, document_id: UUID) -> list[UUID]: ...

    def finish_receipt(self, tombstone_id: UUID, verified: Mapping[str, Any]) -> None:
        """Make it final, with what the second look counted behind the delete."""
        ...

    def forget_old_absent(self, bot: Bot, age_seconds: float) -> None:
        """Drop markers that were proven absent so long ago that no stalled worker can bring their rows back."""
        ...

    def receipts(self, bot_id: UUID, limit: int) -> Sequence[Mapping[str, Any]]:
        """The newest first."""
        ...
