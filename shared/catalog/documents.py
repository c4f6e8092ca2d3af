"""The life of one object: observe, stage, seal, conclude, remove."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from shared.catalog.mapping import (
    counts_of,
    own_pair_from,
    pair_records,
    passage_records,
    relation_records,
    source_records,
    status_from,
    to_json,
)
from shared.catalog.statistics import refresh_statistics
from shared.domain import (
    PAIRS_PER_ID,
    Accepted,
    Bot,
    DocumentStatus,
    ObjectVersion,
    Observation,
    OwnPair,
    Pair,
    SeenObject,
    Staged,
    StagedPair,
)
from shared.errors import LeasedError, LockstepError, NotFoundError, SupersededError

if TYPE_CHECKING:
    from shared.postgres import PostgresClient, Row, Transaction

STAGE_TIMEOUT_SECONDS = 60.0


class PostgresDocuments:
    """The port `DocumentCatalog`."""

    def __init__(self, client: PostgresClient) -> None:
        self._client = client

    # Looking

    def observe(self, bot: Bot, object_key: str, *, lease_seconds: float) -> Observation | None:
        def work(tx: Transaction) -> Observation | None:
            _share_bot(tx, bot)
            tx.execute("insert_document", bot_id=bot.bot_id, document_id=uuid4(), object_key=object_key)
            document = tx.row("lock_document_of_object", bot_id=bot.bot_id, object_key=object_key)
            assert document is not None
            if document["is_leased"]:
                raise LeasedError(f"Another worker is looking at {object_key}.")
            key = {"bot_id": bot.bot_id, "document_id": document["document_id"]}
            if document["building_generation"] is not None:
                if document["state"] != "failed":
                    tx.execute("ask_to_look_again", **key)
                    return None
                abandon_unfinished(tx, key)
            staged = _staged(tx, document)
            epoch = tx.value("begin_look", **key, lease_token=uuid4(), lease_seconds=lease_seconds)
            tx.execute("insert_observation", **key, epoch=epoch)
            return Observation(
                bot=bot,
                document_id=document["document_id"],
                object_key=object_key,
                epoch=epoch,
                seen_version=document["seen_version"],
                seen_hash=tx.value("live_content_hash", **key),
                is_known=document["seen_version"] is not None or document["last_generation"] > 0,
                staged=staged,
            )

        return self._client.transact(work)

    def put_off(self, observation: Observation, pairs: int) -> None:
        def work(tx: Transaction) -> None:
            _lock(tx, observation)
            tx.execute("count_staged_pairs", **_key(observation), pairs=pairs)
            tx.execute("put_off_look", **_key(observation))

        self._client.transact(work)

    def drop_staged(self, observation: Observation) -> None:
        def work(tx: Transaction) -> None:
            _lock(tx, observation)
            abandon_unfinished(tx, _key(observation))

        self._client.transact(work)

    def release(self, observation: Observation) -> None:
        self._client.transact(lambda tx: tx.execute("release_look", **_key(observation), epoch=observation.epoch))

    def conclude_seen(self, observation: Observation) -> None:
        def work(tx: Transaction) -> None:
            tx.execute("release_look", **_key(observation), epoch=observation.epoch)
            _conclude_observation(tx, observation, "unchanged")

        self._client.transact(work)

    def conclude_unchanged(self, observation: Observation, version: ObjectVersion) -> None:
        def work(tx: Transaction) -> None:
            document = _lock(tx, observation)
            is_live = document["live_generation"] is not None
            self._conclude(tx, observation, version, "unchanged", state="live" if is_live else document["state"])

        self._client.transact(work)

    def reject(self, observation: Observation, version: ObjectVersion, reason: str) -> None:
        def work(tx: Transaction) -> None:
            _lock(tx, observation)
            abandon_unfinished(tx, _key(observation))
            self._conclude(tx, observation, version, "rejected", state="rejected", reason=reason)

        self._client.transact(work)

    @staticmethod
    def _conclude(
        tx: Transaction,
        observation: Observation,
        version: ObjectVersion,
        outcome: str,
        *,
        state: str,
        reason: str | None = None,
    ) -> None:
        tx.execute("conclude_look", **_key(observation), version=version.token, state=state, reason=reason)
        _conclude_observation(tx, observation, outcome, version=version, reason=reason)

    def remove(self, observation: Observation, entry: str | None = None) -> None:
        def work(tx: Transaction) -> None:
            document = _lock(tx, observation)
            bury_document(tx, document)
            if entry:
                tx.execute("record_entry", bot_id=observation.bot.bot_id, entry=entry)

        self._client.transact(work, timeout_seconds=STAGE_TIMEOUT_SECONDS)

    # Staging

    def unchanged_pairs(self, observation: Observation, pairs: Sequence[Pair]) -> dict[UUID, int]:
        names = ("qa_id", "content_hash", "addresses", "links")
        offered = to_json([{name: getattr(pair, name) for name in names} for pair in pairs])
        rows = self._client.transact(
            lambda tx: tx.rows("unchanged_pairs", **_key(observation), pairs=offered), read_only=True
        )
        return {row["qa_id"]: row["since_generation"] for row in rows}

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
        def work(tx: Transaction) -> int:
            _lock(tx, observation)
            number = generation or _begin_generation(tx, observation, accepted)
            _insert_part(tx, observation, accepted, number, pairs, unchanged)
            if sealed_pairs is not None:
                _seal(tx, observation, accepted, number, sealed_pairs)
            else:
                tx.execute("extend_look", **_key(observation), lease_seconds=lease_seconds)
            return number

        return self._client.transact(work, timeout_seconds=STAGE_TIMEOUT_SECONDS)

    # Telling

    def pairs_of_others(self, observation: Observation, external_ids: Sequence[str]) -> dict[str, list[UUID]]:
        if not external_ids:
            return {}
        key = {**_key(observation), "external_ids": list(external_ids), "pairs_per_id": PAIRS_PER_ID}
        found: dict[str, list[UUID]] = {}
        for row in self._client.transact(lambda tx: tx.rows("pairs_of_others", **key), read_only=True):
            found.setdefault(row["external_id"], []).append(row["qa_id"])
        return found

    def own_pair(self, bot: Bot, qa_id: UUID) -> OwnPair | None:
        row = self._client.transact(lambda tx: tx.row("own_pair", bot_id=bot.bot_id, qa_id=qa_id), read_only=True)
        return None if row is None else own_pair_from(row)

    def document(self, bot: Bot, document_id: UUID) -> DocumentStatus:
        row = self._client.transact(
            lambda tx: tx.row("document", bot_id=bot.bot_id, document_id=document_id), read_only=True
        )
        if row is None:
            raise NotFoundError(f"The bot {bot.slug!r} has no document {document_id}.")
        return status_from(row)

    def document_of(self, bot: Bot, object_key: str) -> DocumentStatus | None:
        row = self._client.transact(
            lambda tx: tx.row("document_of_object", bot_id=bot.bot_id, object_key=object_key), read_only=True
        )
        return None if row is None else status_from(row)

    def seen_objects(self, bot: Bot, *, after: str, limit: int) -> list[SeenObject]:
        rows = self._client.transact(
            lambda tx: tx.rows("seen_objects", bot_id=bot.bot_id, after=after, limit=limit), read_only=True
        )
        return [SeenObject(row["object_key"], row["seen_version"]) for row in rows]

    def abandoned_corrections(self, bot: Bot, limit: int) -> list[str]:
        rows = self._client.transact(
            lambda tx: tx.rows("abandoned_corrections", bot_id=bot.bot_id, limit=limit), read_only=True
        )
        return [row["object_key"] for row in rows]

    def documents(self, bot: Bot, *, after: str, limit: int, state: str | None = None) -> list[DocumentStatus]:
        rows = self._client.transact(
            lambda tx: tx.rows("documents", bot_id=bot.bot_id, after=after, limit=limit, state=state), read_only=True
        )
        return [status_from(row) for row in rows]


def bury_document(tx: Transaction, document: Row) -> None:
    """Stop the answers of a document whose row is locked, and write its tombstone."""
    key = {"bot_id": document["bot_id"], "document_id": document["document_id"]}
    if document["last_generation"] == 0:  # nothing of it was ever written
        tx.execute("drop_observations", **key)
        tx.execute("drop_document", **key)
        return
    tx.execute("conclude_removal", **key, epoch=document["epoch"])
    tx.execute(
        "insert_tombstone",
        tombstone_id=uuid4(),
        kind="document",
        **key,
        qa_id=None,
        generation=None,
        object_key=document["object_key"],
        counts=counts_of(tx.row("document_contents", **key)),
    )
    tx.execute("bury_generations", **key)
    tx.execute("bury_document", **key)


def _key(observation: Observation) -> dict[str, UUID]:
    return {"bot_id": observation.bot.bot_id, "document_id": observation.document_id}


def _staged(tx: Transaction, document: Row) -> Staged | None:
    """What a look that was put off has left to go on with. What a worker left that failed or died is given up."""
    if document["staging_generation"] is None:
        return None
    key = {"bot_id": document["bot_id"], "document_id": document["document_id"]}
    if not document["look_again"]:
        abandon_unfinished(tx, key)
        return None
    row = tx.row("staged_generation", **key, generation=document["staging_generation"])
    assert row is not None
    return Staged(row["generation"], row["version"], row["pair_count"])


def _share_bot(tx: Transaction, bot: Bot) -> None:
    if tx.value("share_bot", bot_id=bot.bot_id) != "active":
        raise NotFoundError(f"There is no bot {bot.slug!r}.")


def _lock(tx: Transaction, observation: Observation) -> Row:
    """The document's row, locked, if this look is still the newest."""
    _share_bot(tx, observation.bot)
    document = tx.row("lock_document", **_key(observation))
    if document is None or document["deleted_at"] is not None or document["epoch"] != observation.epoch:
        raise SupersededError(f"A newer look at {observation.object_key} has begun.")
    return document


