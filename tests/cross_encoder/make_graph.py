"""Writes graph.onnx, a cross-encoder of a few hundred bytes: the share of the question's words that the passage has.

python -m tests.cross_encoder.make_graph      # needs the package onnx, which layers/model/requirements.txt names
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FIRST_WORD = 5  # ids below are special tokens


def make_graph() -> onnx.ModelProto:
    """Takes ids, mask and types of a question (type 0) with a passage (type 1); gives 4 · share - 2 for each pair."""
    constants = {
        "first_word": np.array(FIRST_WORD, np.int64),
        "one": np.array(1.0, np.float32),
        "two": np.array(2.0, np.float32),
        "four": np.array(4.0, np.float32),
        "axis_1": np.array([1], np.int64),
        "axis_2": np.array([2], np.int64),
    }
    steps = [
        ("GreaterOrEqual", ["input_ids", "first_word"], "is_word"),
        ("Cast", ["is_word"], "word"),
        ("Cast", ["attention_mask"], "present"),
        ("Cast", ["token_type_ids"], "of_passage"),
        ("Sub", ["one", "of_passage"], "of_question"),
        ("Mul", ["word", "present"], "counted"),
        ("Mul", ["counted", "of_question"], "asked"),
        ("Mul", ["counted", "of_passage"], "read"),
        ("Unsqueeze", ["input_ids", "axis_2"], "down"),
        ("Unsqueeze", ["input_ids", "axis_1"], "across"),
        ("Equal", ["down", "across"], "is_same"),
        ("Cast", ["is_same"], "same"),
        ("Unsqueeze", ["read", "axis_1"], "read_across"),
        ("Mul", ["same", "read_across"], "met"),
        ("ReduceMax", ["met"], "met_once"),
        ("Mul", ["met_once", "asked"], "found"),
        ("ReduceSum", ["found", "axis_1"], "found_words"),
        ("ReduceSum", ["asked", "axis_1"], "asked_words"),
        ("Max", ["asked_words", "one"], "some_words"),
        ("Div", ["found_words", "some_words"], "share"),
        ("Mul", ["share", "four"], "scaled"),
        ("Sub", ["scaled", "two"], "logits"),
    ]
    options = {"Cast": {"to": TensorProto.FLOAT}, "ReduceMax": {"axes": [2], "keepdims": 0}}
    return helper.make_model(
        helper.make_graph(
            [helper.make_node(kind, inputs, [output], **options.get(kind, {})) for kind, inputs, output in steps],
            "overlap",
            [
                helper.make_tensor_value_info(name, TensorProto.INT64, ["pairs", "tokens"])
                for name in ("input_ids", "attention_mask", "token_type_ids")
            ],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["pairs", 1])],
            [numpy_helper.from_array(array, name) for name, array in constants.items()],
        ),
        ir_version=8,
        opset_imports=[helper.make_opsetid("", 17)],
        producer_name="",
    )


if __name__ == "__main__":
    model = make_graph()
    onnx.checker.check_model(model)
    Path(__file__).with_name("graph.onnx").write_bytes(model.SerializeToString(deterministic=True))
