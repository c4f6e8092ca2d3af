"""Restores: broken off anywhere they go on, nobody sees half a bot, and a drill leaves nothing behind."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import uuid4

import pytest

from functions.backup.drill import is_drill_due, last_drill
from functions.backup.restored_tables import NOT_IN_SCRATCH
from functions.backup.tables import TABLES as TABLES_IN
from functions.sync.bucket_scan import claim_bucket
from shared import steps
from shared.domain import GraphLimits
from shared.errors import ConflictError, InvalidInputError, LockstepError, MismatchError, NotFoundError
from shared.snapshots import Manifest, Part
from shared.testing import HashingEmbedder
from tests.integration.deployments import Deployment, Deployments

TABLES = "bots", "markers", "tombstones", "receipts", "passages", "query_logs"


class KilledError(Exception):
    """What a kill is within a process."""


def kill_at(place: str) -> None:
    def listener(name: str) -> None:
        if name == place:
            steps.listen(None)
            raise KilledError

    steps.listen(listener)


def damage(deployment: Deployment, part: Part) -> None:
    version = deployment.backups.head(part.key)
    assert version is not None
    with deployment.backups.open(version) as file:
        content = bytearray(file.read())
    content[len(content) // 2] ^= 1
    deployment.backups.put(part.key, bytes(content))


def test_a_restore_that_dies_anywhere_goes_on_and_nobody_sees_half_a_bot(
    deployments: Deployments, source: Deployment
) -> None:
    manifest = source.snapshot()
    target = deployments.empty()
    for place in ("begun", "rows-copied", "slice-delivered", "object-restored"):
        kill_at(f"restore.{place}")
        with pytest.raises(KilledError):
            target.restore(manifest)
        assert target.world.registry.bots() == []
        with pytest.raises(NotFoundError):
            target.world.registry.bot("library")
        target.world.sync()
    kill_at("restore.activated")
    with pytest.raises(KilledError):
        target.restore(manifest)
    assert target.restore(manifest) == ["library"]
    assert isinstance(target.world.embedder, HashingEmbedder)
    assert target.world.embedder.embedded == []
    assert target.count("markers") == manifest.bots[0].rows("passages")
    target.world.bot = target.world.registry.bot("library")
    assert target.world.search("What is number 17?").hits[0].evidence.pair.external_id == "17"
    assert target.count("unlinked") == manifest.bots[0].rows("qa_pairs")  # the graph is built anew, like the index
    assert target.world.link()
    assert target.count("unlinked") == 0
    assert target.count("names") == source.count("names") > 0
    assert target.count("mentions") == source.count("mentions")


def test_what_was_found_by_similarity_is_not_saved_but_found_again(
    deployments: Deployments, source: Deployment
) -> None:
    source.world.put("again.jsonl", '{"id": "17", "question": "What is number 17?", "answer": "It is odd."}')
    assert source.world.compare()
    manifest = source.snapshot()
    assert source.count("relations") == manifest.bots[0].rows("relations") + 2  # each is similar to the other
    target = deployments.empty()
    target.restore(manifest)
    target.world.bot = target.world.registry.bot("library")
    assert target.count("uncompared") == manifest.bots[0].rows("qa_pairs")
    assert target.world.compare()
    assert target.count("uncompared") == 0
    assert target.count("relations") == source.count("relations")


def test_a_relation_to_a_record_of_another_document_is_found_again(
    deployments: Deployments, source: Deployment
) -> None:
    named = {"id": "more", "question": "What else?", "answer": "Nothing.", "related": ["7", "later"]}
    source.world.put("more.jsonl", json.dumps(named))
    manifest = source.snapshot()
    assert source.count("relations") == manifest.bots[0].rows("relations") + 1
    target = deployments.empty()
    target.restore(manifest)
    target.world.bot = target.world.registry.bot("library")
    assert target.world.link()
    assert target.count("relations") == source.count("relations")
    target.world.put("later.jsonl", '{"id": "later", "question": "Later?", "answer": "Yes."}')
    assert target.count("relations") == source.count("relations") + 1


def test_after_a_lost_catalog_the_bucket_is_taken_over_and_brings_what_the_snapshot_does_not_know(
    deployments: Deployments, source: Deployment
) -> None:
    lost, bucket = source.world, source.world.objects
    claim_bucket(bucket, lost.registry.deployment_id())
    lost.put("secret.txt", "The secret is 4711.")
    manifest = source.snapshot()
    lost.remove("secret.txt")
    lost.put("later.txt", "The ferry leaves at noon.")

    target = deployments.empty(objects=bucket)
    ours = target.world.registry.deployment_id()
    for other in (None, uuid4()):
        with pytest.raises(MismatchError, match=str(lost.registry.deployment_id())):
            claim_bucket(bucket, ours, taken_from=other)
    claim_bucket(bucket, ours, taken_from=lost.registry.deployment_id())
    assert target.restore(manifest) == ["library"]
    target.world.bot = target.world.registry.bot("library")
    assert target.world.sync()
    for key in target.world.hints.keys:
        target.world.ingest(key.removeprefix("library/"))
    assert "The secret is 4711." not in target.world.answers("What is the secret?")
    assert target.world.answers("When does the ferry leave?")[:1] == ["The ferry leaves at noon."]
    with pytest.raises(MismatchError):
        claim_bucket(bucket, lost.registry.deployment_id())


def test_links_are_found_again_and_wait_for_what_is_not_there(deployments: Deployments, source: Deployment) -> None:
    source.world.put("start.md", "# Start\n\nRead [the rules](rules.md) and [the guide](guide.md) first.\n")
    source.world.put("rules.md", "# Rules\n\nThere are two.\n")
    manifest = source.snapshot()
    target = deployments.empty()
    target.restore(manifest)
    target.world.bot = target.world.registry.bot("library")
    assert target.world.link()
    assert target.count("names") == source.count("names")
    assert target.count("mentions") == source.count("mentions")
    (rules,) = target.world.graph.bearers(target.world.bot, {"/rules"}, GraphLimits())
    around = target.world.graph.look_around(target.world.bot, [rules.qa_id], (), GraphLimits())
    assert len(around.mentioners["/rules"]) == 1


def test_a_bot_comes_back_beside_itself_under_another_slug(source: Deployment) -> None:
    manifest = source.snapshot()
    source.world.put("guide.md", "# Guide\n\nEverything is different now.\n")
    for slug in ("not a slug", ".drill-1"):
        with pytest.raises(InvalidInputError):
            source.restore(manifest, ["library"], slug)
    assert source.restore(manifest, ["library"], "library-before") == ["library-before"]
    world = source.world
    assert world.answers("What is different now?")[0] == "Everything is different now."
    world.bot = world.registry.bot("library-before")
    assert world.answers("How to find the way")[0] == "How to find the way."
    assert sorted(version.key for version in world.objects.list("library-before/")) == [
        "library-before/guide.md",
        "library-before/records.jsonl",
    ]
    world.ingest("guide.md")
    assert world.answers("How to find the way")[0] == "How to find the way."


def test_a_plan_changes_nothing_and_names_what_is_in_the_way(deployments: Deployments, source: Deployment) -> None:
    manifest = source.snapshot()
    (plan,) = source.restoring().plan(manifest)
    assert "library is here already" in plan.problem and "--as" in plan.problem
    target = deployments.empty(embedder=HashingEmbedder(dimension=32, revision="2"))
    (plan,) = target.restoring().plan(manifest, ["library"], "other")
    assert (plan.slug, plan.problem, plan.embeds_anew) == ("other", "", True)
    assert [target.count(table) for table in TABLES] == [0] * len(TABLES)
    restoring = target.restoring()
    assert restoring.check_parts(manifest.bots[0]) == len(manifest.bots[0].parts)
    damage(source, manifest.bots[0].vector_parts[0].vectors)
    with pytest.raises(LockstepError, match="damaged"):
        restoring.check_parts(manifest.bots[0])


def test_what_is_not_what_was_saved_is_not_kept_and_what_was_broken_off_can_be_discarded(
    deployments: Deployments, source: Deployment
) -> None:
    manifest = source.snapshot()
    tables = [replace(part, rows=part.rows + (part.kind == "relations")) for part in manifest.bots[0].tables]
    wrong = replace(manifest, bots=[replace(manifest.bots[0], tables=tables)])
    target = deployments.empty()
    with pytest.raises(LockstepError, match="29 relations instead of 30"):
        target.restore(wrong)
    assert [target.count(table) for table in TABLES] == [0] * len(TABLES)
    kill_at("restore.rows-copied")
    with pytest.raises(KilledError):
        target.restore(manifest)
    assert target.world.registry.bots() == []
    second = source.snapshot()
    with pytest.raises(ConflictError, match="lockstep restore --discard library"):
        target.restore(second)
    kill_at("restore.index-emptied")
    with pytest.raises(KilledError):
        target.restoring().discard("library")
    target.restoring().discard("library")
    assert [target.count(table) for table in TABLES] == [0] * len(TABLES)
    assert target.restore(second) == ["library"]
    with pytest.raises(NotFoundError):
        target.restoring().discard("library")


def test_a_snapshot_of_a_newer_schema_is_refused(deployments: Deployments, source: Deployment) -> None:
    manifest = source.snapshot()
    with pytest.raises(InvalidInputError, match="lockstep migrate"):
        deployments.empty().restore(replace(manifest, schema_version=9_999))


def test_a_restore_without_time_goes_on_with_the_next(deployments: Deployments, source: Deployment) -> None:
    manifest = source.snapshot()
    target = deployments.empty()
    with pytest.raises(LockstepError, match="not enough time"):
        target.restoring(time_left=lambda: 1.0).run(manifest)
    assert target.restore(manifest) == ["library"]


# The drill


def counts(deployment: Deployment) -> list[int]:
    collection = deployment.world.bot.collection
    rows = deployment.world.index._client().query(  # type: ignore[attr-defined]
        collection.name, filter="", output_fields=["count(*)"], consistency_level="Strong"
    )
    partitions = deployment.count(
        "pg_class where relname like '%\\_________________________________' and relkind = 'r'"
    )
    return [*(deployment.count(table) for table in TABLES), partitions, rows[0]["count(*)"]]


def test_a_drill_proves_the_newest_snapshot_and_leaves_nothing(source: Deployment) -> None:
    deployment_id = source.world.registry.deployment_id()
    assert not is_drill_due(source.backups, deployment_id)
    manifest = source.snapshot()
    assert is_drill_due(source.backups, deployment_id)
    before = counts(source)
    seen: list[list[str]] = []
    steps.listen(lambda name: seen.append([bot.slug for bot in source.world.registry.bots()]))
    try:
        result = source.drill().run()
    finally:
        steps.listen(None)
    assert (result.is_ok, result.snapshot_id, result.bot, result.passages) == (
        True,
        manifest.snapshot_id,
        "library",
        31,
    )
    assert seen and all(slugs == ["library"] for slugs in seen)
    assert counts(source) == before
    assert last_drill(source.backups, deployment_id) == result
    assert not is_drill_due(source.backups, deployment_id)
    assert isinstance(source.world.embedder, HashingEmbedder)


def test_each_drill_takes_the_next_bot(source: Deployment) -> None:
    source.world.register("annex")
    source.snapshot()
    assert [source.drill().run().bot for _ in range(3)] == ["annex", "library", "annex"]


def test_a_drill_that_was_killed_is_cleared_away_by_the_next(source: Deployment) -> None:
    manifest = source.snapshot()
    before = counts(source)
    scratch = source.restoring().arrival(uuid4(), ".drill-killed")
    kill_at("restore.slice-delivered")
    with pytest.raises(KilledError):
        scratch.bring_in(manifest.bots[0], "0", [table for table in TABLES_IN if table not in NOT_IN_SCRATCH])
    assert counts(source) != before
    assert source.drill().run().is_ok
    assert counts(source) == before


@pytest.mark.parametrize("kind", ["passages", "vectors", "object", "none"])
def test_a_drill_that_fails_says_why_and_leaves_nothing(source: Deployment, kind: str) -> None:
    if kind != "none":
        damage(source, _part(source.snapshot(), kind))
    before = counts(source)
    result = source.drill().run()
    assert not result.is_ok
    assert ("damaged" if kind != "none" else "no snapshot") in result.error
    assert counts(source) == before
    assert last_drill(source.backups, source.world.registry.deployment_id()) == result


def _part(manifest: Manifest, kind: str) -> Part:
    return next(part for part in manifest.bots[0].parts if part.kind == kind)
