"""What the functions need of the world. Adapters are named after their vendor; `shared.testing` has a twin of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol
from uuid import UUID

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shared.domain import (
        Accepted,
        Bot,
        BotSettings,
        Candidate,
        Claim,
        Collection,
        DocumentStatus,
        EmbedderModel,
        Evidence,
        Filter,
        Gauges,
        IndexRow,
        Notice,
        ObjectVersion,
        Observation,
        Outcome,
        Proof,
        QueryLog,
        SeenObject,
        StagedPair,
        Vector,
        Vectors,
    )


class Embedder(Protocol):
    """Turns text into unit vectors. Queries and passages are different verbs, because some models treat them differently."""

    @property
    def model(self) -> EmbedderModel: ...

    @property
    def token_capacity(self) -> int:
        """How many content tokens of a passage the window holds."""
        ...

    def embed_query(self, text: str) -> Vector:
        """Shape (dimension,), float32."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Shape (len(texts), dimension), float32, in the order given."""
        ...

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """The characters that each content token covers; nothing is cut off."""
        ...


class VectorIndex(Protocol):
    """The collections. Every call is confined to the collection's deployment; reads see every write before them.

    Every call may raise StoreUnavailableError; those on rows CollectionMissingError, `upsert` also RefusedRowError.
    """

    @property
    def write_timeout_seconds(self) -> float:
        """No write starts with less lease left than this."""
        ...

    def create(self, collection: Collection, incarnation: UUID) -> UUID:
        """Create the collection if it is not there; returns the incarnation that is. Raises MismatchError."""
        ...

    def incarnation(self, collection: Collection) -> UUID | None:
        """Which incarnation is there; None if the collection is not."""
        ...

    def upsert(self, collection: Collection, rows: Sequence[tuple[IndexRow, Vectors]]) -> None: ...

    def fetch(
        self, collection: Collection, bot_id: UUID, passage_ids: Sequence[UUID]
    ) -> dict[UUID, tuple[IndexRow, Vectors]]:
        """The rows of those ids that are there, as they are there."""
        ...

    def present(self, collection: Collection, bot_id: UUID, passage_ids: Sequence[UUID]) -> set[UUID]:
        """Which of those ids are there."""
        ...

    def delete(self, collection: Collection, bot_id: UUID, passage_ids: Sequence[UUID]) -> None: ...

    def delete_bot(self, collection: Collection, bot_id: UUID) -> None: ...

    def is_empty(self, collection: Collection, bot_id: UUID) -> bool: ...

    def count(self, collection: Collection, bot_id: UUID) -> int: ...

    def search(
        self,
        collection: Collection,
        bot_id: UUID,
        vector: Vector,
        *,
        fields: Sequence[str],
        limit: int,
        matching: Filter | None = None,
        passage_ids: Sequence[UUID] | None = None,
    ) -> dict[str, list[Candidate]]:
        """The nearest rows by each of the vector fields, best first. `matching` may let more through than it should."""
        ...

    def ping(self) -> None:
        """Raises StoreUnavailableError unless the store answers."""
        ...


@dataclass(frozen=True, slots=True)
class PresignedUpload:
    """A request that anyone may make once, without a key of their own."""

    url: str
    method: str
    headers: Mapping[str, str]
    expires_in_seconds: int


class ObjectStore(Protocol):
    """A bucket. Keys are Unicode in NFC, `/` between their parts."""

    def head(self, key: str) -> ObjectVersion | None:
        """The version that is there now; None if there is none."""
        ...

    def open(self, version: ObjectVersion) -> AbstractContextManager[BinaryIO]:
        """The content of exactly that version, seekable. Raises ObjectChangedError, NotFoundError."""
        ...

    def put(self, key: str, content: bytes | BinaryIO, *, content_type: str | None = None) -> ObjectVersion: ...

    def delete(self, key: str) -> None:
        """Nothing happens if it is not there."""
        ...

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectVersion]:
        """Objects in the order of their keys (by bytes of UTF-8), those up to `after` left out."""
        ...

    def presign_put(self, key: str, *, size: int, expires_in_seconds: int = 900) -> PresignedUpload:
        """Lets anyone put exactly `size` bytes under that key for a while."""
        ...


class Hints(Protocol):
    """Asks another invocation to look. A hint may come twice, late or never: nothing depends on it."""

    def object_changed(self, key: str) -> None: ...

    def sync_wanted(self) -> None: ...


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

    def bot_by_id(self, bot_id: UUID) -> Bot:
        """In any state. Raises NotFoundError."""
        ...

    def bots(self) -> list[Bot]: ...

    def delete_bot(self, slug: str) -> Bot:
        """Answers stop with it; what is behind the bot is removed by sync. Raises NotFoundError."""
        ...

    def deleting_bots(self) -> list[Bot]: ...

    def drop_bot(self, bot: Bot) -> None:
        """Drop what the catalog holds of a bot whose index rows are gone, and give the provisional receipt."""
        ...

    def claim_lease(self, name: str, holder: UUID, seconds: float) -> Mapping[str, Any] | None:
        """The progress that the last holder saved; None while somebody else holds the lease."""
        ...

    def save_progress(self, name: str, holder: UUID, progress: Mapping[str, Any]) -> None: ...

    def release_lease(self, name: str, holder: UUID) -> None: ...


