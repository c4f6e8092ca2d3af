"""The reranker over onnxruntime: a cross-encoder reads question and passage together (Nogueira and Cho, 2019, Passage
re-ranking with BERT), which tells more than comparing their vectors and costs a run of the model for each passage.

Its folder is made as an embedder's is (`shared.onnx_model`). The graph takes input_ids, attention_mask and, if it wants
them, token_type_ids; its first output is one score for each row. model.json says `model_id`, `revision` and `window`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import ConfigurationError, LockstepError, StoreUnavailableError
from shared.onnx_model import (
    available_cores,
    encode,
    open_session,
    open_tokenizer,
    padded,
    plan_batches,
    read_record,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shared.onnx_model import Encoding

KNOWN_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}
SMALLEST_WINDOW = 8
REMEDY = "LOCKSTEP_RERANKER_PATH must name a folder with a cross-encoder: graph.onnx, tokenizer.json, model.json"


class OnnxReranker:
    """The port `Reranker`, with the model in one folder. Safe to share between threads.

    `threads` is the number of cores that one call may use; 0 means all that this process may run on.
    Raises ConfigurationError if the folder is missing, incomplete, unreadable or holds no cross-encoder, and MismatchError
    if one of its files is not the one that its model.json speaks of.
    """

    def __init__(
        self,
        folder: Path,
        *,
        timeout_seconds: float,
        threads: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._window = _window_of(read_record(folder, REMEDY), folder)
        self._tokenizer, self._pad_id = open_tokenizer(folder / "tokenizer.json", REMEDY)
        self._session = open_session(folder / "graph.onnx", threads or available_cores(), REMEDY)
        self._inputs = {given.name for given in self._session.get_inputs()}
        if "input_ids" not in self._inputs or not self._inputs <= KNOWN_INPUTS:
            raise ConfigurationError(f"The graph in {folder} takes {sorted(self._inputs)}: {REMEDY}.")
        self._timeout_seconds, self._clock = timeout_seconds, clock

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """The window keeps the first half of itself for the question, what that leaves for the passage; the rest is lost.

        The time is looked at before each batch of 512 tokens, so that a call may be late by one of them.
        """
        deadline = self._clock() + self._timeout_seconds
        rows = {passage: row for row, passage in enumerate(dict.fromkeys(passages))}
        encoded = self._pairs(question, list(rows))
        scores = [0.0] * len(encoded)
        for batch in plan_batches([len(pair.ids) for pair in encoded]):
            if self._clock() >= deadline:
                raise StoreUnavailableError(
                    f"The reranker needs more than {self._timeout_seconds:g} s for {len(rows)} passages: score fewer "
                    "(LOCKSTEP_RERANKER_HITS), or give it more time (LOCKSTEP_RERANKER_TIMEOUT_SECONDS)."
                )
            for row, score in zip(batch, self._run([encoded[row] for row in batch]), strict=True):
                scores[row] = float(score)
        return [scores[rows[passage]] for passage in passages]

    def _pairs(self, question: str, passages: Sequence[str]) -> list[Encoding]:
        content = self._window - self._tokenizer.num_special_tokens_to_add(is_pair=True)
        asked = encode(self._tokenizer, question)
        asked.truncate(content // 2)
        return [self._pair(asked, passage, content - len(asked.ids)) for passage in passages]

    def _pair(self, asked: Encoding, passage: str, room: int) -> Encoding:
        read = encode(self._tokenizer, passage)
        read.truncate(room)
        return self._tokenizer.post_process(asked, read)

    def _run(self, batch: Sequence[Encoding]) -> NDArray[np.float32]:
        import numpy as np

        feeds = {
            "input_ids": padded([pair.ids for pair in batch], self._pad_id),
            "attention_mask": padded([pair.attention_mask for pair in batch]),
            "token_type_ids": padded([pair.type_ids for pair in batch]),
        }
        output = self._session.run(None, {name: array for name, array in feeds.items() if name in self._inputs})[0]
        if output.shape not in ((len(batch), 1), (len(batch),)):
            raise ConfigurationError(
                f"The graph gives {output.shape} for {len(batch)} pairs, not one score each: {REMEDY}."
            )
        if not np.isfinite(output).all():
            raise LockstepError("The reranker gave a score that is not finite.")
        scores: NDArray[np.float32] = output.reshape(len(batch))
        return scores


def _window_of(record: object, folder: Path) -> int:
    window = record.get("window") if isinstance(record, dict) else None
    if not isinstance(window, int) or window < SMALLEST_WINDOW:
        raise ConfigurationError(
            f"{folder / 'model.json'} lacks a window (tokens, at least {SMALLEST_WINDOW}): {REMEDY}."
        )
    return window
