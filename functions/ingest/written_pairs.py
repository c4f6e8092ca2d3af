"""Questions and answers that an LLM writes from a document's prose, beside the prose itself.

Each is recorded as generated. What the text does not support is dropped; what was written once of a text is kept as long
as the text stays, so that another upload neither pays again nor changes it. A failing LLM leaves the document as it is.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from functions.ingest.grounding import is_supported
from functions.ingest.json_values import clean
from functions.ingest.parsing.faq import is_question
from shared.domain import OwnPair, Pair, qa_id_of
from shared.errors import LockstepError
from shared.ports import PairWriter, WrittenPair
from shared.telemetry import logger

GENERATED = "generated"  # true in the metadata of each
GENERATED_BY = "generated_by"
GENERATED_FROM = "generated_from"
CALLS_AT_ONCE = 4
WAIT_SECONDS = 60.0  # for all of them; well within the lease of a look
WAITING_SHARE = 0.5  # of what is left of the invocation, at most
MIN_PROSE_CHARACTERS = 200
MAX_PAIRS_OF_A_SECTION = 8
MAX_ANSWER_CHARACTERS = 2_000


@dataclass(slots=True)
class _Section:
    prose: Pair
    kept: list[Pair]
    call: Future[list[WrittenPair]] | None = None


@dataclass(slots=True)
class _Writing:
    document_id: UUID
    writer: PairWriter
    own_pair: Callable[[UUID], OwnPair | None]
    pool: ThreadPoolExecutor
    sections: list[_Section] = field(default_factory=list)

    def ask(self, prose: Pair) -> None:
        kept = list(self._kept(prose))
        call = None if kept else self.pool.submit(self.writer.write_pairs, prose.question, prose.response)
        self.sections.append(_Section(prose, kept, call))

    def pairs(self, wait_seconds: float) -> Iterator[Pair]:
        deadline = time.monotonic() + wait_seconds
        for section in self.sections:
            if section.call is None:
                yield from section.kept
                continue
            try:
                written = section.call.result(max(0.0, deadline - time.monotonic()))
            except (LockstepError, TimeoutError) as error:
                logger().warning("no questions were written", section=section.prose.question[:100], error=repr(error))
                self._give_up()
                continue
            yield from self._supported(section.prose, written)

    def _give_up(self) -> None:
        """What has not begun is not begun any more: an LLM that fails once will fail, or be late, again."""
        for section in self.sections:
            if section.call is not None and section.call.cancel():
                section.call, section.kept = None, []

    def _kept(self, prose: Pair) -> Iterator[Pair]:
        """What was written of the same text for the generation that is live."""
        for number in range(MAX_PAIRS_OF_A_SECTION):
            own = self.own_pair(self._qa_id(prose, number))
            if own is None:
                return
            facts = {name: own.pair.metadata.extra.get(name) for name in (GENERATED, GENERATED_BY, GENERATED_FROM)}
            yield self._pair(prose, number, own.pair.question, own.pair.response, facts)

    def _supported(self, prose: Pair, written: list[WrittenPair]) -> Iterator[Pair]:
        facts = {GENERATED: True, GENERATED_BY: self.writer.name, GENERATED_FROM: str(prose.qa_id)}
        texts = [(clean(pair.question).strip(), clean(pair.answer).strip()) for pair in written]
        source = f"{prose.question}\n{prose.response}"
        supported = [
            (question, answer)
            for question, answer in dict(texts).items()
            if question and len(answer) <= MAX_ANSWER_CHARACTERS and is_supported(answer, source)
        ]
        logger().info("questions written", of=prose.question[:100], written=len(written), supported=len(supported))
        for number, (question, answer) in enumerate(supported[:MAX_PAIRS_OF_A_SECTION]):
            yield self._pair(prose, number, question, answer, facts)

    def _pair(self, prose: Pair, number: int, question: str, answer: str, facts: Mapping[str, Any]) -> Pair:
        metadata = replace(prose.metadata, extra={**prose.metadata.extra, **facts})
        return replace(
            prose,
            qa_id=self._qa_id(prose, number),
            question=question,
            response=answer,
            external_id=None,
            metadata=metadata,
            relations=(),
            addresses=(),
            links=(),
        )

    def _qa_id(self, prose: Pair, number: int) -> UUID:
        """The same for the same text in every generation, and another one for another text."""
        digest = hashlib.sha256(f"{prose.question}\n{prose.response}".encode()).hexdigest()[:16]
        return qa_id_of(self.document_id, f"generated:{prose.qa_id}:{digest}:{number}")


def with_written_pairs(
    pairs: Iterator[Pair],
    *,
    document_id: UUID,
    writer: PairWriter,
    sections: int,
    own_pair: Callable[[UUID], OwnPair | None],
    time_left: Callable[[], float],
) -> Iterator[Pair]:
    """All pairs, and at the end those written from the first `sections` of prose: one call each, and none that failed.

    Nothing is asked before the end, for a look that runs out of time does not come to it, and would pay in vain.
    """
    prose: list[Pair] = []
    for pair in pairs:
        if len(prose) < sections and _is_prose(pair):
            prose.append(pair)
        yield pair
    pool = ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="pairs")
    writing = _Writing(document_id, writer, own_pair, pool)
    try:
        for section in prose:
            writing.ask(section)
        yield from writing.pairs(min(WAIT_SECONDS, WAITING_SHARE * time_left()))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _is_prose(pair: Pair) -> bool:
    return pair.is_active and len(pair.response) >= MIN_PROSE_CHARACTERS and not is_question(pair.question)
