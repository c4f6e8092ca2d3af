"""Cuts a pair's response into passages that fit the embedder's window, at the best border there is."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from uuid import UUID, uuid4

from shared.aliases import with_aliases
from shared.analysis import terms_of_passage
from shared.domain import Bot, Pair, Passage, StagedPair, StagedPassage
from shared.ports import Embedder
from shared.rows import NO_OTHERS, make_row, related_nodes_of, text_hash_of
from shared.sentences import sentence_ends


def _ends_of(border: str) -> Callable[[str, int, int], Iterator[int]]:
    pattern = re.compile(border)
    return lambda text, begin, end: (found.end() for found in pattern.finditer(text, begin, end))


# Best first: a passage ends at the last border of the first kind that leaves it at least half full.
_BORDERS = (_ends_of(r"\n\s*\n\s*"), sentence_ends, _ends_of(r"\n\s*"), _ends_of(r"\s+"))
MAX_PASSAGE_CHARACTERS = 6_000  # tokens of garbage can be very long, and a row of the index holds 32 kB
QUESTION_SHARE = 4  # a question takes at most this part of the window


def stage_pair(
    bot: Bot, document_id: UUID, pair: Pair, embedder: Embedder, others: Mapping[str, Sequence[UUID]] = NO_OTHERS
) -> StagedPair:
    """The pair with freshly minted passages and what their markers record.

    `others` are the pairs of other documents that have the ids which its relations name.
    """
    related_nodes = related_nodes_of(pair.relations, others)
    asked = with_aliases(pair.question, pair.metadata.extra)  # bounded: Postgres takes a megabyte of lexemes at most
    staged = []
    for part, text in enumerate(cut(pair.question, pair.response, embedder)):
        passage = Passage(uuid4(), part, text, pair.page)
        row = make_row(
            deployment_id=bot.collection.deployment_id,
            bot_id=bot.bot_id,
            document_id=document_id,
            pair=pair,
            passage=passage,
            related_nodes=related_nodes,
        )
        text_hash = text_hash_of(pair.question, text)
        terms = terms_of_passage(asked, text)
        staged.append(StagedPassage(passage, row.row_hash, text_hash, *terms, related_nodes=related_nodes))
    return StagedPair(pair, tuple(staged))


def cut(question: str, response: str, embedder: Embedder) -> Iterator[str]:
    """The response in pieces which, each with the question before it, fit the window. At least one, none empty."""
    capacity = embedder.token_capacity
    budget = capacity - min(len(embedder.token_spans(question)) + 1, capacity // QUESTION_SHARE)
    spans = embedder.token_spans(response)
    ends = [end for _, end in spans]
    begin = 0
    while begin < len(response):
        first = bisect_right(ends, begin)  # also a token that the piece before has cut in two
        last = first + budget
        limit = len(response) if last >= len(spans) else spans[last][0]
        end = _border(response, begin, min(limit, begin + MAX_PASSAGE_CHARACTERS))
        if piece := response[begin:end].strip():
            yield piece
        begin = end


def _border(text: str, begin: int, limit: int) -> int:
    """Where a piece that begins at `begin` and may not pass `limit` should end."""
    if limit >= len(text):
        return len(text)
    half = begin + (limit - begin) // 2
    for ends_in in _BORDERS:
        ends = [end for end in ends_in(text, half, limit) if end > begin]
        if ends:
            return ends[-1]
    return max(limit, begin + 1)
