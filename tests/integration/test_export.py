"""An export holds what is live, all of it, as of one moment, in every format, and appears whole or not at all."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import openpyxl
import pyarrow.parquet as parquet
import pytest

from functions.backup import export_files
from functions.backup.export import Export, ExportedBot, _Spool
from functions.backup.export_files import XlsxFile
from infra.local.milvus import EmbeddedMilvus
from infra.local.postgres import EmbeddedPostgres
from shared.catalog.exporting import PostgresExport
from shared.domain import Bot, QueryLog
from shared.errors import ConfigurationError, ConflictError, StoreUnavailableError
from shared.export import FORMULA_STARTS, TABLES, Record, harmless
from shared.postgres import PostgresClient
from tests.worlds import World, real_world

_numbers = count(1)
RECORDS = [
    {
        "id": str(n),
        "question": f"What is number {n}?",
        "answer": f'It is "{n}",\nand nothing — 한국어 ğ — else.',
        "category": "=1+1" if n == 7 else "numbers",
        "tags": ["a", f"t{n % 3}"],
        "date": "2024-05-06",
        "nested": {"n": n, "f": 1.5},
        "related": [str(n + 1)] if n < 19 else [],
    }
    for n in range(20)
]


@dataclass
class Exporter:
    """A world over real stores, and exports of it."""

    world: World
    client: PostgresClient
    folder: Path

    def export(self, *, since: datetime | None = None, batch_size: int = 3, embeddings: bool = False) -> Export:
        return Export(
            registry=self.world.registry,
            reader=PostgresExport(self.client),
            index=self.world.index,
            since=since,
            batch_size=batch_size,
            includes_embeddings=embeddings,
            report=lambda message: None,
        )

    def write(self, form: str = "jsonl", **options: Any) -> tuple[Path, ExportedBot]:
        """Export the world's bot; returns its folder and what is told of it."""
        folder = self.folder / f"{form}-{next(_numbers)}"
        (exported,) = self.export(**options).to_folder(folder, form, [self.world.refreshed()])
        return folder / "library", exported

    def pairs(self, **options: Any) -> dict[str, Any]:
        folder, _ = self.write(**options)
        return {pair["external_id"] or pair["question"]: pair for pair in lines(folder / "pairs.jsonl")}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture
def exporter(catalog_url: str, milvus_server: EmbeddedMilvus, tmp_path: Path) -> Iterator[Exporter]:
    client = PostgresClient(catalog_url)
    with real_world(catalog_url, milvus_server.uri) as world:
        world.put("records.jsonl", "\n".join(json.dumps(record, ensure_ascii=False) for record in RECORDS))
        world.put("guide.md", "# Guide\n\n" + "How to find the way. " * 150)
        world.reading.log(world.bot, QueryLog(uuid4(), "=cmd", '+an "answer"\nwith lines', False, 5, score=-0.5), [])
        yield Exporter(world, client, tmp_path)
    client.close()


