"""The door of ingest: S3 events, directly or inside SQS messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote_plus
from uuid import UUID

from functions.ingest.lifetime import Lifetime
from functions.ingest.pipeline import Ingest
from shared import wiring
from shared.delivery import Delivery
from shared.domain import Bot
from shared.errors import LockstepError, NotFoundError, OutOfTimeError
from shared.keys import split_key
from shared.linking import Linking
from shared.telemetry import logger, logging_context, request_id_of

Event = Mapping[str, Any]


def handler(event: Event, context: Any) -> dict[str, Any]:
    """Look at every object that the event names, then deliver what came of it.

    For SQS the answer names the messages to be given again; for a direct event a failure is raised.
    """
    try:
        with logging_context(request_id=request_id_of(context)):
            return _look_and_deliver(event, context)
    finally:
        wiring.emit_metrics()


def _look_and_deliver(event: Event, context: Any) -> dict[str, Any]:
    def time_left() -> float:
        return float(context.get_remaining_time_in_millis()) / 1000

    batch = _Batch(Lifetime.begin(time_left))
    failures: list[str] = []
    messages = [record for record in event.get("Records", []) if record.get("eventSource") == "aws:sqs"]
    for message in messages:
        try:
            batch.look_at_all(json.loads(message["body"]))
        except Exception as error:
            logger().warning("message will be given again", message_id=message["messageId"], error=repr(error))
            failures.append(message["messageId"])
    if not messages:
        batch.look_at_all(event)
    batch.deliver(time_left)
    wiring.tell_of_documents(batch.bots.values(), time_left)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failures]}


class _Batch:
    """The objects of one event, each looked at once, and the documents that they left to deliver."""

    def __init__(self, lifetime: Lifetime) -> None:
        self._lifetime = lifetime
        self._has_looked = False  # the first look is made however short the time is, or none would ever be
        self._ingest = Ingest(
            documents=wiring.documents(),
            objects=wiring.bucket(),
            embedders=wiring.embedders(),
            max_object_bytes=wiring.settings().max_object_mb * 1_000_000,
            ledger=wiring.ledger(),
            hints=wiring.hints(),
            lifetime=lifetime,
            pair_writer=wiring.pair_writer(),
            written_sections=wiring.settings().llm_sections,
        )
        self._prefix = wiring.prefix_of(wiring.settings().bucket_url)
        self.bots: dict[UUID, Bot] = {}
        self._seen: set[str] = set()
        self._to_deliver: dict[UUID, tuple[Bot, list[UUID]]] = {}

    def look_at_all(self, notification: Event) -> None:
        for record in notification.get("Records", []):  # a test event of S3 has none
            key = unquote_plus(record["s3"]["object"]["key"])
            if key.startswith(self._prefix):  # what lies beside is not ours
                self._look_at(key.removeprefix(self._prefix))

    def _look_at(self, key: str) -> None:
        slug, name = split_key(key)
        if not name or key in self._seen:
            return
        if self._has_looked and not self._lifetime.has_enough:
            raise OutOfTimeError()
        self._has_looked = True
        try:
            bot = wiring.registry().bot(slug)
            document_id = self._ingest.look_at(bot, f"{slug}/{name}")
        except NotFoundError:
            logger().info("no bot of that name: the object is left alone", key=key)
            return
        self.bots[bot.bot_id] = bot
        if document_id:
            self._to_deliver.setdefault(bot.bot_id, (bot, []))[1].append(document_id)
        self._seen.add(key)

    def deliver(self, time_left: Callable[[], float]) -> None:
        """Deliver now what can be. It is committed already, so a store that is away is for sync to come back to."""
        for bot, document_ids in self._to_deliver.values():
            try:
                is_finished = _deliver(bot, document_ids, time_left)
                is_finished &= Linking(wiring.graph(), time_left).run(bot, document_ids)
            except LockstepError as error:
                logger().warning(
                    "delivery is left to sync",
                    bot=bot.slug,
                    document_ids=[str(document_id) for document_id in document_ids],
                    error=f"{type(error).__name__}: {error}",
                )
                is_finished = False
            if not is_finished:
                wiring.hints().sync_wanted()


def _deliver(bot: Bot, document_ids: Sequence[UUID], time_left: Callable[[], float]) -> bool:
    """To the bot's collection, and during a change of embedder to the next one too. Returns whether all is done."""
    embedders, is_finished = wiring.embedders(), True
    for view in embedders.views(bot):
        delivery = Delivery(
            registry=wiring.registry(),
            catalog=wiring.delivery_catalog(),
            index=wiring.index(),
            embedder=embedders.of(view.collection),
            hints=wiring.hints(),
            time_left=time_left,
        )
        is_finished &= delivery.run(view, document_ids)
    return is_finished