class DocumentCatalog(Protocol):
    """The life of one object, from a look at it to its generation, or to its tombstone."""

    def observe(self, bot: Bot, object_key: str, *, lease_seconds: float) -> Observation | None:
        """Begin a look. None if a building generation must flip first (it will be looked at then). Raises LeasedError."""
        ...

    def release(self, observation: Observation) -> None:
        """End a look without an outcome, so that the same version is looked at again."""
        ...

    def conclude_seen(self, observation: Observation) -> None:
        """The very version was looked at before: nothing changes."""
        ...

    def conclude_unchanged(self, observation: Observation, version: ObjectVersion) -> None:
        """Another version with the content that is live."""
        ...

    def reject(self, observation: Observation, version: ObjectVersion, reason: str) -> None: ...

    def remove(self, observation: Observation) -> None:
        """The object is gone: its answers stop with this."""
        ...

    def unchanged_pairs(self, observation: Observation, hashes: Mapping[UUID, str]) -> dict[UUID, int]:
        """Of the pairs offered (id to content hash), those that need no new passages, with the generation they are of."""
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

    def document(self, bot: Bot, document_id: UUID) -> DocumentStatus:
        """Raises NotFoundError."""
        ...

    def document_of(self, bot: Bot, object_key: str) -> DocumentStatus | None: ...

    def seen_objects(self, bot: Bot, *, after: str, limit: int) -> list[SeenObject]:
        """What the catalog knows of the objects, in the order of a bucket listing, those up to `after` left out."""
        ...

    def documents(self, bot: Bot, *, after: str, limit: int, state: str | None = None) -> list[DocumentStatus]:
        """In the order of their object keys, those up to `after` left out."""
        ...


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

    def proven_passages(self, bot: Bot, *, after: UUID, limit: int) -> list[Proof]:
        """What was proven of the bot's collection, in the order of passage ids, those up to `after` left out."""
        ...

    def known_passages(self, bot: Bot) -> int:
        """How many passages may be in the index without being proven: on their way in, or on their way out."""
        ...

    def flip(self, bot: Bot, document_id: UUID) -> bool:
        """Make the building generation live if every member is proven; returns whether it was made so now."""
        ...

    def sweep(self, bot: Bot, document_id: UUID) -> int:
        """Want absent what no generation holds any more; returns how many markers that were."""
        ...

    def finish_deletion(self, bot: Bot, document_id: UUID) -> bool:
        """Give the provisional receipt of a deleted document of which nothing is left."""
        ...

    def waiting_object(self, bot: Bot, document_id: UUID) -> str | None:
        """The key of the object if a look at it waited for a generation that is no longer building."""
        ...

    def receipts_to_finish(self, limit: int, age_seconds: float) -> Sequence[Mapping[str, Any]]:
        """Provisional receipts of at least that age: tombstone_id, kind, bot_id, document_id."""
        ...

    def absent_passages(self, bot_id: UUID, document_id: UUID) -> list[UUID]: ...

    def finish_receipt(self, tombstone_id: UUID) -> None: ...

    def forget_old_absent(self, bot: Bot, age_seconds: float) -> None:
        """Drop markers that were proven absent so long ago that no stalled worker can bring their rows back."""
        ...

    def receipts(self, bot_id: UUID, limit: int) -> Sequence[Mapping[str, Any]]: ...


class ReadingCatalog(Protocol):
    """What a question needs."""

    def lexical_search(self, bot: Bot, question: str, *, limit: int, matching: Filter) -> list[Candidate]: ...

    def matching_passages(self, bot: Bot, matching: Filter, limit: int) -> list[UUID]: ...

    def hydrate(self, bot: Bot, passage_ids: Sequence[UUID], matching: Filter) -> dict[UUID, Evidence]:
        """The content of those passages that may enter an answer now, by one statement."""
        ...

    def vouch(self, bot: Bot, passage_ids: Sequence[UUID]) -> set[UUID]: ...

    def live_documents(self, bot: Bot, document_ids: Sequence[UUID]) -> set[UUID]: ...

    def log(self, bot: Bot, entry: QueryLog) -> None: ...

    def roll_up_analytics(self, bot: Bot) -> None:
        """Bring the figures of today and yesterday up to date."""
        ...

    def add_feedback(self, bot: Bot, query_id: UUID, feedback: int, comment: str | None) -> None:
        """Raises NotFoundError."""
        ...

    def ping(self) -> None:
        """Raises StoreUnavailableError unless the store answers."""
        ...


class OperationsCatalog(Protocol):
    """What an operator is shown."""

    def gauges(self) -> Gauges: ...

    def record_outcome(self, operation: str, subject: str, figures: Mapping[str, Any]) -> None:
        """Keep how a run ended, in place of the one before."""
        ...

    def outcomes(self) -> list[Outcome]:
        """The last of each operation and subject; audits of collections that no bot uses are left out."""
        ...

    def untold(self, bot: Bot, age_seconds: float, limit: int) -> list[Notice]:
        """News of documents that nobody was told of and that are not older than that, oldest first."""
        ...

    def mark_told(self, bot: Bot, notice: Notice) -> None: ...


class Notifier(Protocol):
    """Tells somebody outside."""

    def notify(self, notice: Notice) -> None:
        """Raises LockstepError if it was not understood there; StoreUnavailableError if nobody answered."""
        ...


@dataclass(frozen=True, slots=True)
class WrittenAnswer:
    """An answer over numbered passages; `cited` holds the numbers (from 1) that it rests on, in order of mention."""

    text: str
    cited: tuple[int, ...]
    abstained: bool = False


class AnswerWriter(Protocol):
    """Writes an answer from evidence, or abstains."""

    def write(self, question: str, evidence: Sequence[Evidence]) -> WrittenAnswer: ...
