"""A snapshot of both stores, and its restore into an empty deployment."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from shared.errors import ConflictError, LeasedError, LockstepError, NotFoundError
from shared.snapshots import read_manifest, snapshots
from shared.testing import HashingEmbedder
from tests.integration.deployments import RECORDS, Deployment, Deployments


def test_everything_comes_back_without_embedding_anything(deployments: Deployments, source: Deployment) -> None:
    manifest = source.snapshot()
    target = deployments.empty()
    assert isinstance(target.world.embedder, HashingEmbedder)
    assert target.restore(manifest) == ["library"]
    assert target.world.embedder.embedded == []
    before = source.world.search("What is number 17?", top_k=10).hits
    after = target.world.search("What is number 17?", top_k=10).hits
    assert len(after) == len(before)
    assert after[0].evidence.pair.qa_id == before[0].evidence.pair.qa_id
    assert after[0].evidence.pair.metadata == before[0].evidence.pair.metadata
    assert after[0].evidence.source == before[0].evidence.source
    assert after[0].evidence.passage_id != before[0].evidence.passage_id
    counts = target.client.transact(
        lambda tx: tx._connection.run("select (select count(*) from relations), (select count(*) from query_logs)")
    )
    assert counts == [[29, 1]]


def test_restored_objects_are_recognised_and_then_live_like_any_other(
    deployments: Deployments, source: Deployment
) -> None:
    target = deployments.empty()
    target.restore(source.snapshot())
    world = target.world
    world.bot = world.registry.bot("library")
    assert isinstance(world.embedder, HashingEmbedder)
    assert sorted(version.key for version in world.objects.list("")) == ["library/guide.md", "library/records.jsonl"]
    world.ingest("records.jsonl")
    assert world.embedder.embedded == []
    world.put("records.jsonl", RECORDS.replace("What is number 3?", "What is the number three?"))
    assert len(world.embedder.embedded) == 2
    world.remove("guide.md")
    assert "How to find the way." not in world.answers("How to find the way")


def test_a_deployment_whose_bucket_is_empty_keeps_what_was_restored(
    deployments: Deployments, source: Deployment
) -> None:
    manifest = source.snapshot()
    target = deployments.empty()
    target.restore(manifest)
    world = target.world
    world.bot = world.registry.bot("library")
    for version in list(world.objects.list("library/")):
        world.objects.delete(version.key)
    identity = json.dumps({"deployment_id": str(world.registry.deployment_id())})
    world.objects.put(".lockstep/deployment.json", identity.encode())
    world.sync()
    assert world.hints.keys == []
    assert world.answers("How to find the way")


def test_a_snapshot_shows_one_moment(deployments: Deployments, source: Deployment) -> None:
    manifest = source.snapshot()
    source.world.put("guide.md", "# Guide\n\nEverything is different now.\n")
    target = deployments.empty()
    target.restore(manifest)
    target.world.bot = target.world.registry.bot("library")
    assert target.world.answers("How to find the way")[0] == "How to find the way."


def test_vectors_that_the_index_lost_are_embedded_anew(deployments: Deployments, source: Deployment) -> None:
    world = source.world
    (lost, *_) = world.search("What is number 17?").hits
    world.index.delete(world.bot.collection, world.bot.bot_id, [lost.evidence.passage_id])
    manifest = source.snapshot()
    assert manifest.bots[0].vectors == manifest.bots[0].rows("passages") - 1
    target = deployments.empty()
    target.restore(manifest)
    assert isinstance(target.world.embedder, HashingEmbedder)
    assert target.world.embedder.embedded == [lost.evidence.pair.question, lost.evidence.text]


def test_another_embedder_embeds_everything_anew(deployments: Deployments, source: Deployment) -> None:
    target = deployments.empty(embedder=HashingEmbedder(dimension=32, revision="2"))
    target.restore(source.snapshot())
    target.world.bot = target.world.registry.bot("library")
    assert target.world.search("What is number 17?").hits[0].evidence.pair.external_id == "17"


def test_a_bot_that_is_there_is_not_overwritten(source: Deployment) -> None:
    manifest = source.snapshot()
    with pytest.raises(ConflictError, match="library is here already"):
        source.restore(manifest)
    with pytest.raises(NotFoundError):
        source.restore(manifest, ["nobody"])


def test_without_a_manifest_there_is_no_snapshot(source: Deployment) -> None:
    with pytest.raises(NotFoundError):
        read_manifest(source.backups)
    manifest = source.snapshot()
    assert snapshots(source.backups) == [manifest.snapshot_id]
    assert read_manifest(source.backups) == manifest
    source.backups.delete(manifest.key)
    with pytest.raises(NotFoundError):
        read_manifest(source.backups, manifest.snapshot_id)


@pytest.mark.parametrize("kind", ["passages", "vectors", "object"])
def test_a_damaged_part_is_noticed(deployments: Deployments, source: Deployment, kind: str) -> None:
    manifest = source.snapshot()
    part = next(part for part in manifest.bots[0].parts if part.kind == kind)
    version = source.backups.head(part.key)
    assert version is not None
    with source.backups.open(version) as file:
        content = bytearray(file.read())
    content[len(content) // 2] ^= 1
    source.backups.put(part.key, bytes(content))
    with pytest.raises(LockstepError, match="damaged"):
        deployments.empty().restore(manifest)


def test_a_failed_restore_of_the_catalog_leaves_no_bot(deployments: Deployments, source: Deployment) -> None:
    manifest = source.snapshot()
    part = next(part for part in manifest.bots[0].parts if part.kind == "receipts")
    source.backups.delete(part.key)
    target = deployments.empty()
    with pytest.raises(NotFoundError):
        target.restore(manifest)
    assert target.world.registry.bots() == []


def test_one_snapshot_is_taken_at_a_time(source: Deployment) -> None:
    source.world.registry.claim_lease("backup", uuid4(), 60)
    with pytest.raises(LeasedError):
        source.snapshot()
