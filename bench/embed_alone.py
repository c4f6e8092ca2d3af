"""The baseline of ingest: embed the texts of a JSON file and do nothing else. Run by `bench.ingest`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from shared.embedder import OnnxEmbedder


def main(file: Path, model: Path) -> None:
    """All texts in one call: the batching that the embedder does best."""
    texts = json.loads(file.read_text("utf-8"))
    embedder = OnnxEmbedder(model)
    embedder.embed_passages(texts[:64])
    begin = time.perf_counter()
    embedder.embed_passages(texts)
    print(json.dumps({"seconds": time.perf_counter() - begin, "texts": len(texts)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
