"""Collections: in memory and on Milvus Lite over gRPC."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import grpc
import numpy as np
import pytest
from pymilvus.exceptions import MilvusException, ParamError

from infra.local import milvus as milvus_lite
from infra.local.milvus import EmbeddedMilvus
from shared import milvus
from shared.domain import (
    KEY_SPACE,
    VECTOR_FIELDS,
    Collection,
    Fields,
    Filter,
    IndexRow,
    KeyRange,
    Metadata,
    Pair,
    Passage,
    Relation,
    Vectors,
)
from shared.errors import (
    CircuitOpenError,
    CollectionMissingError,
    ConfigurationError,
    MismatchError,
    RefusedRowError,
    StoreUnavailableError,
)
from shared.milvus import MilvusIndex
from shared.milvus_errors import translate
from shared.ports import VectorIndex
from shared.rows import make_row, related_nodes_of
from shared.testing import InMemoryVectorIndex

DIMENSION = 16
BOT, DOCUMENT = uuid4(), uuid4()


@pytest.fixture(params=["memory", "milvus"])
def index(request: pytest.FixtureRequest) -> VectorIndex:
    if request.param == "memory":
        return InMemoryVectorIndex()
    server: EmbeddedMilvus = request.getfixturevalue("milvus_server")
    return MilvusIndex(server.uri)


@pytest.fixture
def collection(index: VectorIndex) -> Collection:
    return collection_on(index)


def collection_on(index: VectorIndex) -> Collection:
    made = Collection(uuid4(), uuid4(), f"lockstep_{uuid4().hex}", "model", "1", DIMENSION, index_type="FLAT")
    index.create(made, uuid4())
    return made


def vectors(seed: int) -> Vectors:
    made = np.random.default_rng(seed).standard_normal((3, DIMENSION)).astype(np.float32)
    return Vectors(*(made / np.linalg.norm(made, axis=1, keepdims=True)))


def row(collection: Collection, *, bot_id: UUID = BOT, text: str = "An answer.", **metadata: object) -> IndexRow:
    pair = Pair(uuid4(), "A \"question\" \\ with 'quotes' — 한국어?", text, metadata=Metadata(**metadata))  # type: ignore[arg-type]
    return make_row(
        deployment_id=collection.deployment_id,
        bot_id=bot_id,
        document_id=DOCUMENT,
        pair=pair,
        passage=Passage(uuid4(), 0, text),
        related_nodes=related_nodes_of([Relation(uuid4(), "see", 0.5)]),
    )


def fill(index: VectorIndex, collection: Collection, rows: Sequence[IndexRow]) -> list[Vectors]:
    made = [vectors(seed) for seed in range(len(rows))]
    index.upsert(collection, list(zip(rows, made, strict=True)))
    return made


def test_a_row_comes_back_exactly_as_it_was_written(index: VectorIndex, collection: Collection) -> None:
    extra = {
        "n": 3,
        "f": 2.5,
        "whole": 1.0,
        "text": '온라인 \n\t"x" ıİ',
        "list": [1, None, True, {"a": "b"}],
        "none": None,
    }
    written = row(
        collection,
        text="line\none\t한국어 ğüşıöç 😀",
        category='a "quoted" category',
        tags=("a b", "50%"),
        published_at=datetime(2024, 2, 29, 12, tzinfo=UTC),
        extra=extra,
    )
    (sent,) = fill(index, collection, [written])
    found, back = index.fetch(collection, BOT, [written.passage_id])[written.passage_id]
    assert found == written
    assert found.row_hash == written.row_hash
    assert back.digest == sent.digest


def test_writing_the_same_row_again_leaves_one(index: VectorIndex, collection: Collection) -> None:
    written = row(collection)
    for _ in range(3):
        fill(index, collection, [written])
    assert index.count(collection, BOT) == 1


def test_reads_are_confined_to_the_bot_and_the_deployment(index: VectorIndex, collection: Collection) -> None:
    mine, theirs = row(collection), row(collection, bot_id=uuid4())
    fill(index, collection, [mine, theirs])
    ids = [mine.passage_id, theirs.passage_id]
    assert set(index.fetch(collection, BOT, ids)) == {mine.passage_id}
    assert index.present(collection, BOT, ids) == {mine.passage_id}
    assert index.count(collection, BOT) == 1
    found = index.search(collection, BOT, vectors(1).question, fields=VECTOR_FIELDS, limit=10)
    assert all([candidate.passage_id for candidate in found[field]] == [mine.passage_id] for field in VECTOR_FIELDS)


def test_deletes_are_confined_to_the_bot(index: VectorIndex, collection: Collection) -> None:
    mine, theirs = row(collection), row(collection, bot_id=uuid4())
    fill(index, collection, [mine, theirs])
    index.delete(collection, BOT, [mine.passage_id, theirs.passage_id])
    assert index.is_empty(collection, BOT)
    assert index.count(collection, theirs.bot_id) == 1
    index.delete_bot(collection, theirs.bot_id)
    assert index.is_empty(collection, theirs.bot_id)


def test_what_is_nearest_to_many_vectors_is_found_at_once(index: VectorIndex, collection: Collection) -> None:
    rows = [row(collection) for _ in range(20)]
    made = fill(index, collection, rows)
    later = replace(rows[3], passage_id=uuid4(), part=1)
    resting = replace(rows[4], passage_id=uuid4(), is_active=False)
    others = replace(rows[5], passage_id=uuid4(), bot_id=uuid4())
    index.upsert(collection, list(zip((later, resting, others), made[3:6], strict=True)))
    queries = [made[place].response for place in (3, 4, 5)]
    found = index.nearest(collection, BOT, queries, field="response", limit=2)
    assert [near[0].passage_id for near in found] == [rows[place].passage_id for place in (3, 4, 5)]
    for near, query in zip(found, queries, strict=True):
        assert [candidate.score for candidate in near] == pytest.approx(
            sorted((float(vectors.response @ query) for vectors in made), reverse=True)[:2], abs=1e-5
        )
    assert index.nearest(collection, BOT, [], field="response", limit=2) == []


@pytest.mark.parametrize("metric", ["COSINE", "IP", "L2"])
def test_how_near_is_told_as_a_cosine_whatever_the_metric(index: VectorIndex, metric: str) -> None:
    made = Collection(uuid4(), uuid4(), f"lockstep_{uuid4().hex}", "model", "1", DIMENSION, metric, index_type="FLAT")
    index.create(made, uuid4())
    one, two = fill(index, made, [row(made), row(made)])
    ((_, other),) = index.nearest(made, BOT, [one.question], field="question", limit=2)
    assert other.score == pytest.approx(float(one.question @ two.question), abs=1e-5)


def test_each_field_is_searched_by_its_own_vector(index: VectorIndex, collection: Collection) -> None:
    rows = [row(collection) for _ in range(20)]
    made = fill(index, collection, rows)
    for place, field in enumerate(VECTOR_FIELDS):
        wanted = rows[5 + place]
        query = getattr(made[5 + place], field)
        found = index.search(collection, BOT, query, fields=[field], limit=3)[field]
        assert found[0].passage_id == wanted.passage_id
        assert found[0].qa_id == wanted.qa_id
        assert found[0].score == pytest.approx(1.0, abs=1e-5)
        assert [candidate.score for candidate in found] == sorted((c.score for c in found), reverse=True)


@pytest.mark.parametrize(
    ("matching", "expected"),
    [
        (Filter(category=("kidney",)), {0}),
        (Filter(category=("kidney", 'he"art')), {0, 1}),
        (Filter(category=('x" or bot_id != "',)), set()),
        (Filter(category=("kidney%",)), set()),
        (Filter(tags=("a b",)), {0, 1}),
        (Filter(tags=("a",)), set()),
        (Filter(published_from=datetime(2023, 1, 1, tzinfo=UTC)), {0}),
        (Filter(published_to=datetime(2023, 1, 1, tzinfo=UTC)), {1}),
        (Filter(document_id=(DOCUMENT,)), {0, 1, 2}),
        (Filter(document_id=(uuid4(),)), set()),
        (Filter(must_not=Fields(category=("kidney", 'he"art'))), {2}),
        (Filter(must_not=Fields(category=('x" or bot_id != "',))), {0, 1, 2}),
        (Filter(must_not=Fields(document_id=(DOCUMENT,))), set()),
        (Filter(must_not=Fields(document_id=(uuid4(),))), {0, 1, 2}),
        (Filter(must_not=Fields(published_from=datetime(2023, 1, 1, tzinfo=UTC))), {1, 2}),
        (Filter(must_not=Fields(published_to=datetime(2023, 1, 1, tzinfo=UTC))), {0, 2}),
        (Filter(category=("kidney",), must_not=Fields(published_to=datetime(2023, 1, 1, tzinfo=UTC))), {0}),
    ],
)
def test_filters_on_scalars(index: VectorIndex, collection: Collection, matching: Filter, expected: set[int]) -> None:
    rows = [
        row(collection, category="kidney", tags=("a b",), published_at=datetime(2024, 1, 1, tzinfo=UTC)),
        row(collection, category='he"art', tags=("a b", "c"), published_at=datetime(2020, 1, 1, tzinfo=UTC)),
        row(collection),
    ]
    fill(index, collection, rows)
    found = index.search(collection, BOT, vectors(9).question, fields=["question"], limit=10, matching=matching)
    assert {candidate.passage_id for candidate in found["question"]} == {rows[n].passage_id for n in expected}


def test_the_index_leaves_out_only_what_it_knows_for_sure(index: VectorIndex, collection: Collection) -> None:
    moment = datetime(2024, 1, 1, 12, 0, 0, 500_000, tzinfo=UTC)
    rows = [row(collection, language="x" * 40, tags=("50% off",), published_at=moment), row(collection, language="en")]
    fill(index, collection, rows)
    unsure = Fields(language=("x" * 32,), tags=("50-off",), published_from=moment, published_to=moment)
    found = index.search(
        collection, BOT, vectors(9).question, fields=["question"], limit=10, matching=Filter(must_not=unsure)
    )
    assert {candidate.passage_id for candidate in found["question"]} == {one.passage_id for one in rows}


def test_a_search_among_given_passages(index: VectorIndex, collection: Collection) -> None:
    rows = [row(collection) for _ in range(5)]
    made = fill(index, collection, rows)
    chosen = [rows[1].passage_id, rows[2].passage_id]
    found = index.search(collection, BOT, made[0].question, fields=["question"], limit=10, passage_ids=chosen)
    assert {candidate.passage_id for candidate in found["question"]} == set(chosen)


def test_creating_again_keeps_the_incarnation(index: VectorIndex, collection: Collection) -> None:
    first = index.incarnation(collection)
    assert first is not None
    assert index.create(collection, uuid4()) == first


def test_a_collection_is_dropped_only_when_nothing_is_in_it(index: VectorIndex, collection: Collection) -> None:
    fill(index, collection, [row(collection, bot_id=uuid4())])
    (held,) = index.search(collection, BOT, vectors(1).question, fields=["question"], limit=1).values()
    assert held == []
    assert not index.drop_empty(collection)
    assert index.incarnation(collection) is not None


def test_an_empty_collection_is_dropped_and_can_come_again(index: VectorIndex, collection: Collection) -> None:
    first = index.incarnation(collection)
    assert index.drop_empty(collection)
    assert index.incarnation(collection) is None
    assert index.drop_empty(collection)
    assert index.create(collection, uuid4()) != first
    fill(index, collection, [row(collection)])
    assert index.count(collection, BOT) == 1


def test_another_deployment_or_embedder_is_refused(index: VectorIndex, collection: Collection) -> None:
    for other in (
        replace(collection, deployment_id=uuid4()),
        replace(collection, model_id="other"),
        replace(collection, model_revision="2"),
    ):
        with pytest.raises(MismatchError):
            index.incarnation(other)


def test_a_collection_that_is_not_there_says_so(index: VectorIndex, collection: Collection) -> None:
    missing = replace(collection, name="lockstep_not_there")
    assert index.incarnation(missing) is None
    with pytest.raises(CollectionMissingError):
        index.fetch(missing, BOT, [uuid4()])
    with pytest.raises(CollectionMissingError):
        index.upsert(missing, [(row(collection), vectors(1))])


def test_a_row_that_cannot_be_held_is_refused(index: VectorIndex, collection: Collection) -> None:
    good = row(collection)
    with pytest.raises(RefusedRowError):
        index.upsert(collection, [(replace(good, category="x" * 600), vectors(1))])
    short = np.zeros(3, dtype=np.float32)
    with pytest.raises(RefusedRowError):
        index.upsert(collection, [(good, Vectors(short, short, short))])
    assert index.is_empty(collection, BOT)


def test_a_stretch_of_keys_holds_what_is_stored_there(index: VectorIndex, collection: Collection) -> None:
    rows = [row(collection) for _ in range(30)] + [row(collection, bot_id=uuid4())]
    sent = fill(index, collection, rows)
    written = {str(r.passage_id): (r.bot_id, r.row_hash, v.digest) for r, v in zip(rows, sent, strict=True)}
    third = KEY_SPACE // 3
    found = [
        stored
        for begin in range(0, KEY_SPACE, third)
        for stored in index.stored(collection, KeyRange(begin, min(KEY_SPACE, begin + third)), limit=100)
    ]
    assert {stored.key: (stored.bot_id, stored.row_hash, stored.vector_digest) for stored in found} == written
    assert len(found) == len(rows)
    assert len(index.stored(collection, KeyRange(), limit=7)) == 7
    assert len(index.stored(collection, KeyRange(), limit=100, bot_id=BOT)) == 30
    assert index.stored(collection, KeyRange(), limit=100, bot_id=BOT, document_id=uuid4()) == []


def test_rows_of_another_deployment_are_counted_and_not_seen(index: VectorIndex, collection: Collection) -> None:
    mine, theirs = row(collection), row(replace(collection, deployment_id=uuid4()))
    fill(index, collection, [mine, theirs])
    assert index.count_foreign(collection) == 1
    assert [stored.passage_id for stored in index.stored(collection, KeyRange(), limit=10)] == [mine.passage_id]


def test_everything_in_a_collection_can_be_read_in_the_order_of_its_keys(
    index: VectorIndex, collection: Collection
) -> None:
    rows = sorted((row(collection) for _ in range(20)), key=lambda each: each.passage_id)
    fill(index, collection, rows)
    records = list(index.records(collection.name))
    assert [key for key, _ in records] == [str(each.passage_id) for each in rows]
    assert records[0][1]["question"] == rows[0].question
    assert not any(name.endswith("_vector") for name in records[0][1])
    with pytest.raises(CollectionMissingError):
        list(index.records("not_there"))


def test_nothing_asked_is_nothing_found(index: VectorIndex, collection: Collection) -> None:
    assert index.fetch(collection, BOT, []) == {}
    assert index.present(collection, BOT, []) == set()
    index.delete(collection, BOT, [])


def test_a_server_that_is_away_is_unavailable() -> None:
    with pytest.raises(StoreUnavailableError):
        MilvusIndex("http://127.0.0.1:9", timeout_seconds=0.5).ping()


def test_whether_it_answers_can_be_asked_of_collections_too(index: VectorIndex, collection: Collection) -> None:
    index.ping()
    index.ping([collection, replace(collection, name="lockstep_not_there")])


# Damaged files of Milvus Lite


@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[:-7]], ids=["emptied", "cut"])
def test_a_damaged_index_file_is_told_of_and_written_anew_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[bytes], bytes]
) -> None:
    server = EmbeddedMilvus(tmp_path / "data")
    with running(server) as index:
        made = collection_on(index)
        written = row(made)
        (sent,) = fill(index, made, [written])
        index.settle(made)
    with running(server) as index:
        index.ping([made])  # loaded, it has its files
    files = list((tmp_path / "data").rglob("*.idx"))
    assert len(files) == len(VECTOR_FIELDS)
    files[0].write_bytes(damage(files[0].read_bytes()))
    with monkeypatch.context() as context:
        context.setattr(milvus_lite, "remove_unreadable_indexes", lambda data: None)
        with running(server) as index:
            index.ping()
            with pytest.raises(StoreUnavailableError):
                index.ping([made])
    with running(server) as index:
        index.ping([made])
        found = index.search(made, BOT, sent.question, fields=VECTOR_FIELDS, limit=1)
        assert all(found[field][0].passage_id == written.passage_id for field in VECTOR_FIELDS)


@contextmanager
def running(server: EmbeddedMilvus) -> Iterator[MilvusIndex]:
    server.start()
    try:
        server.wait()
        yield MilvusIndex(server.uri)
    finally:
        server.stop()


# A server that refuses who asks


@contextmanager
def refusing_server(status: grpc.StatusCode) -> Iterator[str]:
    """The URI of a server that answers as Milvus answers who has another token."""

    def refuse(_: object, context: grpc.ServicerContext) -> None:
        context.abort(status, "auth check failure, please check api key is correct")

    methods = {"Connect": grpc.unary_unary_rpc_method_handler(refuse)}
    handler = grpc.method_handlers_generic_handler("milvus.proto.milvus.MilvusService", methods)
    server = grpc.server(ThreadPoolExecutor(max_workers=2), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.mark.parametrize("status", [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED])
def test_a_wrong_token_is_a_mistake_in_the_settings_and_is_not_tried_again(status: grpc.StatusCode) -> None:
    with refusing_server(status) as uri, pytest.raises(ConfigurationError, match="LOCKSTEP_MILVUS_TOKEN") as caught:
        MilvusIndex(uri, "a-secret").ping()
    assert "a-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MilvusException(1400, "not authenticated"), ConfigurationError),
        (MilvusException(1, "auth check failure, please check api key is correct"), ConfigurationError),
        (MilvusException(grpc.StatusCode.PERMISSION_DENIED, "Retry run out"), ConfigurationError),
        (MilvusException(grpc.StatusCode.UNKNOWN, "Retry run out"), StoreUnavailableError),
        (MilvusException(100, "no such collection"), CollectionMissingError),
        (MilvusException(101, "not loaded"), StoreUnavailableError),
        (MilvusException(1100, "too long"), RefusedRowError),
        (ParamError(message="no such field"), RefusedRowError),
        (MilvusException(1, "something else"), StoreUnavailableError),
        (MismatchError("ours"), MismatchError),
    ],
)
def test_what_milvus_says_is_put_into_our_words(error: Exception, expected: type[Exception]) -> None:
    assert type(translate(error)) is expected


# A server that hangs


@pytest.fixture(scope="module")
def hanging_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMilvus]:
    """One that may stand still without anybody else noticing."""
    server = EmbeddedMilvus(tmp_path_factory.mktemp("milvus") / "data")
    server.start()
    server.wait()
    yield server
    server.stop()


@contextmanager
def frozen(server: EmbeddedMilvus) -> Iterator[None]:
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


@pytest.mark.parametrize("is_warm", [True, False])
def test_a_server_that_hangs_is_given_up_and_then_left_alone(hanging_server: EmbeddedMilvus, is_warm: bool) -> None:
    patient = MilvusIndex(hanging_server.uri)
    made = collection_on(patient)
    index = MilvusIndex(hanging_server.uri, timeout_seconds=2)
    if is_warm:
        index.search(made, BOT, vectors(1).question, fields=VECTOR_FIELDS, limit=1)
    begin = time.monotonic()
    with frozen(hanging_server):
        for _ in range(2):
            with pytest.raises(StoreUnavailableError):
                index.search(made, BOT, vectors(1).question, fields=VECTOR_FIELDS, limit=1)
        with pytest.raises(CircuitOpenError, match="The last time: The index did not answer"):
            index.search(made, BOT, vectors(1).question, fields=VECTOR_FIELDS, limit=1)
    assert time.monotonic() - begin < 50  # a load alone was given sixty seconds
    assert patient.search(made, BOT, vectors(1).question, fields=VECTOR_FIELDS, limit=1)["question"] == []


def test_a_write_to_a_server_that_hangs_is_over_before_its_lease(hanging_server: EmbeddedMilvus) -> None:
    index = MilvusIndex(hanging_server.uri, timeout_seconds=30)
    made = collection_on(index)
    fill(index, made, [row(made)])
    begin = time.monotonic()
    with frozen(hanging_server), pytest.raises(StoreUnavailableError):
        index.upsert(made, [(row(made), vectors(1))], within_seconds=1)
    assert time.monotonic() - begin < 30  # one attempt could take as long, and three three times that


def test_a_server_that_hangs_while_indexes_are_looked_for_is_given_up(
    hanging_server: EmbeddedMilvus, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = MilvusIndex(hanging_server.uri)
    made = collection_on(index)
    monkeypatch.setattr(milvus, "LONG_TIMEOUT_SECONDS", 0.5)
    with frozen(hanging_server), pytest.raises(StoreUnavailableError):
        index._index_and_load(made)


@pytest.mark.parametrize("index_type", ["FLAT", "IVF_FLAT", "HNSW", "AUTOINDEX"])
def test_every_index_type_finds_the_nearest(milvus_server: EmbeddedMilvus, index_type: str) -> None:
    index = MilvusIndex(milvus_server.uri)
    parameters = {"IVF_FLAT": {"nlist": 4}, "HNSW": {"M": 16, "efConstruction": 100}}.get(index_type, {})
    made = Collection(
        uuid4(), uuid4(), f"lockstep_{uuid4().hex}", "m", "1", DIMENSION, "COSINE", index_type, parameters
    )
    index.create(made, uuid4())
    rows = [row(made) for _ in range(40)]
    sent = fill(index, made, rows)
    index.settle(made)
    found = index.search(made, BOT, sent[7].combined, fields=["combined"], limit=1)["combined"]
    assert found[0].passage_id == rows[7].passage_id
