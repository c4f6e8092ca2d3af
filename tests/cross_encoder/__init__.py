"""The folder of a small cross-encoder, as a deployment would have one: graph, tokenizer and record."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

GRAPH = Path(__file__).with_name("graph.onnx")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = ("harbour", "how", "is", "lentil", "of", "open", "recipe", "soup", "table", "the", "tide", "when", "word")


def make_folder(folder: Path, *, window: int = 32, **changes: Any) -> Path:
    """`changes` are of the record."""
    folder.mkdir()
    shutil.copy(GRAPH, folder / "graph.onnx")
    _tokenizer().save(str(folder / "tokenizer.json"))
    write_record(folder, window=window, **changes)
    return folder


def write_record(folder: Path, **changes: Any) -> None:
    files = {
        name: {
            "size": (folder / name).stat().st_size,
            "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(),
        }
        for name in ("graph.onnx", "tokenizer.json")
    }
    record = {"model_id": "tests/overlap", "revision": "1", "window": 32, "files": files} | changes
    (folder / "model.json").write_text(json.dumps(record), "utf-8")


def _tokenizer() -> Tokenizer:
    ids = {token: number for number, token in enumerate((*SPECIAL, *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
    tokenizer.enable_truncation(max_length=12)  # as files in circulation have it; the window decides instead
    return tokenizer
