"""Compares a model's folder with what sentence-transformers itself gives: the same token ids, the same directions.

python -m layers.model.verify --folder DIR                  against its canonical.json; needs no torch
python -m layers.model.verify --folder DIR --model ID       against the model; in the export's environment
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.embedder import OnnxEmbedder
from shared.errors import LockstepError, MismatchError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COSINE_MIN = 0.9999

SHORT = (
    "What is a tombstone good for?",
    "The night train to the coast leaves at 21:40 from platform 3; seats in the last carriage need no reservation.",
    "Gece treni kıyıya 21.40'ta kalkıyor; İstanbul'dan gelen yolcular ÇİĞ ve ılık süt içti.",
    "밤 기차는 저녁 아홉 시 사십 분에 떠납니다. 마지막 칸은 예약 없이 탈 수 있어요.",
    "夜行列車は3番線から出ます。最後尾の車両は予約がいりません。",
    "Ночной поезд уходит в 21:40; قطار الليل يغادر الساعة ٢١:٤٠",
    "🚆🌙 → 👩‍👩‍👧‍👦 (×4) … 🇹🇷🇰🇷 naïve façade, e\u0301 = é",
    "def span(a, b):\n\treturn {'begin': a, 'end': b}  # <b>&amp;</b> https://example.org/?q=1&r=%20",
    "?!?!... ---- ((([[[{{{ ,,, ;;; ''' \"\"\" ``` ~~~ @@@ ### $$$ %%% ^^^ &&& *** +++",
)
BARE = ("", " ", "\n\t\r\n", ".", "a", "0", "\u200b", "a\x00b", "\ufeffmark", "[CLS] [SEP] [MASK] <s> </s> <pad>")
WORDS_PER_SENTENCE = 17
LONG = " ".join(
    f"Sentence {number} of the long text says that {number * 7} crates of {fruit} went by ship to port {number % 9}."
    for number, fruit in enumerate(("pears", "figs", "quinces", "lemons", "plums") * 9, start=1)
)
CANONICAL = (*SHORT, LONG)


@dataclass(frozen=True, slots=True)
class Verification:
    """What was compared, and the least cosine that was found."""

    texts: int
    cosine_min: float


def varied_texts() -> list[str]:
    """Texts of many scripts and of every length around the windows in use, one far beyond any."""
    words = LONG.split()
    cuts = [" ".join(words[:count]) for count in (*range(2, 60, 3), *range(60, len(words), 7))]
    unbroken = ["x" * 300, "밤" * 300, "👩‍👩‍👧‍👦" * 80, "a-" * 300]
    return [*BARE, *SHORT, *(f"{text} {LONG}" for text in SHORT), *cuts, *unbroken, LONG * 25]


def verify(folder: Path, reference: Any, texts: Sequence[str] | None = None) -> Verification:
    """Compare the folder's model with a SentenceTransformer. Raises MismatchError where they differ.

    Passages are embedded together, queries one by one, so that batching is compared as well.
    """
    import numpy as np

    embedder, texts = OnnxEmbedder(folder), texts or varied_texts()
    cosines = []
    for prefix in {embedder.model.query_prefix, embedder.model.passage_prefix}:
        for text in texts:
            _compare_ids(embedder, reference, prefix, text)
    queries = np.stack([embedder.embed_query(text) for text in texts])
    for prefix, vectors in (
        (embedder.model.query_prefix, queries),
        (embedder.model.passage_prefix, embedder.embed_passages(texts)),
    ):
        cosines.append(least_cosine(vectors, reference_vectors(reference, texts, prefix), texts))
    return Verification(len(texts), min(cosines))


def reference_vectors(reference: Any, texts: Sequence[str], prefix: str) -> NDArray[np.float32]:
    """What sentence-transformers gives: shape (len(texts), dimension), float32, unit length."""
    vectors: NDArray[np.float32] = reference.encode(
        list(texts), prompt=prefix, normalize_embeddings=True, show_progress_bar=False
    )
    return vectors


def canonical_vectors(reference: Any, query_prefix: str, passage_prefix: str) -> list[dict[str, object]]:
    """The content of canonical.json: a few texts, and their vectors as query and as passage to 6 decimals."""
    queries = reference_vectors(reference, CANONICAL, query_prefix).astype(float).round(6).tolist()
    passages = reference_vectors(reference, CANONICAL, passage_prefix).astype(float).round(6).tolist()
    return [
        {"text": text, "query": query, "passage": passage}
        for text, query, passage in zip(CANONICAL, queries, passages, strict=True)
    ]


def verify_canonical(folder: Path, canonical: Path) -> Verification:
    """Compare the folder's model with recorded vectors. Raises MismatchError where they differ."""
    import numpy as np

    embedder = OnnxEmbedder(folder)
    records = json.loads(canonical.read_text("utf-8"))
    texts = [record["text"] for record in records]
    queries = np.stack([embedder.embed_query(text) for text in texts])
    least = (
        least_cosine(queries, np.array([record["query"] for record in records]), texts),
        least_cosine(embedder.embed_passages(texts), np.array([record["passage"] for record in records]), texts),
    )
    return Verification(len(texts), min(least))


def least_cosine(ours: NDArray[Any], theirs: NDArray[Any], texts: Sequence[str]) -> float:
    """The least cosine between rows of unit vectors. Raises MismatchError below COSINE_MIN, and for NaN."""
    if ours.shape != theirs.shape:
        raise MismatchError(f"The vectors have the shape {ours.shape}, those of the original {theirs.shape}.")
    cosines = (ours.astype(float) * theirs.astype(float)).sum(axis=1)
    worst = int(cosines.argmin())
    if not cosines[worst] >= COSINE_MIN:
        raise MismatchError(f"Cosine {cosines[worst]:.6f} < {COSINE_MIN} to the original for {texts[worst][:80]!r}.")
    return float(cosines[worst])


def _compare_ids(embedder: OnnxEmbedder, reference: Any, prefix: str, text: str) -> None:
    ours = embedder.token_ids(prefix + text)
    theirs = reference.preprocess([text], prompt=prefix)["input_ids"][0].tolist()
    if ours != theirs:
        raise MismatchError(f"The tokenizer gives other ids than the original for {text[:80]!r}: {ours} != {theirs}.")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m layers.model.verify", description="Compare a model's folder.")
    parser.add_argument("--folder", type=Path, required=True, help="a folder made by build or export")
    parser.add_argument("--canonical", type=Path, help="recorded vectors (default: canonical.json in the folder)")
    parser.add_argument("--model", help="the sentence-transformers id or folder to compare with, instead of recordings")
    parser.add_argument("--revision", help="the revision of that id")
    options = parser.parse_args()
    try:
        if options.model:
            from sentence_transformers import SentenceTransformer

            reference = SentenceTransformer(options.model, revision=options.revision, device="cpu")
            found = verify(options.folder, reference)
        else:
            found = verify_canonical(options.folder, options.canonical or options.folder / "canonical.json")
    except (LockstepError, OSError) as error:
        sys.exit(str(error))
    print(f"{found.texts} texts, least cosine {found.cosine_min:.6f}")


if __name__ == "__main__":
    main()
