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
        Buried,
        Candidate,
        ChangeProgress,
        Claim,
        Collection,
        Deletion,
        DocumentStatus,
        EmbedderModel,
        Evidence,
        Filter,
        Gauges,
        GenerationStatus,
        IndexRow,
        KeyRange,
        LivePair,
        MarkerState,
        Notice,
        ObjectVersion,
        Observation,
        Outcome,
        OwnPair,
        Proof,
        ProvenMarker,
        QueryLog,
        Reopened,
        SeenObject,
        StagedPair,
        StoredRow,
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

    def stored(
        self,
        collection: Collection,
        keys: KeyRange,
        *,
        limit: int,
        bot_id: UUID | None = None,
        document_id: UUID | None = None,
    ) -> list[StoredRow]:
        """Rows of the deployment with a key in that range, at most `limit`, in no order; whoever wrote them."""
        ...

    def count_foreign(self, collection: Collection) -> int:
        """How many rows of the collection say that they are another deployment's."""
        ...

    def records(self, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Everything in the collection of that name, which may be anybody's: keys in their order, with the other fields.

        Vectors are left out. Raises CollectionMissingError.
        """
        ...

    def delete(self, collection: Collection, bot_id: UUID, keys: Sequence[UUID] | Sequence[str]) -> None: ...

    def delete_bot(self, collection: Collection, bot_id: UUID) -> None: ...

    def drop_empty(self, collection: Collection) -> bool:
        """Drop the collection if it holds no row of anybody; returns whether it is not there now."""
        ...

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

    def remove(self, observation: Observation, entry: str | None = None) -> None:
        """The object is gone: its answers stop with this. `entry` is where the ledger has it. Raises SupersededError."""
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


class DeletionCatalog(Protocol):
    """How far the catalog has followed the deletion ledger, and what is left behind a delete."""

    @property
    def connections(self) -> int:
        """Grows with every new connection: what answers now may be another store than before, or an older one."""
        ...

    def settled(self, bot: Bot) -> str:
        """The entry up to which all are applied, and below which none can come any more; empty at first."""
        ...

    def unapplied(self, bot: Bot, entries: Sequence[str]) -> list[str]:
        """Which of those entries the catalog has not applied, in their order."""
        ...

    def apply(self, bot: Bot, deletion: Deletion) -> bool:
        """Stop the answers of what the entry names, if it is there; returns whether it was. A repetition does nothing."""
        ...

    def settle(self, bot: Bot, entry: str) -> None: ...

    def buried(self, bot: Bot) -> Sequence[Buried]:
        """What was deleted since the bot came, which for a restored one is after its restore began."""
        ...

    def live_pair(self, bot: Bot, qa_id: UUID) -> LivePair:
        """Raises NotFoundError."""
        ...

    def remains(self, receipt: Mapping[str, Any]) -> dict[str, int]:
        """How many rows the catalog still has of what was deleted, by table."""
        ...

    def scrub_logs(self, receipt: Mapping[str, Any]) -> int:
        """Take the words out of answers that rest on what was deleted; returns how many those were."""
        ...

    def bot_id(self, slug: str) -> UUID:
        """Of a bot in any state. Raises NotFoundError."""
        ...

    def newest_receipts(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """Of all bots, also of those that are gone."""
        ...

    def receipt(self, tombstone_id: UUID) -> Mapping[str, Any]:
        """Raises NotFoundError."""
        ...


class EmbedderChanges(Protocol):
    """A bot's way from its collection into the next one, and out of the former one.

    `settled_seconds` is longer than any function lives: after that long nobody acts any more on what was true before.
    """

    def begin(self, bot: Bot, collection: Collection, *, settled_seconds: float) -> Bot:
        """Have every write go to that collection too, from now on. Does nothing if that is so already.

        Raises ConflictError while another change, or what the last one left behind, is not finished.
        """
        ...

    def cancel(self, bot: Bot) -> Bot:
        """Give the next collection up: it is left like a former one."""
        ...

    def add_markers(self, bot: Bot, collection: Collection, *, after: UUID, limit: int) -> UUID | None:
        """Want a stretch of the bot's passages delivered there too, in the order of their ids, those up to `after` left out.

        Returns the last of the stretch; None at the end. What somebody else is changing is left to another pass.
        """
        ...

    def retry(self, bot: Bot, collection: Collection) -> int:
        """Let what failed there, or waits for its next attempt, be tried at once; returns how many."""
        ...

    def progress(self, bot: Bot, collection: Collection) -> ChangeProgress: ...

    def failures(self, bot: Bot, collection: Collection, limit: int) -> list[tuple[str, str]]:
        """Passages that could not be delivered there: the object's key and the last error of each."""
        ...

    def move(self, bot: Bot) -> bool:
        """Make the next collection the bot's own, if nothing is missing there; returns whether it is now."""
        ...

    def is_settled(self, bot: Bot, *, settled_seconds: float) -> bool:
        """Whether the bot left its former collection so long ago that nobody reads or writes its rows there."""
        ...

    def drop_markers(self, bot: Bot, collection: Collection, limit: int) -> int:
        """Forget what was wanted of a former collection that was emptied; returns how many markers that were."""
        ...

    def has_markers(self, bot: Bot, collection: Collection) -> bool: ...

    def leave(self, bot: Bot, collection: Collection) -> bool:
        """Forget the former collection if no marker is left in it; returns whether it is forgotten now."""
        ...


class Amendments(Protocol):
    """What a person changes afterwards."""

    def stuck_documents(self, bot: Bot) -> list[UUID]:
        """Documents that a retry may help: failed, rejected, or live with passages that could not be delivered again."""
        ...

    def retry(self, bot: Bot, document_id: UUID) -> Reopened:
        """Open again what failed, and have a rejected version looked at again. Raises NotFoundError."""
        ...

    def generations(self, bot: Bot, document_id: UUID) -> list[GenerationStatus]:
        """The newest first. Raises NotFoundError."""
        ...

    def roll_back(self, bot: Bot, document_id: UUID, generation: int | None) -> int:
        """Build a new generation of what the kept one holds, by default the newest; returns its number.

        Raises NotFoundError, and ConflictError if no such generation is kept or the document is being changed.
        """
        ...


class ReadingCatalog(Protocol):
    """What a question needs."""

    def lexical_search(self, bot: Bot, question: str, *, limit: int, matching: Filter) -> list[Candidate]: ...

    def matching_passages(self, bot: Bot, matching: Filter, limit: int) -> list[UUID]: ...

    def hydrate(self, bot: Bot, passage_ids: Sequence[UUID], matching: Filter) -> dict[UUID, Evidence]:
        """The content of those passages that may enter an answer now, by one statement."""
        ...

    def vouch(self, bot: Bot, passage_ids: Sequence[UUID]) -> set[UUID]: ...

    def superseded(self, bot: Bot, found: Mapping[UUID, UUID]) -> set[UUID]:
        """Documents that are live with one of those pairs, by other passages than those found (passage to pair)."""
        ...

    def corrections_of(self, bot: Bot, document_ids: Sequence[UUID]) -> set[UUID]:
        """The documents that correct pairs of these documents."""
        ...

    def pair(self, bot: Bot, qa_id: UUID) -> Evidence | None:
        """The pair as it answers now, by one statement; None if it does not."""
        ...

    def log(self, bot: Bot, entry: QueryLog, passage_ids: Sequence[UUID]) -> bool:
        """Keep the entry if all those passages may enter an answer now; returns whether they may, by one statement."""
        ...

    def roll_up_analytics(self, bot: Bot) -> None:
        """Bring the figures of today and yesterday up to date."""
        ...

    def forget_logs(self, bot: Bot, *, days: int, limit: int) -> int:
        """Drop at most `limit` of the questions that are older, with all that was kept of who asked; returns how many."""
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