def abandon_unfinished(tx: Transaction, key: Mapping[str, UUID]) -> None:
    """Give up what is neither live nor kept. The document's row must be locked."""
    tx.execute("abandon_generations", **key)
    tx.execute("forget_unfinished", **key)


def _conclude_observation(
    tx: Transaction,
    observation: Observation,
    outcome: str,
    *,
    version: ObjectVersion | None = None,
    reason: str | None = None,
    generation: int | None = None,
) -> None:
    tx.execute(
        "conclude_observation",
        **_key(observation),
        epoch=observation.epoch,
        version=version.token if version else None,
        size=version.size if version else None,
        outcome=outcome,
        reason=reason,
        generation=generation,
    )
    tx.execute("drop_old_observations", **_key(observation), epoch=observation.epoch)


def _begin_generation(tx: Transaction, observation: Observation, accepted: Accepted) -> int:
    key = _key(observation)
    generation = int(tx.value("begin_generation", **key))
    tx.execute(
        "insert_generation",
        **key,
        generation=generation,
        version=accepted.version.token,
        content_hash=accepted.content_hash,
        title=accepted.title,
        corrects=accepted.corrects.pair.qa_id if accepted.corrects else None,
        corrects_document=accepted.corrects.document_id if accepted.corrects else None,
        corrects_hash=accepted.corrects.content_hash if accepted.corrects else None,
    )
    return generation


