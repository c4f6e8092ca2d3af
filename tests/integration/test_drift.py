"""Drift made by hand, past Lockstep, in either store: it is found and healed, and no answer is wrong in between."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pymilvus import MilvusClient

from functions.sync.audit import audit_lease
from functions.sync.bucket_scan import claim_bucket
from functions.sync.comparison import Comparer, Extent
from functions.sync.verify import verify
from infra.local.milvus import EmbeddedMilvus
from infra.local.postgres import EmbeddedPostgres
from shared.domain import Drift
from shared.postgres import PostgresClient
from tests.worlds import World, real_world

COLORS = ("red", "green", "blue", "yellow", "white", "black")
FILE = "".join(
    json.dumps({"id": color, "question": f"Which lamp is {color}?", "answer": f"The {color} lamp hangs in the hall."})
    + "\n"
    for color in COLORS
)
TRUTH = {f"The {color} lamp hangs in the hall." for color in COLORS}
WRONG = "The lamp was sold."


@dataclass
class Stores:
    """A world, and both of its stores by their own clients."""

    world: World
    sql: PostgresClient
    milvus: MilvusClient

    @property
    def collection(self) -> str:
        return self.world.refreshed().collection.name

    def rows(self) -> list[dict[str, Any]]:
        """Every row as Milvus has it, in the order of keys."""
        found = self.milvus.query(self.collection, filter='passage_id != ""', output_fields=["*"], limit=1000)
        return sorted((dict(row) for row in found), key=lambda row: row["passage_id"])

    def change_row(self, **changes: Any) -> None:
        """Write the first row with other values."""
        self.milvus.upsert(self.collection, [self.rows()[0] | changes])

    def run(self, sql: str) -> None:
        self.sql.transact(lambda tx: tx.script(sql))

    def answers(self) -> set[str]:
        return {answer for color in COLORS for answer in self.world.answers(f"Which lamp is {color}?")}

    def drift(self) -> Drift:
        world = self.world
        comparer = Comparer(world.registry, world.delivery, world.index)
        return verify([Extent(world.refreshed().collection)], comparer).drift

    def last_audit(self) -> Drift:
        """What the last audit found."""
        (audit,) = self.world.operations.outcomes()
        return Drift(**audit.figures)

    def sync(self) -> None:
        """What the timer does, a day later."""
        lease, holder = audit_lease(self.world.refreshed().collection), uuid4()
        self.world.registry.claim_lease(lease, holder, 1.0)
        self.world.registry.save_progress(lease, holder, {})
        self.world.registry.release_lease(lease, holder)
        assert self.world.sync()


@contextmanager
def opened(catalog_url: str, milvus_uri: str) -> Iterator[Stores]:
    """The stores, with one document of six pairs."""
    with real_world(catalog_url, milvus_uri) as world:
        claim_bucket(world.objects, world.registry.deployment_id())
        world.put("lamps.jsonl", FILE)
        sql, milvus = PostgresClient(catalog_url), MilvusClient(milvus_uri, timeout=20)
        yield Stores(world, sql, milvus)
        sql.close()
        milvus.close()


@pytest.fixture
def stores(catalog_url: str, milvus_server: EmbeddedMilvus) -> Iterator[Stores]:
    with opened(catalog_url, milvus_server.uri) as made:
        yield made


def delete_two(stores: Stores) -> None:
    ids = [row["passage_id"] for row in stores.rows()[:2]]
    stores.milvus.delete(stores.collection, filter=f"passage_id in {json.dumps(ids)}")


def add_rows(stores: Stores) -> None:
    first = stores.rows()[0]
    keys = (str(uuid4()), "~ no id at all", "ABCDEF", "")
    added = [first | {"passage_id": key, "response": WRONG, "qa_id": "nonsense"} for key in keys]
    stores.milvus.upsert(stores.collection, added)


def zero(stores: Stores) -> None:
    zeros = [0.0] * len(stores.rows()[0]["question_vector"])
    stores.change_row(question_vector=zeros, response_vector=zeros, combined_vector=zeros)


INJECTED: dict[str, tuple[Callable[[Stores], None], Drift]] = {
    "rows deleted": (delete_two, Drift(6, missing=2)),
    "rows added, some under keys that are no ids": (add_rows, Drift(10, orphaned=4)),
    "a text altered": (lambda s: s.change_row(response=WRONG), Drift(6, corrupt=1)),
    "a flag altered": (lambda s: s.change_row(is_active=False), Drift(6, corrupt=1)),
    "nonsense in the ids": (lambda s: s.change_row(document_id="x", qa_id="y"), Drift(6, corrupt=1)),
    "nonsense in the hints": (lambda s: s.change_row(related_nodes={"a": 1}, metadata=[1]), Drift(6, corrupt=1)),
    "a hash altered": (lambda s: s.change_row(row_hash="0" * 64), Drift(6, corrupt=1)),
    "a vector exchanged": (
        lambda s: s.change_row(question_vector=s.rows()[1]["response_vector"]),
        Drift(6, corrupt=1),
    ),
    "vectors zeroed": (zero, Drift(6, corrupt=1)),
    "a row given to another deployment": (
        lambda s: s.change_row(deployment_id=str(uuid4())),
        Drift(6, missing=1, foreign=1),
    ),
    "a row given to a bot that never was": (
        lambda s: s.change_row(bot_id=str(uuid4())),
        Drift(6, missing=1, foreign=1),
    ),
    "a row given to another bot": (
        lambda s: s.change_row(bot_id=str(s.world.register("other").bot_id)),
        Drift(7, missing=1, orphaned=1),
    ),
    "digests in markers altered": (lambda s: s.run("update markers set vector_digest = 'x'"), Drift(6, corrupt=6)),
    "digests in markers gone": (lambda s: s.run("update markers set vector_digest = null"), Drift(6, corrupt=6)),
    "hashes in markers altered": (lambda s: s.run("update markers set row_hash = 'x'"), Drift(6, corrupt=6)),
}


@pytest.mark.parametrize("name", INJECTED)
def test_drift_is_found_and_healed_without_a_wrong_answer(stores: Stores, name: str) -> None:
    before = [
        row | {"question_vector": None, "response_vector": None, "combined_vector": None} for row in stores.rows()
    ]
    inject, expected = INJECTED[name]
    inject(stores)
    assert stores.answers() <= TRUTH
    assert stores.drift() == expected
    stores.sync()
    assert stores.last_audit() == expected
    assert stores.answers() == TRUTH
    assert stores.drift() == Drift(6)
    assert [row["row_hash"] for row in stores.rows()] == [row["row_hash"] for row in before]


@pytest.mark.parametrize(
    "change",
    ["state = 'pending'", "proven_incarnation = null", "proven_incarnation = gen_random_uuid()", "attempts = 7"],
)
def test_markers_that_lost_their_proof_are_delivered_again(stores: Stores, change: str) -> None:
    stores.run(f"update markers set {change}")
    assert stores.answers() == TRUTH
    stores.sync()
    assert stores.drift() == Drift(6)
    assert stores.answers() == TRUTH


@pytest.mark.parametrize(
    "change",
    [
        "delete from markers",
        "update markers set wanted = 'absent', state = 'pending'",
        "update markers set wanted = 'absent'",
    ],
)
def test_passages_whose_markers_are_gone_are_delivered_under_new_ids(stores: Stores, change: str) -> None:
    before = {row["passage_id"] for row in stores.rows()}
    stores.run(change)
    assert stores.drift().missing == 6
    stores.sync()
    assert stores.drift() == Drift(6)
    assert stores.answers() == TRUTH
    after = {row["passage_id"] for row in stores.rows()}
    assert len(after) == 6 and not before & after


def test_a_collection_that_was_dropped_is_built_anew(stores: Stores) -> None:
    stores.milvus.drop_collection(stores.collection)
    assert stores.drift() == Drift(6, missing=6)
    stores.sync()
    assert stores.drift() == Drift(6)
    assert stores.answers() == TRUTH


def test_rows_of_other_origin_are_counted_and_never_touched(stores: Stores) -> None:
    first = stores.rows()[0]
    others = [
        first | {"passage_id": str(uuid4()), "response": WRONG, "deployment_id": str(uuid4())},
        first | {"passage_id": "x", "response": WRONG, "deployment_id": "somebody"},
        first | {"passage_id": str(uuid4()), "response": WRONG, "bot_id": str(uuid4())},
        first | {"passage_id": "y", "response": WRONG, "bot_id": "z"},
    ]
    stores.milvus.upsert(stores.collection, others)
    for _ in range(2):
        stores.sync()
        assert stores.last_audit() == Drift(6, foreign=4)
        assert stores.answers() == TRUTH
    assert sum(row["response"] == WRONG for row in stores.rows()) == 4


def test_what_a_late_worker_wrote_for_a_dropped_bot_is_removed(stores: Stores) -> None:
    world = stores.world
    gone = world.register("gone")
    stores.milvus.upsert(
        stores.collection, [stores.rows()[0] | {"passage_id": str(uuid4()), "bot_id": str(gone.bot_id)}]
    )
    world.registry.delete_bot("gone")
    world.registry.drop_bot(gone)
    assert stores.drift() == Drift(7, orphaned=1)
    stores.sync()
    assert len(stores.rows()) == 6


def test_a_row_that_came_back_after_it_was_proven_absent_is_removed(stores: Stores) -> None:
    world, old = stores.world, stores.rows()
    world.remove("lamps.jsonl")
    stores.milvus.upsert(stores.collection, old[:2])
    assert stores.answers() == set()
    stores.sync()
    assert stores.rows() == []


def test_the_index_lost_with_all_its_data_is_rebuilt_from_the_catalog(catalog_url: str, tmp_path: Path) -> None:
    milvus = EmbeddedMilvus(tmp_path / "data")
    milvus.start()
    milvus.wait()
    try:
        with opened(catalog_url, milvus.uri) as stores:
            milvus.stop()
            shutil.rmtree(tmp_path / "data")
            milvus.start()
            milvus.wait()
            stores.sync()
            assert stores.drift() == Drift(6)
            assert stores.answers() == TRUTH
    finally:
        milvus.stop()


def test_a_catalog_that_was_set_back_in_time_agrees_again(
    stores: Stores, postgres_server: EmbeddedPostgres, catalog_url: str
) -> None:
    world = stores.world
    admin = PostgresClient(postgres_server.url())
    (name,) = stores.sql.transact(lambda tx: tx._connection.run("select current_database()"))[0]

    def alone(sql: str) -> None:
        stores.sql.close()
        world.registry._client.close()  # type: ignore[attr-defined]
        admin.run_alone(sql)

    alone(f"create database {name}_kept template {name}")
    world.bot = world.registry.bot("library")
    # Since then: a document that the old catalog does not know, and one whose rows it believes to be there.
    world.put("more.txt", "The violet lamp hangs in the hall.")
    world.remove("lamps.jsonl")
    stores.sync()
    assert len(stores.rows()) == 1
    alone(f"drop database {name} with (force)")
    alone(f"alter database {name}_kept rename to {name}")
    admin.close()
    assert stores.answers() <= TRUTH  # what the catalog says, and nothing that it does not know
    assert stores.drift() == Drift(7, missing=6, orphaned=1)
    stores.sync()
    assert stores.drift() == Drift(0)  # the ledger knows what was removed
    # The bucket is the origin: what changed there since is looked at again.
    for key in list(world.hints.keys):
        world.ingest(key.partition("/")[2])
    stores.sync()
    assert stores.answers() == {"The violet lamp hangs in the hall."}
    assert stores.drift() == Drift(1)


def test_a_checksum_tells_one_content_from_another(stores: Stores) -> None:
    def checksum() -> str:
        world = stores.world
        comparer = Comparer(world.registry, world.delivery, world.index)
        bot = world.refreshed()
        report = verify([Extent(bot.collection, bot.bot_id)], comparer)
        return report.bots[bot.bot_id].checksum

    first = checksum()
    assert checksum() == first
    stores.world.put("more.txt", "The violet lamp hangs in the hall.")
    assert checksum() != first


def test_one_document_is_verified_alone(stores: Stores) -> None:
    world = stores.world
    world.put("more.txt", "The violet lamp hangs in the hall.")
    delete_two(stores)
    comparer, bot = Comparer(world.registry, world.delivery, world.index), world.refreshed()
    found = {}
    for name in ("lamps.jsonl", "more.txt"):
        status = world.status(name)
        assert status is not None
        found[name] = verify([Extent(bot.collection, bot.bot_id, status.document_id)], comparer).drift
    assert sum(found.values(), Drift()).checked == 7
    assert found["more.txt"].checked == 1
