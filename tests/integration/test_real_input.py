"""Real documents and thousands of real pairs, all the way into both stores and out again."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from infra.local.milvus import EmbeddedMilvus
from shared.domain import DocumentStatus, KeyRange
from shared.testing import HashingEmbedder
from tests.unit.parsing.test_real_documents import normal
from tests.worlds import World, real_world

PAIRS = 2_000


@pytest.fixture
def stores(catalog_url: str, milvus_server: EmbeddedMilvus) -> Iterator[World]:
    with real_world(catalog_url, milvus_server.uri, embedder=HashingEmbedder(window=256)) as world:
        yield world


def status_of(world: World, name: str) -> DocumentStatus:
    status = world.status(name)
    assert status is not None
    return status


def text_in_the_index(world: World, document: DocumentStatus) -> str:
    """What the index holds of a document: every passage with its question."""
    bot = world.refreshed()
    proofs = world.delivery.proven(bot.collection, [bot.bot_id], KeyRange(), limit=100_000)
    ids = [proof.passage_id for proof in proofs]
    rows = [
        row
        for begin in range(0, len(ids), 500)
        for row, _ in world.index.fetch(bot.collection, bot.bot_id, ids[begin : begin + 500]).values()
        if row.document_id == document.document_id
    ]
    return "\n".join(f"{row.question}\n{row.response}" for row in sorted(rows, key=lambda row: (row.qa_id, row.part)))


def lines_of(file: Path, count: int) -> list[str]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return list(islice(lines, count))


def test_every_document_is_live_with_its_text_or_rejected_with_a_reason(stores: World, shared_data: Path) -> None:
    entries = json.loads((shared_data / "docs" / "manifest.json").read_text("utf-8"))["files"]
    for entry in entries:
        stores.put(entry["file"], (shared_data / "docs" / entry["file"]).read_bytes())
    wrong = [f"{entry['file']}: {error}" for entry in entries if (error := wrong_with(stores, entry))]
    assert entries and not wrong


def wrong_with(world: World, entry: dict[str, Any]) -> str:
    status = status_of(world, entry["file"])
    if entry["expected"] == "reject":
        return "" if status.state == "rejected" and len(status.reason or "") > 20 else f"{status.state} {status.reason}"
    if status.state != "live":
        return f"{status.state}: {status.reason}"
    found = normal(text_in_the_index(world, status))
    missing = [wanted for wanted in entry["must_contain"] if not any(normal(w) in found for w in wanted.split("|"))]
    return f"without {missing}" if missing else ""


def test_two_thousand_pairs_are_in_both_stores_and_each_is_found(stores: World, shared_data: Path) -> None:
    lines = lines_of(shared_data / "corpora" / "medquad.jsonl.gz", PAIRS)
    stores.put("medquad.jsonl.gz", gzip.compress("".join(lines).encode()))
    status = status_of(stores, "medquad.jsonl.gz")
    bot = stores.refreshed()
    assert (status.state, status.pairs) == ("live", PAIRS)
    assert stores.index.count(bot.collection, bot.bot_id) == status.passages > PAIRS
    for record in map(json.loads, lines[:: PAIRS // 20]):
        found = [hit.evidence.pair.external_id for hit in stores.search(record["question"], top_k=10).hits]
        assert record["id"] in found


@pytest.mark.parametrize("corpus", ["xquad_tr.corpus.jsonl.gz", "medquad.jsonl.gz"])
def test_no_word_is_lost(stores: World, shared_data: Path, corpus: str) -> None:
    lines = lines_of(shared_data / "corpora" / corpus, 40)
    stores.put("corpus.jsonl", "".join(lines))
    found = normal(text_in_the_index(stores, status_of(stores, "corpus.jsonl")))
    texts = [record.get("text") or record["answer"] for record in map(json.loads, lines)]
    words = {normal(word.strip("\ufeff")) for text in texts for word in text.split()}
    assert len(words) > 1_000
    assert [word for word in words if word not in found] == []


def test_both_stores_agree_afterwards(stores: World, shared_data: Path) -> None:
    stores.put("corpus.jsonl", "".join(lines_of(shared_data / "corpora" / "medquad.jsonl.gz", 60)))
    stores.put("corpus.jsonl", "".join(lines_of(shared_data / "corpora" / "medquad.jsonl.gz", 50)))
    stores.remove("corpus.jsonl")
    bot = stores.refreshed()
    assert stores.index.count(bot.collection, bot.bot_id) == 0
