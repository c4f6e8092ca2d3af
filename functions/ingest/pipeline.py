"""The life of an upload: look at the object, parse it, and commit what changed as a generation.

An event says only that something may have happened under a key. What did happen is observed here, so that events may be
repeated, reordered or lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePosixPath
from typing import BinaryIO
from uuid import UUID

from functions.ingest.corrections import find_corrected, pair_of
from functions.ingest.pairs import PairMaker
from functions.ingest.parsing import parse
from functions.ingest.passages import stage_pair
from functions.ingest.written_pairs import with_written_pairs
from shared.domain import Accepted, Bot, ObjectVersion, Observation, Pair, sha256_of_file
from shared.embedders import Embedders
from shared.errors import (
    NotFoundError,
    ObjectChangedError,
    RejectedDocumentError,
    StoreUnavailableError,
    SupersededError,
)
from shared.keys import is_correction
from shared.ledger import DeletionLedger
from shared.ports import DocumentCatalog, Embedder, ObjectStore, PairWriter
from shared.steps import step
from shared.telemetry import logger, logging_context

LOOK_LEASE_SECONDS = 120.0
PART_PAIRS = 500  # in one transaction
PART_CHARACTERS = 2_000_000
DELETES_AT_ONCE = 200  # that are made again before a look


@dataclass(frozen=True, slots=True)
class Ingest:
    """What looking at an object needs."""

    documents: DocumentCatalog
    objects: ObjectStore
    embedders: Embedders
    max_object_bytes: int
    ledger: DeletionLedger
    pair_writer: PairWriter | None = None
    written_sections: int = 0  # of a document that the pair writer may read
    caught_up: set[UUID] = field(default_factory=set)  # bots whose catalog was found to know every delete

    def look_at(self, bot: Bot, object_key: str) -> UUID | None:
        """Look at one object; returns its document if there is something to deliver for it.

        Raises LeasedError while another worker is looking, ObjectChangedError if it changed meanwhile,
        EmbedderMismatchError if this process does not have the bot's embedder, BehindError while the catalog has deletes
        to make again, NotFoundError if the bot is among them, and whatever a store raises: then nothing is concluded, and
        the same look can be made again.
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
            return self._conclude(observation)
        except SupersededError:
            return None  # whoever began the newer look goes on
        except BaseException:
            with suppress(StoreUnavailableError):  # then the lease ends by itself
                self.documents.release(observation)
            raise

    def _catch_up(self, bot: Bot) -> None:
        """A delete whose worker died must not take what was put under the same key after it."""
        if bot.bot_id not in self.caught_up:
            self.ledger.catch_up(bot, at_most=DELETES_AT_ONCE)
            self.caught_up.add(bot.bot_id)

    def _conclude(self, observation: Observation) -> UUID | None:
        version = self.objects.head(observation.object_key)
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
            self._stage(observation, version, content_hash, file)
        return observation.document_id

    def _stage(self, observation: Observation, version: ObjectVersion, content_hash: str, file: BinaryIO) -> None:
        embedder = self.embedders.of(observation.bot.collection)  # a passage is what fits its window
        if is_correction(observation.object_key):
            self._stage_correction(observation, version, content_hash, file, embedder)
            return
        name = observation.object_key.partition("/")[2]
        document = parse(file, name)
        maker = PairMaker(
            document_id=observation.document_id,
            document=document,
            fallback_title=PurePosixPath(name).stem,
            columns=observation.bot.settings.columns,
            name=name,
        )
        accepted = Accepted(version, content_hash, maker.title)
        generation, pairs_so_far = None, 0
        for part, is_last in _marking_last(_parts(self._with_written(maker.pairs(), observation))):
            pairs_so_far += len(part)
            generation = self._stage_part(
                observation, accepted, generation, part, embedder, sealed_pairs=pairs_so_far if is_last else None
            )
            step("upload.part-staged")
        if generation is None:
            raise RejectedDocumentError("There is no text in it.")
        logger().info(
            "generation committed",
            key=observation.object_key,
            version=version.token,
            generation=generation,
            pairs=pairs_so_far,
        )

    def _with_written(self, pairs: Iterator[Pair], observation: Observation) -> Iterator[Pair]:
        if self.pair_writer is None or not self.written_sections:
            return pairs
        return with_written_pairs(
            pairs,
            document_id=observation.document_id,
            writer=self.pair_writer,
            sections=self.written_sections,
            own_pair=lambda qa_id: self.documents.own_pair(observation.bot, qa_id),
        )

    def _stage_correction(
        self, observation: Observation, version: ObjectVersion, content_hash: str, file: BinaryIO, embedder: Embedder
    ) -> None:
        own, correction = find_corrected(self.documents, observation.bot, observation.object_key, file)
        accepted = Accepted(version, content_hash, own.pair.question, corrects=own)
        pair = pair_of(correction, observation.document_id)
        self._stage_part(observation, accepted, None, [pair], embedder, sealed_pairs=1)
        step("correct.staged")

    def _stage_part(
        self,
        observation: Observation,
        accepted: Accepted,
        generation: int | None,
        part: list[Pair],
        embedder: Embedder,
        *,
        sealed_pairs: int | None,
    ) -> int:
        unchanged = self.documents.unchanged_pairs(observation, {pair.qa_id: pair.content_hash for pair in part})
        changed = [pair for pair in part if pair.qa_id not in unchanged]
        named = {relation.target_external_id or "" for pair in changed for relation in pair.relations}
        elsewhere = sorted(named - {"", *(pair.external_id for pair in part)})
        others = self.documents.pairs_of_others(observation, elsewhere)
        return self.documents.stage(
            observation,
            accepted,
            generation=generation,
            pairs=[stage_pair(observation.bot, observation.document_id, pair, embedder, others) for pair in changed],
            unchanged=unchanged,
            sealed_pairs=sealed_pairs,
            lease_seconds=LOOK_LEASE_SECONDS,
        )


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
    for part in parts:
        if previous is not None:
            yield previous, False
        previous = part
    if previous is not None:
        yield previous, True
