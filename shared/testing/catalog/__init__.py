"""The catalog in memory: its ports over one state.

It is also the shortest statement of what each transition does; the state's one lock makes each of them atomic.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from shared.testing.catalog.amendments import InMemoryAmendments
from shared.testing.catalog.changes import InMemoryChanges
from shared.testing.catalog.deletion import InMemoryDeletions
from shared.testing.catalog.delivery import InMemoryDelivery
from shared.testing.catalog.documents import InMemoryDocuments
from shared.testing.catalog.graph import InMemoryGraph
from shared.testing.catalog.operations import InMemoryOperations
from shared.testing.catalog.reading import InMemoryReading
from shared.testing.catalog.registry import InMemoryRegistry
from shared.testing.catalog.state import CatalogState


class InMemoryCatalog:
    """A port of the catalog each, side by side over one state."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.state = CatalogState(clock)
        self.registry = InMemoryRegistry(self.state)
        self.documents = InMemoryDocuments(self.state)
        self.delivery = InMemoryDelivery(self.state)
        self.deletions = InMemoryDeletions(self.state)
        self.reading = InMemoryReading(self.state)
        self.operations = InMemoryOperations(self.state)
        self.changes = InMemoryChanges(self.state)
        self.graph = InMemoryGraph(self.state)
        self.amendments = InMemoryAmendments(self.state)


__all__ = ["InMemoryCatalog"]
