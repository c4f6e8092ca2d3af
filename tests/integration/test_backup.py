"""A snapshot of both stores, and its restore into an empty deployment."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from shared import steps
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
    assert world.embedder.embedded == ["What is the number three?"]
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


def test_a_correction_comes_back_with_what_it_corrects_and_one_out_of_date_stays_so(
    deployments: Deployments, source: Deployment
) -> None:
    def correct(number: int) -> None:
        (hit,) = world.search(f"What is number {number}?", top_k=1).hits
        own = world.documents.own_pair(world.bot, hit.evidence.pair.qa_id)
        assert own is not None
        answer = json.dumps({"base": own.content_hash, "answer": f"Number {number} is corrected."})
        world.put(f".corrections/{own.pair.qa_id}.json", answer)

    world = source.world
    correct(3)
    correct(4)
    world.put("records.jsonl", RECORDS.replace('\\"4\\"', '\\"four\\"'))
    target = deployments.empty()
    target.restore(source.snapshot())
    world = target.world
    world.bot = world.registry.bot("library")
    assert world.answers("What is number 3?")[0] == "Number 3 is corrected."
    assert "Number 4 is corrected." not in world.answers("What is number 4?")
    corrections = [d for d in world.documents.documents(world.bot, after="", limit=9) if ".corrections" in d.object_key]
    assert sorted(d.is_answering for d in corrections) == [False, True]


# Deletes after the snapshot


def test_what_was_deleted_after_the_snapshot_stays_deleted(deployments: Deployments, source: Deployment) -> None:
    manifest = source.snapshot()
    source.world.remove("guide.md")
    target = deployments.empty(objects=source.world.objects)  # the catalog and the index are lost, the bucket is not
    seen: list[list[str]] = []

    def look(step: str) -> None:
        if [bot.slug for bot in target.world.registry.bots()] == ["library"]:
            target.world.bot = target.world.registry.bot("library")
            seen.append(target.world.answers("How to find the way"))

    steps.listen(look)
    try:
        target.restore(manifest)
    finally:
        steps.listen(None)
    assert seen
    assert not any("How to find the way." in passages for passages in seen)
    world = target.world
    world.bot = world.registry.bot("library")
    assert "How to find the way." not in world.answers("How to find the way")
    assert world.search("What is number 17?").hits[0].evidence.pair.external_id == "17"
    assert "library/guide.md" not in [version.key for version in world.objects.list("")]
    assert len(world.delivery.receipts(world.bot.bot_id, 10)) == 2  # of the snapshot, and of the delete after it


def test_an_object_that_was_put_again_after_its_delete_is_restored(
    deployments: Deployments, source: Deployment
) -> None:
    source.world.put("old.txt", "Something that came again.")
    manifest = source.snapshot()
    target = deployments.empty(objects=source.world.objects)
    target.restore(manifest)
    target.world.bot = target.world.registry.bot("library")
    assert "Something that came again." in target.world.answers("Something that came again")
    assert "library/old.txt" in [version.key for version in target.world.objects.list("")]


def test_a_bot_that_was_deleted_after_the_snapshot_comes_back_only_when_it_is_asked_for(
    deployments: Deployments, source: Deployment
) -> None:
    manifest = source.snapshot()
    source.world.ledger().delete_bot(source.world.refreshed())
    target = deployments.empty(objects=source.world.objects)
    with pytest.raises(ConflictError, match="--bring-back-deleted-bots"):
        target.restore(manifest)
    assert target.world.registry.bots() == []
    assert target.restore(manifest, brings_back_deleted_bots=True) == ["library"]
    world = target.world
    world.bot = world.registry.bot("library")
    world.ledger().catch_up(world.bot)
    assert "How to find the way." in world.answers("How to find the way")
    newer = target.snapshot()
    assert deployments.empty(objects=world.objects).restore(newer) == ["library"]