def _insert_part(
    tx: Transaction,
    observation: Observation,
    accepted: Accepted,
    generation: int,
    pairs: Sequence[StagedPair],
    unchanged: Mapping[UUID, int],
) -> None:
    bot, key = observation.bot, _key(observation)
    kept = [{"qa_id": qa_id, "since_generation": since} for qa_id, since in unchanged.items()]
    if kept:
        tx.execute("keep_unchanged", **key, generation=generation, pairs=to_json(kept))
    if not pairs:
        return
    path = observation.object_key.partition("/")[2]
    if accepted.corrects:  # a citation shows where the pair itself stands
        path = accepted.corrects.source.object_path
    passages = to_json(passage_records(pairs))
    records = to_json(pair_records(pairs))
    tx.execute("insert_pairs", **key, generation=generation, rows=records)
    tx.execute("insert_unlinked", **key, generation=generation, rows=records)
    tx.execute("insert_uncompared", **key, generation=generation, rows=records)
    tx.execute("insert_passages", **key, generation=generation, rows=passages)
    tx.execute("insert_membership", **key, generation=generation, rows=passages)
    has_grown = refresh_statistics(tx, bot.bot_id)  # the markers look for passages to copy from among these
    tx.execute(
        "insert_sources", **key, rows=to_json(source_records(pairs, name=path.rsplit("/", 1)[-1], object_path=path))
    )
    tx.execute(
        "insert_markers",
        **key,
        generation=generation,
        rows=passages,
        corrects=accepted.corrects.pair.qa_id if accepted.corrects else None,
        corrects_document=accepted.corrects.document_id if accepted.corrects else None,
    )
    if relations := relation_records(pairs):
        tx.execute("insert_relations", **key, generation=generation, rows=to_json(relations))
    refresh_statistics(tx, bot.bot_id, has_new_markers=has_grown)


def _seal(tx: Transaction, observation: Observation, accepted: Accepted, generation: int, pairs: int) -> None:
    key = _key(observation)
    counts = tx.row("generation_counts", **key, generation=generation)
    if counts is None or counts["pairs"] != pairs:
        raise LockstepError(f"{pairs} pairs of {observation.object_key} were staged, the catalog holds {counts}.")
    tx.execute("seal_generation", **key, generation=generation, **counts)
    tx.execute("begin_building", **key, generation=generation, version=accepted.version.token)
    _conclude_observation(tx, observation, "accepted", version=accepted.version, generation=generation)
