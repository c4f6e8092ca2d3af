"""The deletion ledger: every delete, numbered, in the object store, written before the delete is acknowledged.

It outlives the catalog. A catalog that was restored, or set back in time, finds in it what was deleted since, and deletes
it again before it answers. What is in the ledger is deleted, even if the worker that wrote it died before its tombstone:
an object that was put again meanwhile becomes a new document.

An entry's number is the time in milliseconds, raised past every number that is there, with a random end: two writers need
not agree on a number, and nothing is asked of the store but to list what was put.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from shared.domain import Bot, Deletion, LivePair
from shared.errors import BehindError, LockstepError, NotFoundError
from shared.ports import DeletionCatalog, Hints, ObjectStore, Registry
from shared.steps import step
from shared.telemetry import logger

KINDS = ("document", "pair", "bot")
PREFIX = ".lockstep/ledger/"  # no bot's prefix begins with a dot
READS_AT_ONCE = 8
WRITE_SECONDS = 60.0  # an entry that took longer to write is written again, with a number of its own time
_ENTRY = re.compile(r"[0-9]{15}-[0-9a-f]{12}")
SETTLE_SECONDS = 20 * 60.0  # far more than that, and than clocks differ: then no entry with a lower number can come


@dataclass(frozen=True, slots=True)
class DeletionLedger:
    """Writes and follows the ledger. `clock` gives the seconds since 1970."""

    bucket: ObjectStore
    catalog: DeletionCatalog
    registry: Registry
    hints: Hints
    clock: Callable[[], float] = time.time

    # Writing

    def append(
        self,
        bot: Bot,
        kind: str,
        *,
        document_id: UUID | None = None,
        object_key: str | None = None,
        qa_id: UUID | None = None,
        generation: int | None = None,
    ) -> Deletion:
        """Write an entry; it is durable when this returns."""
        while True:
            begin = time.monotonic()
            deletion = Deletion(
                entry=self._next_entry(bot.slug),
                kind=kind,
                bot_id=bot.bot_id,
                slug=bot.slug,
                deleted_at=datetime.now(UTC),
                document_id=document_id,
                object_key=object_key,
                qa_id=qa_id,
                generation=generation,
            )
            content = json.dumps(asdict(deletion), default=str, ensure_ascii=False).encode()
            self.bucket.put(_key(bot.slug, deletion.entry), content, content_type="application/json")
            if time.monotonic() - begin < WRITE_SECONDS:
                step("ledger.entry-written")
                return deletion

    def _next_entry(self, slug: str) -> str:
        number = int(self.clock() * 1000)
        later = self._entries(slug, after=f"{number:015}")  # of a clock that is ahead of this one
        number = max([number, *(_number(entry) + 1 for entry in later)])
        return f"{number:015}-{secrets.token_hex(6)}"

    def delete_bot(self, bot: Bot) -> Bot:
        """Its answers stop with this; what is behind it is removed by sync. Raises NotFoundError."""
        deletion = self.append(bot, "bot")
        deleted = self.registry.delete_bot(bot.slug, deletion.entry)
        step("delete.bot-buried")
        return deleted

    def delete_pair(self, bot: Bot, pair: LivePair) -> None:
        """A pair goes out of the file that it stands in with others, until a later version of the file brings it again."""
        deletion = self.append(bot, "pair", document_id=pair.document_id, qa_id=pair.qa_id, generation=pair.generation)
        self.catalog.apply(bot, deletion)
        step("delete.pair-buried")

    # Following

    def catch_up(self, bot: Bot, *, at_most: int | None = None) -> int:
        """Delete again what the catalog does not know to be deleted; returns how many entries that were.

        Raises BehindError if more than `at_most` were missing, NotFoundError if the bot itself is among the deleted.
        """
        missing = self._missing(bot)
        for deletion in self._read_all(bot.slug, missing[:at_most]):
            self.apply(bot, deletion)
        if at_most is not None and len(missing) > at_most:
            raise BehindError(f"{len(missing) - at_most} deletes of {bot.slug!r} have yet to be made again.")
        return len(missing)

    def _missing(self, bot: Bot) -> list[str]:
        # The ledger is listed first: an entry that is applied meanwhile is known to be when the catalog is asked.
        listed = self._entries(bot.slug, after=self.catalog.settled(bot))
        return self.catalog.unapplied(bot, listed) if listed else []

    def apply(self, bot: Bot, deletion: Deletion) -> None:
        """Make one delete again. Raises NotFoundError if it is the bot's own."""
        if deletion.kind == "bot" and deletion.bot_id == bot.bot_id:
            self.registry.delete_bot(bot.slug, deletion.entry)
            step("ledger.bot-deleted-again")
            raise NotFoundError(f"There is no bot {bot.slug!r}.")
        if self.catalog.apply(bot, deletion):
            logger().warning("deleted again", bot=bot.slug, kind=deletion.kind, document_id=str(deletion.document_id))
        step("ledger.entry-applied")
        if deletion.object_key:
            self.hints.object_changed(deletion.object_key)  # what lies under that key now is a new document

    def settle(self, bot: Bot) -> None:
        """Remember up to where all is applied and nothing can come any more, so that less is listed from now on."""
        before = int((self.clock() - SETTLE_SECONDS) * 1000)
        entries = [e for e in self._entries(bot.slug, after=self.catalog.settled(bot)) if _number(e) < before]
        if entries and not self.catalog.unapplied(bot, entries):
            self.catalog.settle(bot, entries[-1])
            step("ledger.settled")

    # Reading

    def deletions(self, slug: str, *, since: datetime | None = None) -> list[Deletion]:
        """Every delete of the bots of that slug, in the order of their numbers."""
        after = f"{int(since.timestamp() * 1000):015}" if since else ""
        return list(self._read_all(slug, self._entries(slug, after=after)))

    def is_empty(self) -> bool:
        """Whether nothing was ever deleted."""
        return next(self.bucket.list(PREFIX), None) is None

    def _read_all(self, slug: str, entries: Sequence[str]) -> Iterator[Deletion]:
        if entries:
            with ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="deletion-ledger") as pool:
                yield from pool.map(lambda entry: self._read(slug, entry), entries)

    def _read(self, slug: str, entry: str) -> Deletion:
        """Raises LockstepError for what cannot be read: nobody can tell what was deleted then."""
        version = self.bucket.head(_key(slug, entry))
        if version is None:
            raise LockstepError(f"The entry {entry} has gone from the deletion ledger of {slug!r}: bring it back.")
        with self.bucket.open(version) as file:
            content = file.read()
        try:
            return _deletion(json.loads(content))
        except (ValueError, TypeError, KeyError) as error:
            raise LockstepError(f"The object {version.key} is damaged: a delete cannot be made again.") from error

    def _entries(self, slug: str, *, after: str) -> list[str]:
        start = f"{_prefix(slug)}{after}" if after else ""
        keys = (version.key for version in self.bucket.list(_prefix(slug), after=start))
        names = (key.removeprefix(_prefix(slug)).removesuffix(".json") for key in keys)
        return [name for name in names if name != after and _ENTRY.fullmatch(name)]


def _deletion(record: dict[str, Any]) -> Deletion:
    known: dict[str, Any] = {name: record.get(name) for name in Deletion.__slots__}
    known |= {name: UUID(known[name]) for name in ("bot_id", "document_id", "qa_id") if known[name]}
    deletion = Deletion(**(known | {"deleted_at": datetime.fromisoformat(record["deleted_at"])}))
    if deletion.kind not in KINDS or (deletion.kind != "bot" and deletion.document_id is None):
        raise ValueError(deletion.kind)
    return deletion


def _prefix(slug: str) -> str:
    return f"{PREFIX}{slug}/"


def _key(slug: str, entry: str) -> str:
    return f"{_prefix(slug)}{entry}.json"


def _number(entry: str) -> int:
    return int(entry.partition("-")[0])
