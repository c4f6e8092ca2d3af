"""The embedders that one process has, by the collection whose rows they made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.errors import EmbedderMismatchError

if TYPE_CHECKING:
    from shared.domain import Bot, Collection
    from shared.ports import Embedder


@dataclass(frozen=True, slots=True)
class Embedders:
    """The process's own embedder and, during a change, the next one. Each is opened when it is first needed."""

    own: Callable[[], Embedder]
    next: Callable[[], Embedder] | None = None

    def of(self, collection: Collection) -> Embedder:
        """The embedder that the collection's rows were made by. Raises EmbedderMismatchError if it is not here."""
        known = []
        for open_one in filter(None, (self.own, self.next)):
            embedder = open_one()
            if collection.is_of(embedder.model):
                return embedder
            known.append(f"{embedder.model.model_id} ({embedder.model.revision})")
        raise EmbedderMismatchError(
            f"The collection {collection.name} was embedded with {collection.embedder}, this process has "
            f"{' and '.join(known)}: give it that model with LOCKSTEP_MODEL_PATH or LOCKSTEP_NEXT_MODEL_PATH."
        )

    def views(self, bot: Bot) -> Iterator[Bot]:
        """What this process can deliver to: the bot, and during a change also the bot as it will be, if its next
        embedder is here. Nothing is opened while there is no change."""
        yield bot
        if bot.next_collection is not None and self._has(bot.next_collection):
            yield bot.within(bot.next_collection)

    def _has(self, collection: Collection) -> bool:
        return any(collection.is_of(open_one().model) for open_one in filter(None, (self.next, self.own)))
