"""Deployment, collections, bots and leases; the partitions that come and go with a bot."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from shared.catalog.mapping import bot_from, collection_from, counts_of, to_json
from shared.domain import Bot, BotSettings, Collection, sha256_of
from shared.errors import ConfigurationError, ConflictError, InvalidInputError, MismatchError, NotFoundError
from shared.steps import step

if TYPE_CHECKING:
    from shared.domain import EmbedderModel
    from shared.postgres import PostgresClient, Row, Transaction

SCHEMA_VERSION = 1  # of a collection's fields; raised when they change, so that a new collection is built
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_PARTITION_LOCK = 7_402_517_001  # an advisory lock's number has no meaning of its own


class PostgresRegistry:
    """The port `Registry`. `direct` must reach Postgres without a transaction-mode pooler in between."""

    def __init__(self, client: PostgresClient, direct: PostgresClient) -> None:
        self._client = client
        self._direct = direct

    def deployment_id(self) -> UUID:
        """The id that is written into catalog, collections and bucket."""
        found = self._client.transact(lambda tx: tx.value("deployment"), read_only=True)
        if found is None:
            raise ConfigurationError("The catalog has no deployment yet: run `lockstep migrate`.")
        return UUID(str(found))

    def ensure_collection(
        self, model: EmbedderModel, *, metric: str, index_type: str, index_params: Mapping[str, int]
    ) -> Collection:
        """The collection of that embedder, registered if it is new; its index settings are those it was registered with."""
        deployment_id = self.deployment_id()
        name = collection_name(model, deployment_id)

        def work(tx: Transaction) -> Collection:
            tx.execute(
                "insert_collection",
                collection_id=uuid4(),
                name=name,
                model_id=model.model_id,
                model_revision=model.revision,
                dimension=model.dimension,
                metric=metric,
                index_type=index_type,
                index_params=to_json(index_params),
            )
            row = tx.row("collection_by_name", name=name)
            assert row is not None
            return collection_from(row, deployment_id)

        collection = self._client.transact(work)
        if collection.dimension != model.dimension:
            raise MismatchError(
                f"{model.model_id} gives {model.dimension} dimensions, {name} holds {collection.dimension}."
            )
        return collection

    def set_incarnation(self, collection: Collection, incarnation: UUID) -> None:
        self._client.transact(
            lambda tx: tx.execute("set_incarnation", collection_id=collection.collection_id, incarnation=incarnation)
        )

    # Bots

    def register_bot(self, slug: str, name: str, settings: BotSettings, collection: Collection) -> Bot:
        """Insert the bot and attach its partitions, in one transaction. Raises ConflictError, InvalidInputError."""
        if not SLUG.fullmatch(slug):
            raise InvalidInputError(
                f"{slug!r} is not a slug: use lower-case letters, digits and hyphens, beginning with a letter or digit, "
                "at most 63 of them."
            )
        bot_id = uuid4()

        def work(tx: Transaction) -> None:
            tx.execute(
                "insert_bot",
                bot_id=bot_id,
                slug=slug,
                name=name,
                collection_id=collection.collection_id,
                settings=to_json(asdict(settings)),
            )
            attach_partitions(tx, bot_id)

        try:
            self._direct.transact(work, timeout_seconds=30)
        except ConflictError as error:
            raise ConflictError(f"The slug {slug!r} is or was in use; a slug is never given out twice.") from error
        return self.bot(slug)

    def bot(self, slug: str) -> Bot:
        is_slug = SLUG.fullmatch(slug)  # what is none may hold characters that Postgres refuses
        row = self._client.transact(lambda tx: tx.row("bot_by_slug", slug=slug), read_only=True) if is_slug else None
        if row is None:
            raise NotFoundError(f"There is no bot {slug!r}.")
        return bot_from(row)

    def change_bot(self, slug: str, *, name: str | None, settings: Mapping[str, Any]) -> Bot:
        bot = self.bot(slug)
        self._client.transact(
            lambda tx: tx.execute("change_bot", bot_id=bot.bot_id, name=name, settings=to_json(settings))
        )
        return self.bot(slug)

    def bot_by_id(self, bot_id: UUID) -> Bot:
        row = self._client.transact(lambda tx: tx.row("bot_by_id", bot_id=bot_id), read_only=True)
        if row is None:
            raise NotFoundError(f"There is no bot {bot_id}.")
        return bot_from(row)

    def bots(self) -> list[Bot]:
        return [bot_from(row) for row in self._client.transact(lambda tx: tx.rows("active_bots"), read_only=True)]

    def deleting_bots(self) -> list[Bot]:
        return [bot_from(row) for row in self._client.transact(lambda tx: tx.rows("deleting_bots"), read_only=True)]

    def bot_states(self) -> dict[UUID, str]:
        rows = self._client.transact(lambda tx: tx.rows("bot_states"), read_only=True)
        return {row["bot_id"]: row["state"] for row in rows}

    def collections(self) -> list[Collection]:
        deployment_id = self.deployment_id()
        rows = self._client.transact(lambda tx: tx.rows("collections"), read_only=True)
        return [collection_from(row, deployment_id) for row in rows]

    def delete_bot(self, slug: str, entry: str | None = None) -> Bot:
        if not SLUG.fullmatch(slug):
            raise NotFoundError(f"There is no bot {slug!r}.")

        def work(tx: Transaction) -> Bot:
            locked = tx.row("lock_bot", slug=slug)
            if locked is None or (locked["state"] != "active" and entry is None):
                raise NotFoundError(f"There is no bot {slug!r}.")
            bot = bot_from(_found(tx.row("bot_by_id", bot_id=locked["bot_id"])))
            if locked["state"] != "active":
                return bot
            counts = tx.row("count_bot_documents", bot_id=bot.bot_id)
            tx.execute("set_bot_state", bot_id=bot.bot_id, state="deleting")
            tx.execute(
                "insert_tombstone",
                tombstone_id=bot.bot_id,  # one per bot, so that a repetition finds it
                kind="bot",
                bot_id=bot.bot_id,
                document_id=None,
                qa_id=None,
                generation=None,
                object_key=None,
                counts=counts_of(counts),
            )
            return bot

        return self._client.transact(work, timeout_seconds=60)

    def drop_bot(self, bot: Bot) -> None:
        """Detach and drop the bot's partitions without blocking other bots, then give the provisional receipt.

        Every step may have been done before: a repetition goes on where the last one stopped.
        """
        drop_partitions(self._direct, bot.bot_id)

        def work(tx: Transaction) -> None:
            for remains in ("drop_bot_markers", "drop_entries_of_bot", "drop_position_of_bot"):
                tx.execute(remains, bot_id=bot.bot_id)
            tx.execute("sweep_tombstone", tombstone_id=bot.bot_id)
            tx.execute("insert_receipt", tombstone_id=bot.bot_id, more="{}")
            tx.execute("set_bot_state", bot_id=bot.bot_id, state="deleted")

        self._client.transact(work, timeout_seconds=60)

    # Leases

    def claim_lease(self, name: str, holder: UUID, seconds: float) -> Mapping[str, Any] | None:
        def work(tx: Transaction) -> Mapping[str, Any] | None:
            row = tx.row("claim_lease", name=name, holder=holder, seconds=seconds)
            return None if row is None else dict(row["progress"])

        return self._client.transact(work)

    def save_progress(self, name: str, holder: UUID, progress: Mapping[str, Any]) -> None:
        self._client.transact(
            lambda tx: tx.execute("save_progress", name=name, holder=holder, progress=to_json(progress))
        )

    def release_lease(self, name: str, holder: UUID) -> None:
        self._client.transact(lambda tx: tx.execute("release_lease", name=name, holder=holder))

    def drop_lease(self, name: str, holder: UUID) -> None:
        self._client.transact(lambda tx: tx.execute("drop_lease", name=name, holder=holder))


def _found(row: Row | None) -> Row:
    assert row is not None  # its row was locked a statement ago
    return row


def collection_name(model: EmbedderModel, deployment_id: UUID) -> str:
    """One name per deployment, embedder and schema: letters, digits and underscores, as Milvus wants them."""
    words = re.sub(r"[^a-z0-9]+", "_", model.model_id.rsplit("/", 1)[-1].lower()).strip("_")[:40]
    digest = sha256_of([str(deployment_id), model.model_id, model.revision, SCHEMA_VERSION])[:12]
    return f"lockstep_{words}_{digest}"


def attach_partitions(tx: Transaction, bot_id: UUID) -> None:
    """Give a bot its partition of every table that has them. Other bots' readers and writers do not notice."""
    tx.script(f"select pg_advisory_xact_lock({_PARTITION_LOCK})")
    for table in tx.rows("partitioned_tables"):
        # CREATE TABLE … PARTITION OF would lock the parent against every other bot; ATTACH does not.
        name = table["name"]
        partition = f"{name}_{bot_id.hex}"
        tx.script(
            f"create table {partition} (like {name} including all);"
            f"alter table {name} attach partition {partition} for values in ('{bot_id}')"
        )


def drop_partitions(direct: PostgresClient, bot_id: UUID) -> None:
    """Detach and drop what a bot has of every table, without blocking other bots. May be repeated after any failure."""
    pattern = f"%\\_{bot_id.hex}"
    for partition in direct.transact(lambda tx: tx.rows("bot_partitions", pattern=pattern), read_only=True):
        if parent := partition["parent"]:
            how = "finalize" if partition["is_detaching"] else "concurrently"
            direct.run_alone(f"alter table {parent} detach partition {partition['name']} {how}")
            step("bot-deletion.partition-detached")
        direct.run_alone(f"drop table if exists {partition['name']}")
        step("bot-deletion.partition-dropped")
