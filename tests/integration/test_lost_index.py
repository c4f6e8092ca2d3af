"""An index that was lost is written again from the newest snapshot's vectors, as far as they are what was proven."""

from __future__ import annotations

import pytest

from shared.testing import HashingEmbedder
from tests.integration.deployments import RECORDS, Deployment


@pytest.fixture
def embedded(source: Deployment) -> list[str]:
    assert isinstance(source.world.embedder, HashingEmbedder)
    return source.world.embedder.embedded


def lose_index(source: Deployment) -> None:
    source.world.index._client().drop_collection(source.world.bot.collection.name)  # type: ignore[attr-defined]


def bring_back(source: Deployment, *, with_snapshots: bool = True) -> None:
    source.world.sync(backups=source.backups if with_snapshots else None)
    assert source.world.delivery.unfinished_documents(source.world.bot, 10) == []


def test_nothing_is_embedded_that_the_newest_snapshot_holds(source: Deployment, embedded: list[str]) -> None:
    source.snapshot()
    source.world.put("new.txt", "Something newer than the snapshot.")
    before = source.world.search("What is number 17?").hits
    embedded.clear()
    lose_index(source)
    bring_back(source)
    assert embedded == ["new", "Something newer than the snapshot."] or embedded == [
        "Something newer than the snapshot."
    ]
    after = source.world.search("What is number 17?").hits
    assert [hit.evidence.passage_id for hit in after] == [hit.evidence.passage_id for hit in before]


def test_vectors_that_are_not_what_was_proven_are_embedded_anew(source: Deployment, embedded: list[str]) -> None:
    source.snapshot()
    other = "f" * 64
    source.client.transact(
        lambda tx: tx.script(
            f"update markers set vector_digest = '{other}' where passage_id in"
            " (select passage_id from passages p join qa_pairs q using (bot_id, qa_id) where q.external_id = '17')"
        )
    )
    embedded.clear()
    lose_index(source)
    bring_back(source)
    assert embedded == ["What is number 17?", _answer(17)]
    assert source.count(f"markers where vector_digest = '{other}'") == 0


def test_without_a_snapshot_that_can_be_read_everything_is_embedded_anew(
    source: Deployment, embedded: list[str]
) -> None:
    manifest = source.snapshot()
    for part in manifest.bots[0].vector_parts:
        source.backups.put(part.vectors.key, b"damaged")
    embedded.clear()
    lose_index(source)
    bring_back(source)
    assert len(embedded) > 30
    source.backups.put(manifest.key, b"{")
    for with_snapshots in (True, False):
        embedded.clear()
        lose_index(source)
        bring_back(source, with_snapshots=with_snapshots)
        assert len(embedded) > 30
    assert source.world.search("What is number 17?").hits[0].evidence.pair.external_id == "17"


def _answer(number: int) -> str:
    assert f'It is \\"{number}\\"' in RECORDS
    return f'It is "{number}",\nand nothing — 한국어 ğ — else.'