@pytest.fixture
def target(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The URL of a database that has nothing of ours."""
    name = f"target_{next(_numbers)}"
    yield postgres_server.ensure_database(name)
    admin = PostgresClient(postgres_server.url())
    admin.run_alone(f"drop database {name} with (force)")
    admin.close()


# What is in it


def test_everything_that_is_live_is_there(exporter: Exporter) -> None:
    folder, exported = exporter.write()
    pairs = lines(folder / "pairs.jsonl")
    assert exported.records == {"pairs": 21, "relations": 19, "sources": exported.records["sources"], "logs": 1}
    seven = next(pair for pair in pairs if pair["external_id"] == "7")
    assert (seven["bot"], seven["object_path"], seven["generation"]) == ("library", "records.jsonl", 1)
    assert seven["response"] == RECORDS[7]["answer"]
    assert (seven["category"], seven["tags"], seven["published_at"][:10]) == ("=1+1", ["a", "t1"], "2024-05-06")
    assert seven["metadata"]["nested"] == {"n": 7, "f": 1.5}
    by_id = {pair["qa_id"]: pair["external_id"] for pair in pairs}
    relations = {(by_id[it["source_qa_id"]], by_id[it["target_qa_id"]]) for it in lines(folder / "relations.jsonl")}
    assert relations == {(str(n), str(n + 1)) for n in range(19)}
    (log,) = lines(folder / "logs.jsonl")
    assert (log["question"], log["score"], log["answer"]) == ("=cmd", -0.5, '+an "answer"\nwith lines')


def test_relations_lead_to_what_is_live_in_whichever_document(exporter: Exporter) -> None:
    named = {"id": "more", "question": "What else?", "answer": "Nothing.", "related": ["7", "nobody"]}
    exporter.world.put("more.jsonl", json.dumps(named))
    folder, exported = exporter.write()
    by_id = {pair["qa_id"]: pair["external_id"] for pair in lines(folder / "pairs.jsonl")}
    of_more = [it for it in lines(folder / "relations.jsonl") if by_id[it["source_qa_id"]] == "more"]
    assert [(by_id[it["target_qa_id"]], it["origin"]) for it in of_more] == [("7", "reference")]
    assert exported.records["relations"] == 20


def test_a_pair_of_many_parts_is_told_once_and_each_part_has_its_source(exporter: Exporter) -> None:
    folder, exported = exporter.write(batch_size=1)
    guide = [source for source in lines(folder / "sources.jsonl") if source["name"] == "guide.md"]
    assert len(guide) > 3
    assert sorted(source["part"] for source in guide) == list(range(len(guide)))
    assert exported.records["pairs"] == 21


def test_what_no_answer_may_contain_is_not_there(exporter: Exporter) -> None:
    world = exporter.world
    world.remove("guide.md")
    changed = [record | {"answer": "new"} if record["id"] == "3" else record for record in RECORDS]
    hidden = [record | {"is_active": False} if record["id"] == "4" else record for record in changed]
    world.put("records.jsonl", "\n".join(json.dumps(record) for record in hidden))
    world.objects.put(world.key("later.txt"), b"This is not live yet.")
    world.look("later.txt")
    pairs = exporter.pairs()
    assert pairs.keys() == {str(n) for n in range(20)} - {"4"}
    assert pairs["3"]["response"] == "new"
    world.registry.delete_bot("library")
    folder = exporter.folder / "gone"
    exporter.export().to_folder(folder, "jsonl", [world.bot])
    assert (folder / "library" / "pairs.jsonl").read_text() == ""


def test_it_shows_one_moment_whatever_is_changed_while_it_is_read(exporter: Exporter) -> None:
    world, pages = exporter.world, count(1)

    class Changing(_Spool):
        def add(self, table: str, records: Sequence[Record]) -> None:
            if next(pages) == 2:
                world.put("records.jsonl", '{"id": "3", "question": "q", "answer": "everything else is gone"}')
            super().add(table, records)

    spool = Changing(exporter.folder)
    PostgresExport(exporter.client).read(world.refreshed(), spool.begin, since=None, batch_size=2)
    assert len(list(spool.records("pairs"))) == 21
    assert exporter.pairs().keys() == {"3", "Guide"}


def test_a_connection_that_breaks_leaves_nothing_twice(exporter: Exporter) -> None:
    pages = count(1)

    class Breaking(_Spool):
        def add(self, table: str, records: Sequence[Record]) -> None:
            super().add(table, records)
            if next(pages) == 5:
                raise StoreUnavailableError("the connection broke")

    spool = Breaking(exporter.folder)
    PostgresExport(exporter.client).read(exporter.world.refreshed(), spool.begin, since=None, batch_size=4)
    assert len(list(spool.records("pairs"))) == 21


def test_since_leaves_out_what_is_older(exporter: Exporter) -> None:
    begin = datetime.now(UTC) - timedelta(days=1)
    assert len(exporter.pairs(since=begin)) == 21
    changed = [record | {"answer": "new"} if record["id"] == "3" else record for record in RECORDS]
    now: datetime = exporter.client.transact(lambda tx: tx._connection.run("select clock_timestamp()"))[0][0]
    assert exporter.pairs(since=now) == {}
    exporter.world.put("records.jsonl", "\n".join(json.dumps(record, ensure_ascii=False) for record in changed))
    assert exporter.pairs(since=now).keys() == {"3"}
    exported = exporter.write(since=now)[1]
    assert (exported.records["logs"], exported.records["relations"], exported.records["sources"]) == (0, 1, 1)


def test_what_was_written_before_and_went_live_after_that_moment_is_not_missed(exporter: Exporter) -> None:
    world = exporter.world
    world.objects.put(world.key("slow.txt"), b"Slow to be delivered.")
    document_id = world.look("slow.txt")
    assert document_id is not None
    now: datetime = exporter.client.transact(lambda tx: tx._connection.run("select clock_timestamp()"))[0][0]
    world.deliver(document_id)
    assert [pair["response"] for pair in exporter.pairs(since=now).values()] == ["Slow to be delivered."]


def test_embeddings_are_those_of_the_index_and_what_is_not_there_is_counted(exporter: Exporter) -> None:
    world = exporter.world
    folder, exported = exporter.write(embeddings=True)
    embeddings = {UUID(it["passage_id"]): it for it in lines(folder / "embeddings.jsonl")}
    assert len(embeddings) == exported.records["sources"]
    assert exported.missing_embeddings == 0
    found = world.index.fetch(world.bot.collection, world.bot.bot_id, list(embeddings))
    for passage_id, (_, vectors) in found.items():
        assert embeddings[passage_id]["combined"] == pytest.approx(vectors.combined.tolist())
    world.index.delete(world.bot.collection, world.bot.bot_id, list(embeddings)[:2])
    assert exporter.write(embeddings=True)[1].missing_embeddings == 2


# Formats


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe(start: str) -> None:
    assert harmless(f"{start}cmd|' /C calc'!A0") == f"'{start}cmd|' /C calc'!A0"


@pytest.mark.parametrize("text", ["", "a=b", "'=1", " =1", "1+1", "#x", "한국어"])
def test_any_other_text_is_left_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_csv_has_a_header_and_is_harmless_in_texts_alone(exporter: Exporter) -> None:
    folder, _ = exporter.write("csv")
    with (folder / "pairs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(TABLES["pairs"].columns)
    seven = next(row for row in rows if row["external_id"] == "7")
    assert (seven["category"], seven["response"]) == ("'=1+1", RECORDS[7]["answer"])
    assert json.loads(seven["tags"]) == ["a", "t1"]
    with (folder / "logs.csv").open(encoding="utf-8", newline="") as file:
        (log,) = csv.DictReader(file)
    assert (log["question"], log["score"], log["answer"][:4]) == ("'=cmd", "-0.5", "'+an")


def test_xlsx_has_a_sheet_per_table_and_no_formula(exporter: Exporter) -> None:
    folder, _ = exporter.write("xlsx")
    book = openpyxl.load_workbook(folder / "export.xlsx")
    assert book.sheetnames == ["pairs", "relations", "sources", "logs"]
    assert book["pairs"].max_row == 22
    assert {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row} <= {
        "s",
        "n",
        "b",
        "inlineStr",
    }
    header, log = book["logs"].iter_rows(values_only=True)
    found = dict(zip(header, log, strict=True))
    assert (found["question"], found["score"], found["abstained"]) == ("'=cmd", -0.5, False)


def test_xlsx_goes_on_in_another_sheet_where_one_ends(tmp_path: Path) -> None:
    writer = XlsxFile(tmp_path, sheet_rows=3)
    table = TABLES["relations"]
    row: dict[str, Any] = dict.fromkeys(table.columns)
    writer.write(table, [row | {"type": f"r{n}\x01" + "x" * 40_000, "confidence": 0.5} for n in range(5)])
    writer.close()
    book = openpyxl.load_workbook(tmp_path / "export.xlsx")
    assert [(sheet.title, sheet.max_row) for sheet in book] == [
        ("relations", 3),
        ("relations 2", 3),
        ("relations 3", 2),
    ]
    types = [row[3] for sheet in book for row in list(sheet.iter_rows(values_only=True))[1:]]
    assert [str(text)[:3] for text in types] == ["r0x", "r1x", "r2x", "r3x", "r4x"]
    assert {len(str(text)) for text in types} == {32_767}


def test_parquet_keeps_types(exporter: Exporter) -> None:
    folder, exported = exporter.write("parquet", embeddings=True)
    pairs = parquet.read_table(folder / "pairs.parquet")
    assert pairs.num_rows == 21
    (seven,) = [pair for pair in pairs.to_pylist() if pair["external_id"] == "7"]
    assert (seven["tags"], seven["published_at"]) == (["a", "t1"], datetime(2024, 5, 6, tzinfo=UTC))
    assert (seven["category"], json.loads(seven["metadata"])["nested"]["f"]) == ("=1+1", 1.5)
    embeddings = parquet.read_table(folder / "embeddings.parquet")
    assert embeddings.num_rows == exported.records["embeddings"]
    assert str(embeddings.schema.field("combined").type) == "list<element: float>"


@pytest.mark.parametrize(("form", "package"), [("xlsx", "openpyxl"), ("parquet", "pyarrow")])
def test_a_package_that_is_not_installed_is_named(
    exporter: Exporter, monkeypatch: pytest.MonkeyPatch, form: str, package: str
) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(export_files, "import_module", missing)
    with pytest.raises(ConfigurationError, match=f"{form} needs the package {package}: pip install {package}"):
        exporter.write(form)


# SQL


def test_the_script_makes_the_tables_and_twice_is_as_good_as_once(exporter: Exporter, target: str) -> None:
    folder, exported = exporter.write("sql", embeddings=True)
    script = (folder / "export.sql").read_text("utf-8")
    client = PostgresClient(target)
    for _ in range(2):
        client.transact(lambda tx: tx.script(script.replace("begin;", "").replace("\ncommit;", "")))
        assert sizes(client) == dict(exported.records)
    check_seven(client)
    client.close()


def test_tables_of_any_postgres_are_written_and_twice_is_as_good_as_once(exporter: Exporter, target: str) -> None:
    client = PostgresClient(target)
    for _ in range(2):
        (exported,) = exporter.export(embeddings=True).to_database(target, [exporter.world.refreshed()])
        assert sizes(client) == dict(exported.records)
    check_seven(client)
    changed = [dict(record) for record in RECORDS]
    changed[3]["answer"] = "new \\ 'words'"
    exporter.world.put("records.jsonl", "\n".join(json.dumps(record, ensure_ascii=False) for record in changed))
    exporter.export().to_database(target, [exporter.world.refreshed()])
    found = client.transact(
        lambda tx: tx._connection.run("select response, category from lockstep_pairs where external_id = '3'")
    )
    assert found == [["new \\ 'words'", "numbers"]]
    client.close()


def test_a_target_that_cannot_be_used_is_told_by_the_option_s_name(exporter: Exporter, target: str) -> None:
    bots = [exporter.world.refreshed()]
    with pytest.raises(ConfigurationError, match="--to must begin with postgresql://"):
        exporter.export().to_database("mysql://x", bots)
    client = PostgresClient(target)
    client.transact(lambda tx: tx.script("create table lockstep_pairs (bot text)"))
    client.close()
    with pytest.raises(ConfigurationError, match="other columns than this export"):
        exporter.export().to_database(target, bots)


def sizes(client: PostgresClient) -> dict[str, int]:
    counts = client.transact(
        lambda tx: [tx._connection.run(f"select count(*) from lockstep_{name}")[0][0] for name in TABLES]
    )
    return dict(zip(TABLES, counts, strict=True))


def check_seven(client: PostgresClient) -> None:
    statement = "select response, tags, metadata -> 'nested' ->> 'n', published_at, author from lockstep_pairs"
    rows = client.transact(lambda tx: tx._connection.run(f"{statement} where external_id = '7'"))
    assert rows == [[RECORDS[7]["answer"], ["a", "t1"], "7", datetime(2024, 5, 6, tzinfo=UTC), None]]
    vectors = client.transact(
        lambda tx: tx._connection.run("select distinct cardinality(combined) from lockstep_embeddings")
    )
    assert len(vectors) == 1


# Whole or not at all


def test_what_is_finished_names_every_file_with_its_checksum(exporter: Exporter) -> None:
    folder, exported = exporter.write("csv")
    manifest = json.loads((folder.parent / "export.json").read_text("utf-8"))
    (bot,) = manifest["bots"]
    assert (manifest["format"], bot["records"]["pairs"]) == ("csv", 21)
    assert {file["path"] for file in bot["files"]} == {f"library/{table}.csv" for table in exported.records}
    for file in bot["files"]:
        content = (folder.parent / file["path"]).read_bytes()
        assert (len(content), sha256(content).hexdigest()) == (file["bytes"], file["sha256"])


def test_what_is_interrupted_leaves_nothing_behind(exporter: Exporter) -> None:
    class Interrupted(PostgresExport):
        def read(self, *arguments: Any, **options: Any) -> None:
            super().read(*arguments, **options)
            raise KeyboardInterrupt

    broken = replace(exporter.export(), reader=Interrupted(exporter.client))
    with pytest.raises(KeyboardInterrupt):
        broken.to_folder(exporter.folder / "out", "jsonl", [exporter.world.bot])
    assert list(exporter.folder.iterdir()) == []


def test_what_a_killed_export_left_is_cleared_by_the_next(exporter: Exporter) -> None:
    (exporter.folder / "out.partial" / "library").mkdir(parents=True)
    (exporter.folder / "out.partial" / "library" / "old.jsonl").write_text("{}")
    exporter.export().to_folder(exporter.folder / "out", "jsonl", [exporter.world.bot])
    assert not (exporter.folder / "out.partial").exists()
    assert not (exporter.folder / "out" / "library" / "old.jsonl").exists()


def test_nothing_is_overwritten(exporter: Exporter) -> None:
    folder, _ = exporter.write()
    before = (folder / "pairs.jsonl").read_bytes()
    with pytest.raises(ConflictError, match="is there already"):
        exporter.export().to_folder(folder.parent, "jsonl", [exporter.world.bot])
    assert (folder / "pairs.jsonl").read_bytes() == before


# Memory

MANY = 10_000
FILL = """
insert into documents (bot_id, document_id, object_key, state, last_generation, live_generation)
values ('{bot}', '{document}', '{slug}/many', 'live', 1, 1);
insert into generations (bot_id, document_id, generation, state, version) values ('{bot}', '{document}', 1, 'live', 'v');
insert into qa_pairs (bot_id, qa_id, since_generation, document_id, content_hash, question, response)
select '{bot}', gen_random_uuid(), 1, '{document}', 'h', 'question ' || n, repeat('response ', 600)
from generate_series(1, {many}) n;
insert into passages (bot_id, passage_id, document_id, qa_id, since_generation, part, text, text_hash, lexemes)
select bot_id, gen_random_uuid(), document_id, qa_id, 1, 0, 'text', 'h', '' from qa_pairs
where bot_id = '{bot}' and document_id = '{document}';
insert into membership select bot_id, document_id, 1, passage_id from passages
where bot_id = '{bot}' and document_id = '{document}';
insert into document_sources (bot_id, passage_id, document_id, name, object_path, excerpt)
select bot_id, passage_id, document_id, 'n', 'p', 'e' from passages where bot_id = '{bot}' and document_id = '{document}';
analyze;
"""


def fill(client: PostgresClient, bot: Bot) -> None:
    script = FILL.format(bot=bot.bot_id, slug=bot.slug, document=uuid4(), many=MANY)
    client.transact(lambda tx: tx.script(script), timeout_seconds=120)


def test_memory_does_not_grow_with_what_is_exported(exporter: Exporter) -> None:
    fill(exporter.client, exporter.world.bot)
    before = reset_peak_megabytes()
    folder, exported = exporter.write(batch_size=500)
    assert exported.records["pairs"] == MANY + 21
    assert (folder / "pairs.jsonl").stat().st_size > 50_000_000
    assert peak_megabytes() - before < 25


def test_a_workbook_is_written_as_a_stream(tmp_path: Path) -> None:
    writer = XlsxFile(tmp_path)
    table = TABLES["relations"]
    row: dict[str, Any] = {name: f"{name}" * 20 for name in table.columns}
    before = reset_peak_megabytes()
    for _ in range(20):
        writer.write(table, [row] * 500)
    writer.close()
    assert peak_megabytes() - before < 6  # the cells are 14 MB, and several times that as objects


def reset_peak_megabytes() -> float:
    """Let the kernel forget the largest size that this process had; returns the present one."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_megabytes()


def peak_megabytes() -> float:
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1000
