"""What is measured on: MedQuAD if it is here, else made-up pairs of the same shape."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
MEDQUAD = Path("corpora", "medquad.jsonl.gz")
ALL_PAIRS = 16_407

Record = dict[str, Any]


def find_data() -> Path | None:
    """The folder of real data: LOCKSTEP_TEST_DATA, or shared/data beside the repository."""
    folder = Path(os.environ.get("LOCKSTEP_TEST_DATA") or ROOT.parent / "shared" / "data")
    return folder if folder.is_dir() else None


def find_medquad() -> Path | None:
    """The file of MedQuAD's 16,407 pairs in it."""
    folder = find_data()
    return folder / MEDQUAD if folder and (folder / MEDQUAD).is_file() else None


def read_pairs(file: Path | None, count: int) -> list[Record]:
    """The first `count` records of a JSONL file (gzip or plain), or as many made-up ones."""
    return list(islice(_records(file) if file else _made_up(), count))


def write_jsonl(records: list[Record], file: Path) -> None:
    """Write them as one object; it appears whole."""
    text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    hidden = file.parent / f".{file.name}.part"
    hidden.write_text(text, "utf-8")
    hidden.rename(file)


def _records(file: Path) -> Iterator[Record]:
    with file.open("rb") as raw:
        yield from map(json.loads, gzip.GzipFile(fileobj=raw) if file.suffix == ".gz" else raw)


def _made_up() -> Iterator[Record]:
    """Pairs whose answers are as long as MedQuAD's: 200 words, a tenth of them much longer."""
    chance = random.Random(1)
    syllables = ["ba", "ce", "di", "fo", "gu", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "xo", "zu"]
    words = ["".join(chance.choices(syllables, k=chance.randint(1, 4))) for _ in range(20_000)]

    def sentence(length: int) -> str:
        return " ".join(chance.choices(words, k=length)).capitalize() + "."

    for number in range(ALL_PAIRS):
        sentences = chance.choice([4, 6, 8, 10, 12, 14, 16, 18, 20, 90])
        answer = " ".join(sentence(chance.randint(8, 20)) for _ in range(sentences))
        yield {"id": f"made-up-{number}", "question": sentence(7).replace(".", "?"), "answer": answer}
