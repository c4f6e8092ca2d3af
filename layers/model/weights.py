"""Packs weights.bin from a model's safetensors file (a length, a JSON header, raw bytes), with numpy only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.errors import MismatchError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAFETENSORS_TYPES = {"F32": "<f4", "F16": "<f2"}


def pack_weights(safetensors: Path, tensors: Sequence[Mapping[str, Any]], out: Path) -> None:
    """Write the tensors at their offsets. Raises MismatchError if the file does not hold them."""
    import numpy as np

    header, start = read_header(safetensors)
    with out.open("wb") as file:
        for tensor in tensors:
            if tensor["source"] not in header:
                raise MismatchError(f"{safetensors} holds no tensor {tensor['source']}.")
            array = read_tensor(safetensors, header[tensor["source"]], start)
            stored = array.T if tensor["transposed"] else array
            file.write(b"\0" * (tensor["offset"] - file.tell()))
            file.write(np.ascontiguousarray(stored, np.dtype(tensor["dtype"]).newbyteorder("<")).tobytes())


def read_header(safetensors: Path) -> tuple[dict[str, Any], int]:
    """What a safetensors file says of its tensors, and where their bytes begin. Raises MismatchError."""
    size = safetensors.stat().st_size
    with safetensors.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > size - 8:
            raise MismatchError(f"{safetensors} is cut off, or not a safetensors file.")
        header: dict[str, Any] = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return header, 8 + length


def read_tensor(safetensors: Path, entry: Mapping[str, Any], start: int) -> NDArray[np.generic]:
    """One tensor, by its entry in the header. Raises MismatchError if the file ends before it does."""
    import numpy as np

    begin, end = entry["data_offsets"]
    dtype = np.dtype(SAFETENSORS_TYPES[entry["dtype"]])
    array = np.fromfile(safetensors, dtype, (end - begin) // dtype.itemsize, offset=start + begin)
    if array.nbytes != end - begin:
        raise MismatchError(f"{safetensors} is cut off.")
    return array.reshape(entry["shape"])


def check_sha256(path: Path, expected: str) -> None:
    """Raises MismatchError unless the file has that sha256."""
    found = sha256_of(path)
    if found != expected:
        raise MismatchError(f"{path.name} is not the pinned one: its sha256 is {found}, not {expected}.")


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
