"""The embedder over onnxruntime: a folder made by `layers/model` turned into unit vectors, without torch.

Nothing heavy is imported until an embedder is opened. Compute is float32, so a text's vector depends on its neighbours
in a batch in the last bits at most.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.domain import EmbedderModel
from shared.errors import ConfigurationError, InvalidInputError, MismatchError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

TOKENS_PER_BATCH = 512  # padding included; larger batches need more memory and are not faster on a CPU
HASHED_BYTES = 1 << 20  # files up to this size are hashed at each start; of larger ones only the size is compared
Batch = Sequence[Sequence[int]]  # the token ids of some texts
REMEDY = "`make up` builds the default model, `make model` exports another"


class OnnxEmbedder:
    """Embeds texts with the model in one folder. Safe to share between threads: nothing changes after opening.

    `threads` is the number of cores that one call may use; 0 means all that this process may run on.
    Raises ConfigurationError if the folder is missing, incomplete or unreadable, and MismatchError if one of its files
    is not the one that its model.json speaks of.
    """

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        self.model = read_model(folder)
        self._tokenizer, self._pad_id = _open_tokenizer(folder / "tokenizer.json")
        self._threads = threads or available_cores()
        self._session = _open_session(folder / "graph.onnx", self._threads)
        self._content_window = self.model.window - self._tokenizer.num_special_tokens_to_add(is_pair=False)
        self._token_capacity = self._content_window - len(self.token_spans(self.model.passage_prefix))

    @property
    def token_capacity(self) -> int:
        """How many content tokens of a passage the window holds, beside the special ones and the passage prefix."""
        return self._token_capacity

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The vector of a question: shape (dimension,), float32, unit length. What the window cannot hold is lost."""
        vectors = self._embed([self.model.query_prefix + text])
        return vectors.reshape(self.model.dimension)

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of passages: shape (len(texts), dimension), float32, unit length, in the order given.

        Equal texts are embedded once. What the window cannot hold of a text is lost.
        """
        return self._embed([self.model.passage_prefix + text for text in texts])

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """The characters (begin, end) that each content token covers, without special tokens; nothing is cut off.

        Several tokens may cover the same character: a Hangul syllable or an emoji can be more than one token.
        """
        spans: list[tuple[int, int]] = _encode(self._tokenizer, text).offsets
        return spans

    def token_ids(self, text: str) -> list[int]:
        """What the model sees of a text (without a prefix): at most `window` ids, the special ones included."""
        encoding = _encode(self._tokenizer, text)
        encoding.truncate(self._content_window)
        ids: list[int] = self._tokenizer.post_process(encoding).ids
        return ids

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import numpy as np

        rows = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        ids = [self.token_ids(text) for text in rows]
        vectors = np.empty((len(ids), self.model.dimension), np.float32)
        batches = list(plan_batches([len(tokens) for tokens in ids]))
        outputs = self._run_all([[ids[row] for row in batch] for batch in batches])
        for batch, output in zip(batches, outputs, strict=True):
            vectors[batch] = output
        return vectors if len(rows) == len(texts) else vectors[[rows[text] for text in texts]]

    def _run_all(self, batches: Sequence[Batch]) -> Iterable[NDArray[np.float32]]:
        # Whole batches side by side keep the cores busier than splitting one: a quarter more texts per second on two.
        if self._threads == 1 or len(batches) < 2:
            return map(self._run, batches)
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(self._threads) as pool:
            return pool.map(self._run, batches)

    def _run(self, batch: Batch) -> NDArray[np.float32]:
        import numpy as np

        shape = (len(batch), max(map(len, batch)))
        input_ids, attention_mask = np.full(shape, self._pad_id, np.int64), np.zeros(shape, np.int64)
        for row, ids in enumerate(batch):
            input_ids[row, : len(ids)] = ids
            attention_mask[row, : len(ids)] = 1
        feeds = {"input_ids": input_ids, "attention_mask": attention_mask}
        output: NDArray[np.float32] = self._session.run(["sentence_embedding"], feeds)[0]
        return output


def plan_batches(lengths: Sequence[int], budget: int = TOKENS_PER_BATCH) -> Iterator[list[int]]:
    """Group texts by their length in tokens: yields lists of positions, longest texts first.

    Each batch, padded to its longest text, stays within the budget; a text that is longer than that goes alone.
    """
    batch: list[int] = []
    for position in sorted(range(len(lengths)), key=lambda position: -lengths[position]):
        if batch and lengths[batch[0]] * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(position)
    if batch:
        yield batch


def available_cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def read_model(folder: Path) -> EmbedderModel:
    """Which model is in a folder, without opening it. Errors as for OnnxEmbedder."""
    return _model_of(read_record(folder), folder)


def read_record(folder: Path) -> dict[str, Any]:
    """The folder's model.json, after a quick look at the files that it names. Errors as for OnnxEmbedder."""
    path = folder / "model.json"
    try:
        record: dict[str, Any] = json.loads(path.read_text("utf-8"))
        for name, file in record["files"].items():
            _check_file(folder / name, file)
    except OSError as exc:
        raise ConfigurationError(f"There is no complete model in {folder} ({exc.strerror}): {REMEDY}.") from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigurationError(f"{path} cannot be read as the record of a model: {REMEDY}.") from exc
    return record


def _check_file(path: Path, expected: Mapping[str, Any]) -> None:
    size = path.stat().st_size
    agrees = size == expected["size"]
    if agrees and size <= HASHED_BYTES:
        agrees = hashlib.sha256(path.read_bytes()).hexdigest() == expected["sha256"]
    if not agrees:
        raise MismatchError(f"{path} is not the file that model.json speaks of: {REMEDY}.")


def _model_of(record: Mapping[str, Any], folder: Path) -> EmbedderModel:
    try:
        return EmbedderModel(
            model_id=record["model_id"],
            revision=record["revision"],
            dimension=record["dimension"],
            window=record["window"],
            query_prefix=record["query_prefix"],
            passage_prefix=record["passage_prefix"],
            languages=tuple(record.get("languages", ())),
        )
    except KeyError as exc:
        raise ConfigurationError(f"{folder / 'model.json'} lacks {exc}: {REMEDY}.") from exc


def _open_tokenizer(path: Path) -> tuple[Tokenizer, int]:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as exc:  # the library raises nothing narrower
        raise ConfigurationError(f"{path} cannot be read: {REMEDY}.") from exc
    pad_id = (tokenizer.padding or {}).get("pad_id", 0)
    # Files in circulation cut and pad at a length of their own (128 for all-MiniLM-L6-v2): the window decides instead.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer, pad_id


def _open_session(path: Path, threads: int) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting must not cost a core
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as exc:  # the library's errors have no base of their own
        raise ConfigurationError(f"onnxruntime cannot open {path}: {REMEDY}.") from exc


def _encode(tokenizer: Tokenizer, text: str) -> Any:
    try:
        return tokenizer.encode(text, add_special_tokens=False)
    except TypeError as exc:  # what the library makes of half a surrogate pair
        raise InvalidInputError("The text is not valid Unicode: it holds half a surrogate pair.") from exc
