"""Compares the questions of what went live with all others of its bot: those that are alike become relations.

It comes after everything that somebody may wait for. The vectors are those that the index holds: nothing is embedded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.delivery import RESERVE_SECONDS
from shared.domain import Bot, Candidate, Uncompared
from shared.ports import GraphCatalog, VectorIndex
from shared.steps import step

# Measured on question vectors of all-MiniLM-L6-v2, for each pair its five nearest: the share that is right. "The same topic" is
# the same focus, or a synonym or a concept (CUI) in common; "close kin" has one focus within the other, or the same but for a
# number, a letter or an age.
#
#   MedQuAD, 16,407 pairs      from 0.80  0.85  0.90  0.92  0.95  0.97
#   the same topic                  .80   .83   .85   .87   .92   .97
#   the same topic or close kin     .85   .90   .95   .96   .985  .99
#   … in other words                .84   .88   .90   .92   .95   .95
#   pairs with such a neighbour     .89   .70   .44   .36   .29   .25
#
# So from 0.95 on, nineteen of twenty are what a reader would call the same matter, even of those that are not the same word for
# word. What is wrong is nearly always the same question about another disease. Of 1,000 BioASQ questions, all neighbours from
# 0.90 on have a relevant abstract in common, from 0.85 on four of five. Another embedder needs another figure.
SIMILAR_FROM = 0.95
PAIRS_AT_ONCE = 50  # many vectors in one search: one by one costs ten times as much each
NEIGHBOURS = 12  # that are looked at for each: some are of kept generations or dead; each costs as much as finding it
SAME = 0.9999  # the cosine of equal questions, as float32 has it


@dataclass(frozen=True, slots=True)
class Comparing:
    """Compares contents of pairs a batch at a time. Another worker may go on after any of them."""

    graph: GraphCatalog
    index: VectorIndex
    time_left: Callable[[], float]

    def run(self, bot: Bot) -> bool:
        """Compare what is live and not compared yet; returns whether that was all.

        Raises StoreUnavailableError; nothing is lost by that. What the index has lost waits until it is delivered again.
        """
        last: Uncompared | None = None
        while self.time_left() > RESERVE_SECONDS:
            contents = self.graph.uncompared(bot, after=last, limit=PAIRS_AT_ONCE)
            if contents:
                found = self._compare(bot, contents)
                step("graph.neighbours-found")
                self.graph.set_similar(bot, found)
                step("graph.pairs-compared")
                last = contents[-1]
            if len(contents) < PAIRS_AT_ONCE:
                return True
        return False

    def _compare(self, bot: Bot, contents: Sequence[Uncompared]) -> dict[Uncompared, Sequence[Candidate]]:
        """Each content whose row the index has, with the passages that are like it: none where it is not active."""
        rows = self.index.fetch(bot.collection, bot.bot_id, [content.passage_id for content in contents])
        held = [content for content in contents if content.passage_id in rows]
        active = [content for content in held if rows[content.passage_id][0].is_active]
        vectors = [rows[content.passage_id][1].question for content in active]
        found = self.index.nearest(bot.collection, bot.bot_id, vectors, field="question", limit=NEIGHBOURS)
        alike = {content: _alike(near) for content, near in zip(active, found, strict=True)}
        return {content: alike.get(content, ()) for content in held}


def _alike(near: Sequence[Candidate]) -> Sequence[Candidate]:
    """A question that so many ask, like the heading of a chapter, says nothing of what their answers are about."""
    if len(near) == NEIGHBOURS and near[-1].score >= SAME:
        return ()
    return [candidate for candidate in near if candidate.score >= SIMILAR_FROM]
