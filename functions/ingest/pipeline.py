"""The life of an upload: look at the object, parse it, and commit what changed as a generation.

An event says only that something may have happened under a key. What did happen is observed here, so that events may be
repeated, reordered or lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import BinaryIO
from uuid import UUID

from functions.ingest.corrections import find_corrected, pair_of
from functions.ingest.lifetime import Lifetime
from functions.ingest.pairs import PairMaker
from functions.ingest.parsing import parse
from functions.ingest.staging import LOOK_LEASE_SECONDS, Staging
from functions.ingest.written_pairs import with_written_pairs
from shared.domain import Accepted, Bot, ObjectVersion, Observation, Pair, sha256_of_file
from shared.embedders import Embedders
from shared.errors import (
    LockstepError,
    NotFoundError,
    ObjectChangedError,
    OutOfTimeError,
    RejectedDocumentError,
    StoreUnavailableError,
    SupersededError,
)
from shared.keys import is_correction
from shared.ledger import DeletionLedger
from shared.ports import DocumentCatalog, Hints, ObjectStore, PairWriter
from shared.steps import step
from shared.telemetry import logger, logging_context

TOO_SLOW = "The file takes too long to read: split it into smaller ones."
DELETES_AT_ONCE = 200  # that are made again before a look


@dataclass(frozen=True, slots=True)
class Ingest:
    """What looking at an object needs."""

    documents: DocumentCatalog
    objects: ObjectStore
    embedders: Embedders
    max_object_bytes: int
    ledger: DeletionLedger
    hints: Hints
    lifetime: Lifetime
    pair_writer: PairWriter | None = None
    written_sections: int = 0  # of a document that the pair writer may read
    caught_up: set[UUID] = field(default_factory=set)  # bots whose catalog was found to know every delete

    def look_at(self, bot: Bot, object_key: str) -> UUID | None:
        """Look at one object; returns its document if there is something to deliver for it.

        When time runs out, what is staged waits for another look, which is asked for.

        Raises LeasedError while another worker is looking, ObjectChangedError if it changed meanwhile, OutOfTimeError if
        it began too late to get anywhere, EmbedderMismatchError if this process does not have the bot's embedder,
        BehindError while the catalog has deletes to make again, NotFoundError if the bot is among them, and whatever a
        store raises: then nothing is concluded, and the same look can be made again.
        """
        self._catch_up(bot)
        observation = self.documents.observe(bot, object_key, lease_seconds=LOOK_LEASE_SECONDS)
        if observation is None:
            step("upload.look-put-off")
            return None
        step("upload.look-begun")
        # With the epoch the document's id names this look; without it, everything about the document until the flip.
        with logging_context(document_id=str(observation.document_id), epoch=str(observation.epoch)):
            return self._look(observation)

    def _look(self, observation: Observation) -> UUID | None:
        try:
            version = self.objects.head(observation.object_key)
            observation = self._without_other_version(observation, version)
            return self._conclude(observation, version)
        except SupersededError:
            return None  # whoever began the newer look goes on
        except BaseException as error:
            with suppress(StoreUnavailableError, SupersededError):  # then the lease ends by itself
                self._let_go(observation, error)
            raise

    def _let_go(self, observation: Observation, error: BaseException) -> None:
        """End a look that failed. What earlier looks staged is kept if it was not this that failed."""
        if observation.staged and isinstance(error, LockstepError) and error.retryable:
            self.documents.put_off(observation, observation.staged.pairs)
        else:
            self.documents.release(observation)

    def _catch_up(self, bot: Bot) -> None:
        """A delete whose worker died must not take what was put under the same key after it."""
        if bot.bot_id not in self.caught_up:
            self.ledger.catch_up(bot, at_most=DELETES_AT_ONCE)
            self.caught_up.add(bot.bot_id)

    def _without_other_version(self, observation: Observation, version: ObjectVersion | None) -> Observation:
        """Earlier looks may have staged what the object was then: nothing of it may come together with what it is now."""
        if observation.staged is None or (version is not None and version.token == observation.staged.version):
            return observation
        self.documents.drop_staged(observation)
        step("upload.staged-dropped")
        return replace(observation, staged=None)

    def _conclude(self, observation: Observation, version: ObjectVersion | None) -> UUID | None:
        if version is None:
            self._remove(observation)
            logger().info("document removed", key=observation.object_key)
            return observation.document_id
        if version.token == observation.seen_version:
            self.documents.conclude_seen(observation)
            step("upload.seen-before")
            return None
        try:
            return self._accept(observation, version)
        except RejectedDocumentError as rejection:
            logger().info("document rejected", key=observation.object_key, version=version.token, reason=str(rejection))
            self.documents.reject(observation, version, str(rejection))
            step("upload.rejected")
        except NotFoundError as error:
            raise ObjectChangedError(f"{observation.object_key} went away while it was looked at.") from error
        return None

    def _remove(self, observation: Observation) -> None:
        """In the ledger first: what is there is deleted, even if another worker finishes it, or has looked meanwhile."""
        if not observation.is_known:
            self.documents.remove(observation)
            return
        deletion = self.ledger.append(
            observation.bot, "document", document_id=observation.document_id, object_key=observation.object_key
        )
        try:
            self.documents.remove(observation, deletion.entry)
        except SupersededError:
            self.ledger.apply(observation.bot, deletion)
        step("delete.document-buried")

    def _accept(self, observation: Observation, version: ObjectVersion) -> UUID | None:
        if version.size > self.max_object_bytes:
            limit = self.max_object_bytes / 1_000_000
            raise RejectedDocumentError(f"The file is larger than {limit:,.0f} MB: split it into smaller ones.")
        with self.objects.open(version) as file:
            content_hash = sha256_of_file(file)
            if content_hash == observation.seen_hash:
                self.documents.conclude_unchanged(observation, version)
                step("upload.unchanged")
                return None
            file.seek(0)
            is_staged = self._stage(observation, version, content_hash, file)
        return observation.document_id if is_staged else None

    def _stage(self, observation: Observation, version: ObjectVersion, content_hash: str, file: BinaryIO) -> bool:
        """Returns whether all of it is staged; else another look goes on."""
        if is_correction(observation.object_key):
            self._stage_correction(observation, version, content_hash, file)
            return True
        had_nearly_all = self.lifetime.has_nearly_all
        name = observation.object_key.partition("/")[2]
        document = parse(file, name, check=self.lifetime.check)
        maker = PairMaker(
            document_id=observation.document_id,
            document=document,
            fallback_title=PurePosixPath(name).stem,
            columns=observation.bot.settings.columns,
            name=name,
        )
        staging = self._staging(observation, Accepted(version, content_hash, maker.title))
        try:
            staging.commit(self._with_written(maker.pairs(), observation))
        except OutOfTimeError:
            self._put_off(staging, had_nearly_all=had_nearly_all)
            return False
        if not staging.pairs:
            raise RejectedDocumentError("There is no text in it.")
        logger().info(
            "generation committed",
            key=observation.object_key,
            version=version.token,
            generation=staging.generation,
            pairs=staging.pairs,
        )
        return True

    def _staging(self, observation: Observation, accepted: Accepted) -> Staging:
        embedder = self.embedders.of(observation.bot.collection)  # a passage is what fits its window
        generation = observation.staged.generation if observation.staged else None
        return Staging(self.documents, observation, accepted, embedder, generation)

    def _put_off(self, staging: Staging, *, had_nearly_all: bool) -> None:
        """Leave the rest to another look, if this one came further than the one before it."""
        observation = staging.observation
        if staging.pairs <= (observation.staged.pairs if observation.staged else 0):
            if had_nearly_all:
                raise RejectedDocumentError(TOO_SLOW)
            raise OutOfTimeError()
        self.documents.put_off(observation, staging.pairs)
        step("upload.time-ran-out")
        self.hints.object_changed(observation.object_key)
        step("upload.next-look-asked-for")
        logger().info("the next look goes on", key=observation.object_key, pairs=staging.pairs)

    def _with_written(self, pairs: Iterator[Pair], observation: Observation) -> Iterator[Pair]:
        if self.pair_writer is None or not self.written_sections:
            return pairs
        return with_written_pairs(
            pairs,
            document_id=observation.document_id,
            writer=self.pair_writer,
            sections=self.written_sections,
            own_pair=lambda qa_id: self.documents.own_pair(observation.bot, qa_id),
            time_left=self.lifetime.time_left,
        )

    def _stage_correction(
        self, observation: Observation, version: ObjectVersion, content_hash: str, file: BinaryIO
    ) -> None:
        own, correction = find_corrected(self.documents, observation.bot, observation.object_key, file)
        accepted = Accepted(version, content_hash, own.pair.question, corrects=own)
        self._staging(observation, accepted).commit(iter([pair_of(correction, observation.document_id)]))
        step("correct.staged")
