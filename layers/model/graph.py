"""Parts an exported ONNX graph from its weights: graph.onnx refers to weights.bin by offset and length.

Large tensors are stored as float16 and computed with as float32. A Cast before a MatMul is folded when onnxruntime
loads the graph. A table that is only gathered from is cast after the Gather instead: the same numbers, but the table
stays float16, mapped from the file, which spares its float32 copy in memory and the time to make it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from layers.model.weights import SAFETENSORS_TYPES, read_header, read_tensor
from shared.errors import ConfigurationError

INPUTS = {"input_ids", "attention_mask"}
OUTPUT = "sentence_embedding"
ALIGNMENT = 64  # bytes: a cache line
HALF_ELEMENTS = 10_000  # smaller tensors (biases, norms) weigh nothing and stay float32
HALF_LARGEST = float(np.finfo(np.float16).max)
INLINE_BYTES = 1 << 12  # constants of the export itself, shapes for example, stay in the graph

Origins = Mapping[str, tuple[str, bool]]  # digest of an array: the tensor that it equals, and whether transposed


def tidy(model: onnx.ModelProto, *, normalize: bool) -> None:
    """Leave one output, of unit length, and nothing that tells of the machine. Raises ConfigurationError."""
    graph = model.graph
    if {value.name for value in graph.input} != INPUTS or OUTPUT not in {value.name for value in graph.output}:
        raise ConfigurationError(f"The exported graph must take {sorted(INPUTS)} and give {OUTPUT}.")
    outputs = [value for value in graph.output if value.name == OUTPUT]
    del graph.output[:], graph.value_info[:], model.metadata_props[:]
    graph.output.extend(outputs)
    if normalize:
        _normalize(graph)
    for described in (model, graph, *graph.node):
        described.doc_string = ""
    for node in graph.node:
        del node.metadata_props[:]


def find_origins(safetensors: Path | None) -> dict[str, tuple[str, bool]]:
    """Every tensor of the file by its digest, as is and transposed; empty without a file."""
    if safetensors is None:
        return {}
    header, start = read_header(safetensors)
    origins: dict[str, tuple[str, bool]] = {}
    for name, entry in header.items():
        if entry["dtype"] in SAFETENSORS_TYPES:
            array = read_tensor(safetensors, entry, start)
            origins.setdefault(digest(array), (name, False))
            if array.ndim == 2:
                origins.setdefault(digest(array.T), (name, True))
    return origins


def part_weights(model: onnx.ModelProto, origins: Origins, out: Path, *, half: bool) -> list[dict[str, Any]]:
    """Move the model's weights into the file `out`; `half` stores the large ones as float16.

    Returns, tensor by tensor in the order of the file, what weights.json records; `source` is None where the
    safetensors file holds no such tensor.
    """
    graph = model.graph
    initializers = list(graph.initializer)
    del graph.initializer[:]
    tensors = []
    with out.open("wb") as file:
        for initializer in initializers:
            array = numpy_helper.to_array(initializer)
            source, transposed = origins.get(digest(array), (None, False))
            if source is None and array.nbytes <= INLINE_BYTES:
                graph.initializer.append(initializer)
                continue
            name = initializer.name
            if half and _fits_half(array):
                array, name = array.astype(np.float16), _widen(graph, name)
            file.write(b"\0" * (-file.tell() % ALIGNMENT))
            place = {"offset": file.tell(), "length": array.nbytes}
            file.write(np.ascontiguousarray(array).tobytes())
            graph.initializer.append(_external(name, array, {"location": out.name, **place}))
            tensors.append({"source": source, "transposed": transposed, "dtype": str(array.dtype), **place})
    return tensors


def digest(array: NDArray[Any]) -> str:
    """Names an array's type, shape and numbers."""
    content = hashlib.sha256(np.ascontiguousarray(array).tobytes())
    return f"{array.dtype.str} {array.shape} {content.hexdigest()}"


def _normalize(graph: onnx.GraphProto) -> None:
    """Append what a model without a Normalize module lacks."""
    raw = f"{OUTPUT}_raw"
    for node in graph.node:
        node.input[:] = [raw if name == OUTPUT else name for name in node.input]
        node.output[:] = [raw if name == OUTPUT else name for name in node.output]
    graph.node.append(helper.make_node("LpNormalization", [raw], [OUTPUT], name="normalize", axis=-1, p=2))


def _fits_half(array: NDArray[Any]) -> bool:
    return array.dtype == np.float32 and array.size >= HALF_ELEMENTS and float(np.abs(array).max()) <= HALF_LARGEST


def _widen(graph: onnx.GraphProto, name: str) -> str:
    """Have a tensor that is now stored as float16 reach its readers as float32; returns its new name."""
    stored = f"{name}_fp16"
    nodes = list(graph.node)
    readers = [node for node in nodes if name in node.input]
    gathers = [node for node in readers if node.op_type == "Gather" and node.input[0] == name]
    widened = [] if readers and len(gathers) == len(readers) else [_cast(stored, name)]
    for node in nodes:
        widened.append(node)
        if any(node is gather for gather in gathers):
            gathered = node.output[0]
            node.input[0], node.output[0] = stored, f"{gathered}_fp16"
            widened.append(_cast(node.output[0], gathered))
    del graph.node[:]
    graph.node.extend(widened)
    return stored


def _cast(stored: str, name: str) -> onnx.NodeProto:
    return helper.make_node("Cast", [stored], [name], name=f"{name}_cast", to=onnx.TensorProto.FLOAT)


def _external(name: str, array: NDArray[Any], place: Mapping[str, object]) -> onnx.TensorProto:
    tensor = onnx.TensorProto(
        name=name,
        dims=array.shape,
        data_type=helper.np_dtype_to_tensor_dtype(array.dtype),
        data_location=onnx.TensorProto.EXTERNAL,
    )
    for key, value in place.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor
