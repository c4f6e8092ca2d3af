"""Rows that somebody else wrote into Milvus become documents like all others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import pytest
from pymilvus import DataType, MilvusClient

from functions.sync.bucket_scan import claim_bucket
from infra.adopt import Adopter, Adoption
from infra.local.milvus import EmbeddedMilvus
from shared.domain import Drift
from shared.errors import CollectionMissingError, InvalidInputError
from shared.testing import InMemoryObjectStore, InMemoryVectorIndex
from tests.integration.test_drift import Stores, opened
from tests.worlds import World, memory_world

ROWS = 250


def adopt(world: World, name: str, *, dry_run: bool = False, columns: Mapping[str, str] | None = None) -> Adoption:
    adopter = Adopter(
        world.index,
        world.objects,
        world.registry.deployment_id(),
        frozenset(world.registry.bot_states()),
        columns or {},
    )
    return adopter.adopt(name, world.refreshed(), dry_run=dry_run)


def ingest_all(world: World) -> None:
    for version in world.objects.list(f"{world.bot.slug}/"):
        world.ingest(version.key.partition("/")[2])


@pytest.fixture
def stores(catalog_url: str, milvus_server: EmbeddedMilvus) -> Iterator[Stores]:
    with opened(catalog_url, milvus_server.uri) as made:
        yield made


@pytest.fixture
def foreign(stores: Stores) -> Iterator[str]:
    """A collection as others make it: a counted key, two texts, a vector, and fields that no schema names."""
    name = f"theirs_{uuid4().hex}"
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=True)
    schema.add_field("pk", DataType.INT64, is_primary=True)
    schema.add_field("query", DataType.VARCHAR, max_length=200)
    schema.add_field("answer", DataType.VARCHAR, max_length=2000)
    schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=4)
    stores.milvus.create_collection(name, schema=schema)
    parameters = stores.milvus.prepare_index_params()
    parameters.add_index("embedding", index_type="FLAT", metric_type="COSINE")
    stores.milvus.create_index(name, parameters)
    rows = [
        {
            "pk": number,
            "query": f"Where is shelf {number}?",
            "answer": f"Shelf {number} is in room {number % 7}." if number else " ",
            "embedding": [1.0, 0.0, 0.0, float(number)],
            "shelf": {"floor": number % 3},
            "category": "shelves",
        }
        for number in range(ROWS)
    ]
    stores.milvus.insert(name, rows)
    yield name
    stores.milvus.drop_collection(name)


def test_rows_of_others_are_adopted_proven_and_answer(stores: Stores, foreign: str) -> None:
    world = stores.world
    done = adopt(world, foreign)
    assert (done.rows, done.pairs, done.empty, done.objects, done.written) == (ROWS, ROWS - 1, 1, 3, 3)
    ingest_all(world)
    assert stores.drift() == Drift(ROWS - 1 + 6)
    (best, *_) = world.search("Where is shelf 123?").hits
    assert best.evidence.text == "Shelf 123 is in room 4."
    assert best.evidence.pair.external_id == "123"
    assert best.evidence.pair.metadata.category == "shelves"
    assert best.evidence.pair.metadata.extra == {"shelf": {"floor": 0}}
    assert len(stores.milvus.query(foreign, filter="pk >= 0", output_fields=["pk"])) == ROWS


def test_a_run_that_was_cut_short_is_followed_by_one_that_goes_on(stores: Stores, foreign: str) -> None:
    world = stores.world
    assert isinstance(world.objects, InMemoryObjectStore)
    adopt(world, foreign)
    whole = dict(world.objects.contents)
    world.objects.delete(f"library/adopted/{foreign}/000002.jsonl")
    assert adopt(world, foreign).written == 1
    assert dict(world.objects.contents) == whole
    assert adopt(world, foreign).written == 0


def test_a_dry_run_writes_nothing_and_tells_what_it_would(stores: Stores, foreign: str) -> None:
    world = stores.world
    assert isinstance(world.objects, InMemoryObjectStore)
    before = dict(world.objects.contents)
    done = adopt(world, foreign, dry_run=True)
    assert (done.pairs, done.written) == (ROWS - 1, 3)
    assert done.fields == {"question": "query", "response": "answer", "category": "category"}
    assert done.example is not None and done.example["response"] == "Shelf 1 is in room 1."
    assert dict(world.objects.contents) == before


def test_of_our_own_collection_only_what_others_wrote_is_adopted(stores: Stores) -> None:
    first = stores.rows()[0]
    other = {
        "passage_id": str(uuid4()),
        "deployment_id": str(uuid4()),
        "question": "Where is the cellar?",
        "response": "The cellar is below.",
        "external_id": "c1",
        "tags": "|deep|dark|",
        "published_at": 1_700_000_000,
        "metadata": {"stairs": 12},
    }
    stores.milvus.upsert(stores.collection, [first | other])
    done = adopt(stores.world, stores.collection)
    assert (done.rows, done.ours, done.pairs) == (7, 6, 1)
    ingest_all(stores.world)
    (best, *_) = stores.world.search("Where is the cellar?").hits
    assert best.evidence.text == "The cellar is below."
    metadata = best.evidence.pair.metadata
    assert metadata.tags == ("deep", "dark")
    assert metadata.published_at is not None and metadata.published_at.year == 2023
    assert metadata.extra == {"stairs": 12, "original_id": "c1"}
    assert stores.drift() == Drift(7, foreign=1)


# Whatever the rows look like


def memory_with(*records: dict[str, Any]) -> World:
    world = memory_world()
    claim_bucket(world.objects, world.registry.deployment_id())
    assert isinstance(world.index, InMemoryVectorIndex)
    world.index.others["theirs"] = {str(number): record for number, record in enumerate(records)}
    return world


@pytest.mark.parametrize(
    ("record", "columns", "expected"),
    [
        ({"text": "A.", "source": "s"}, {}, {"text": "A.", "source": "s"}),
        ({"frage": "Q?", "antwort": "A."}, {}, {"question": "Q?", "response": "A."}),
        ({"f1": "Q?", "f2": "A."}, {"question": "f1", "response": "f2"}, {"question": "Q?", "response": "A."}),
        ({"page_content": "A.", "x": [1, 2]}, {"response": "page_content"}, {"response": "A.", "x": [1, 2]}),
        ({"id": "i", "q": "Q?", "a": "A."}, {}, {"original_id": "i", "question": "Q?", "response": "A."}),
        ({"question": "Q?", "text": "A.", "Text": "B."}, {}, {"question": "Q?", "text": "A.", "original_Text": "B."}),
    ],
)
def test_common_names_are_found_and_others_can_be_named(
    record: dict[str, Any], columns: dict[str, str], expected: dict[str, Any]
) -> None:
    world = memory_with(record)
    adopt(world, "theirs", columns=columns)
    version = world.objects.head("library/adopted/theirs/000001.jsonl")
    assert version is not None
    with world.objects.open(version) as file:
        assert json.loads(file.read()) == {"id": "0"} | expected


def test_rows_without_a_text_are_refused_with_the_names_of_their_fields() -> None:
    with pytest.raises(InvalidInputError, match=r"--response.*stuff"):
        adopt(memory_with({"stuff": "A."}), "theirs")


def test_a_collection_that_is_not_there_says_so() -> None:
    with pytest.raises(CollectionMissingError):
        adopt(memory_with(), "nobodys")
