"""The embedder over onnxruntime: a folder made by `layers/model` turned into unit vectors, without torch.

Nothing heavy is imported until an embedder is opened. Compute is float32, so a text's vector depends on its neighbours
in a batch in the last bits at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.domain import EmbedderModel
from shared.errors import ConfigurationError
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

Batch = Sequence[Sequence[int]]  # the token ids of some texts
_WORD_MARKS = "▁Ġ"  # that tokenizers write in front of a word, for the space before it
REMEDY = "`make up` builds the default model, `make model` exports another"


class OnnxEmbedder:
    """Embeds texts with the model in one folder. Safe to share between threads: nothing changes after opening.

    `threads` is the number of cores that one call may use; 0 means all that this process may run on.
    Raises ConfigurationError if the folder is missing, incomplete or unreadable, and MismatchError if one of its files
    is not the one that its model.json speaks of.
    """

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        self.model = read_model(folder)
        self._tokenizer, self._pad_id = open_tokenizer(folder / "tokenizer.json", REMEDY)
        self._threads = threads or available_cores()
        self._session = open_session(folder / "graph.onnx", self._threads, REMEDY)
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
        spans: list[tuple[int, int]] = encode(self._tokenizer, text).offsets
        return spans

    def vocabulary_place(self, word: str) -> int | None:
        """The id of the token that reads like the word: vocabularies number what is common first.

        None if the word is several tokens, or the one that stands for all that is unknown.
        """
        encoding = encode(self._tokenizer, word)
        reads_alike = [token.lstrip(_WORD_MARKS).casefold() for token in encoding.tokens] == [word.casefold()]
        return encoding.ids[0] if reads_alike else None

    def token_ids(self, text: str) -> list[int]:
        """What the model sees of a text (without a prefix): at most `window` ids, the special ones included."""
        encoding = encode(self._tokenizer, text)
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
        feeds = {"input_ids": padded(batch, self._pad_id), "attention_mask": padded([[1] * len(ids) for ids in batch])}
        output: NDArray[np.float32] = self._session.run(["sentence_embedding"], feeds)[0]
        return output


def read_model(folder: Path) -> EmbedderModel:
    """Which model is in a folder, without opening it. Errors as for OnnxEmbedder."""
    return _model_of(read_record(folder, REMEDY), folder)


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
