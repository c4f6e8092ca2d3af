"""Models over onnxruntime: the folder that holds one, opened, and texts put into batches for it.

A folder has graph.onnx with what it refers to, tokenizer.json, and model.json, which names the files with their sizes and
sha256. Nothing heavy is imported until a model is opened.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.errors import ConfigurationError, InvalidInputError, MismatchError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession
    from tokenizers import Encoding as Encoding
    from tokenizers import Tokenizer

TOKENS_PER_BATCH = 512  # padding included; larger batches need more memory and are not faster on a CPU
HASHED_BYTES = 1 << 20  # files up to this size are hashed at each start; of larger ones only the size is compared


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


def padded(rows: Sequence[Sequence[int]], padding: int = 0) -> NDArray[np.int64]:
    """Rows as one array, each filled up to the longest: shape (len(rows), length of the longest)."""
    import numpy as np

    array = np.full((len(rows), max(map(len, rows))), padding, np.int64)
    for place, row in enumerate(rows):
        array[place, : len(row)] = row
    return array


def read_record(folder: Path, remedy: str) -> dict[str, Any]:
    """The folder's model.json, after a quick look at the files that it names.

    Raises ConfigurationError if the folder is missing, incomplete or unreadable, and MismatchError if one of its files is
    not the one that model.json speaks of. `remedy` says what to do then.
    """
    path = folder / "model.json"
    try:
        record: dict[str, Any] = json.loads(path.read_text("utf-8"))
        for name, file in record["files"].items():
            _check_file(folder / name, file, remedy)
    except OSError as exc:
        raise ConfigurationError(f"There is no complete model in {folder} ({exc.strerror}): {remedy}.") from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigurationError(f"{path} cannot be read as the record of a model: {remedy}.") from exc
    return record


def _check_file(path: Path, expected: Mapping[str, Any], remedy: str) -> None:
    size = path.stat().st_size
    agrees = size == expected["size"]
    if agrees and size <= HASHED_BYTES:
        agrees = hashlib.sha256(path.read_bytes()).hexdigest() == expected["sha256"]
    if not agrees:
        raise MismatchError(f"{path} is not the file that model.json speaks of: {remedy}.")


def open_tokenizer(path: Path, remedy: str) -> tuple[Tokenizer, int]:
    """The tokenizer, which neither cuts nor pads, and the id that a batch is padded with."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as exc:  # the library raises nothing narrower
        raise ConfigurationError(f"{path} cannot be read: {remedy}.") from exc
    pad_id = (tokenizer.padding or {}).get("pad_id", 0)
    # Files in circulation cut and pad at a length of their own (128 for all-MiniLM-L6-v2): the window decides instead.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer, pad_id


def open_session(path: Path, threads: int, remedy: str) -> InferenceSession:
    """The graph on the CPU. `threads` is the number of cores that one run may use."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting must not cost a core
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as exc:  # the library's errors have no base of their own
        raise ConfigurationError(f"onnxruntime cannot open {path}: {remedy}.") from exc


def encode(tokenizer: Tokenizer, text: str) -> Encoding:
    """A text as tokens, without special ones. Raises InvalidInputError if it is no valid Unicode."""
    try:
        return tokenizer.encode(text, add_special_tokens=False)
    except TypeError as exc:  # what the library makes of half a surrogate pair
        raise InvalidInputError("The text is not valid Unicode: it holds half a surrogate pair.") from exc
