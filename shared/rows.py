"""How a pair and a passage become a row of the index. The same content always gives the same row and hash."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from types import MappingProxyType
from typing import Any
from uuid import UUID

from shared.domain import IndexRow, Pair, Passage, Relation, sha256_of

# Bytes of UTF-8 that a field of the index holds. What is longer is clipped there and whole in the catalog, which has the
# last word on every filter.
FIELD_BYTES = {
    "passage_id": 36,
    "deployment_id": 36,
    "bot_id": 36,
    "document_id": 36,
    "qa_id": 36,
    "external_id": 512,
    "question": 8_192,
    "response": 32_768,
    "category": 512,
    "subcategory": 512,
    "source": 512,
    "source_type": 128,
    "author": 512,
    "language": 32,
    "difficulty": 128,
    "tags": 4_096,
}
METADATA_BYTES = 32_768
RELATED_NODES = 64
NO_OTHERS: Mapping[str, Sequence[UUID]] = MappingProxyType({})
NO_DATE = -(2**62)  # no filter on dates reaches it
LAST_SECOND = 2**61


def make_row(
    *, deployment_id: UUID, bot_id: UUID, document_id: UUID, pair: Pair, passage: Passage, related_nodes: Iterable[Any]
) -> IndexRow:
    """The row that the index must hold for `passage`, vectors apart."""
    metadata = pair.metadata
    texts = {
        name: clip(getattr(metadata, name) or "", FIELD_BYTES[name])
        for name in ("category", "subcategory", "source", "source_type", "author", "language", "difficulty")
    }
    return IndexRow(
        passage_id=passage.passage_id,
        deployment_id=deployment_id,
        bot_id=bot_id,
        document_id=document_id,
        qa_id=pair.qa_id,
        part=passage.part,
        question=clip(pair.question, FIELD_BYTES["question"]),
        response=clip(passage.text, FIELD_BYTES["response"]),
        is_active=pair.is_active,
        external_id=clip(pair.external_id or "", FIELD_BYTES["external_id"]),
        tags=clip("".join(f"|{tag_token(tag)}" for tag in metadata.tags), FIELD_BYTES["tags"] - 1) + "|",
        published_at=seconds_of(metadata.published_at),
        related_nodes=tuple(related_nodes),
        metadata=metadata.extra if len(str(metadata.extra)) <= METADATA_BYTES // 4 else {},
        **texts,
    )


def related_nodes_of(
    relations: Iterable[Relation], others: Mapping[str, Sequence[UUID]] = NO_OTHERS
) -> tuple[dict[str, Any], ...]:
    """The relations of a pair as the hint that its rows carry. `others`: which pairs of other documents have which id."""
    nodes = (
        {"qa_id": str(target), "type": r.type, "confidence": r.confidence / len(targets)}
        for r in relations
        for targets in [others.get(r.target_external_id or "") or (r.target_qa_id,)]
        for target in targets
    )
    return tuple(islice(nodes, RELATED_NODES))


def text_hash_of(question: str, text: str) -> str:
    """Equal hashes have equal vectors under one embedder."""
    return sha256_of((question, text))


def seconds_of(moment: datetime | None) -> int:
    """Whole seconds since 1970 in UTC, or NO_DATE."""
    return NO_DATE if moment is None else int(moment.timestamp() // 1)


def whole_seconds_within(begin: datetime | None, end: datetime | None) -> tuple[int, int]:
    """The first and the last second that lie in a period as a whole; what is None is far away."""
    first = -LAST_SECOND if begin is None else seconds_of(begin) + bool(begin.microsecond)
    return first, LAST_SECOND if end is None else seconds_of(end) - 1


def tag_token(tag: str) -> str:
    """A tag without the characters that mean something in a LIKE pattern or in the field's own form."""
    return re.sub(r"[|%_\\\"'\s]+", "-", tag.casefold())


def tags_of(tokens: str) -> list[str]:
    """The tags of a row's field, as far as they can be told from it."""
    return [token for token in tokens.split("|") if token]


def is_kept_whole(text: str, limit: int) -> bool:
    """Whether a field of `limit` bytes that holds this text holds nothing longer that was clipped to it."""
    return len(text.encode("utf-8")) <= limit - 4  # a character has at most 4 bytes


def clip(text: str, limit: int) -> str:
    """The longest beginning of `text` that fits `limit` bytes of UTF-8."""
    encoded = text.encode("utf-8")
    return text if len(encoded) <= limit else encoded[:limit].decode("utf-8", "ignore")
