"""Reads a bot back from the index and compares it with what the catalog has proven."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from shared.domain import Bot
from shared.ports import DeliveryCatalog, VectorIndex

BATCH = 256


def verify_bot(bot: Bot, catalog: DeliveryCatalog, index: VectorIndex) -> dict[str, Any]:
    """Counts of passages by what was found of them, and a checksum over all that are intact.

    `missing` is proven but not in the index, `corrupt` differs from what was proven, `orphaned` is in the index and not in
    the catalog. Work that is under way is none of them.
    """
    counts = {"passages": 0, "intact": 0, "missing": 0, "corrupt": 0}
    checksum = hashlib.sha256()
    after = UUID(int=0)
    while proven := catalog.proven_passages(bot, after=after, limit=BATCH):
        found = index.fetch(bot.collection, bot.bot_id, [proof.passage_id for proof in proven])
        for proof in proven:
            counts["passages"] += 1
            if proof.passage_id not in found:
                counts["missing"] += 1
                continue
            row, vectors = found[proof.passage_id]
            is_intact = row.row_hash == proof.row_hash and vectors.digest == proof.vector_digest
            counts["intact" if is_intact else "corrupt"] += 1
            if is_intact:
                checksum.update(f"{row.row_hash}{vectors.digest}".encode())
        after = proven[-1].passage_id
    known = catalog.known_passages(bot)
    orphaned = max(0, index.count(bot.collection, bot.bot_id) - known - counts["intact"] - counts["corrupt"])
    return {"bot": bot.slug, **counts, "orphaned": orphaned, "checksum": checksum.hexdigest()[:16]}
