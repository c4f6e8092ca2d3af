"""Looks into the two stores with their own clients, past the product; and lets time pass in the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pg8000.native import Connection
from pymilvus import MilvusClient

from crash.deployment import Deployment

EVERYTHING = 10_000

# Tables, and columns of one type in them, that are no partitions of others.
_COLUMNS = """
select c.relname as table_name, a.attname as column_name
from pg_class c
join pg_namespace n on n.oid = c.relnamespace and n.nspname = current_schema()
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relkind in ('r', 'p') and not c.relispartition and a.atttypid = cast(:type as regtype)
order by 1, 2
"""
_SPOKEN_OF = ("published_at",)  # what a document says is no time of the catalog's own


class Observer:
    """One connection to each store. Not for several threads at once."""

    def __init__(self, deployment: Deployment) -> None:
        url = urlsplit(deployment.postgres_url)
        (sockets,) = parse_qs(url.query)["host"]
        self._catalog = Connection(url.username, database=url.path.strip("/"), unix_sock=f"{sockets}/.s.PGSQL.5432")
        self._index = MilvusClient(uri=deployment.milvus_uri)

    def close(self) -> None:
        self._catalog.close()
        self._index.close()

    def sql(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        rows = self._catalog.run(statement, **parameters) or []
        names = [column["name"] for column in self._catalog.columns or ()]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def tables_with(self, column: str, kind: str = "uuid") -> list[str]:
        found = self.sql(_COLUMNS, type=kind)
        return [row["table_name"] for row in found if row["column_name"] == column]

    def pass_time(self, seconds: float) -> None:
        """Everything that the catalog knows of becomes older: leases end, and what waits for an attempt is due."""
        by_table: dict[str, list[str]] = {}
        for row in self.sql(_COLUMNS, type="timestamptz"):
            if row["column_name"] not in _SPOKEN_OF:
                by_table.setdefault(row["table_name"], []).append(row["column_name"])
        for table, columns in by_table.items():
            older = ", ".join(f"{column} = {column} - make_interval(secs => {float(seconds)})" for column in columns)
            self._catalog.run(f"update {table} set {older}")

    def rows(self, collection: str, bot_id: Any) -> dict[str, Mapping[str, Any]]:
        """The rows that the index holds of a bot, by passage id; none if it has no such collection."""
        if not self._index.has_collection(collection):
            return {}
        self._index.load_collection(collection)
        found = self._index.query(
            collection,
            filter=f'bot_id == "{bot_id}"',
            output_fields=["*"],
            limit=EVERYTHING,
            consistency_level="Strong",
        )
        return {record["passage_id"]: record for record in found}

    def delete_rows(self, collection: str, passage_ids: list[str]) -> None:
        self._index.delete(collection, ids=passage_ids)

    def write_rows(self, collection: str, records: list[Mapping[str, Any]]) -> None:
        self._index.upsert(collection, records)

    def drop_collection(self, collection: str) -> None:
        self._index.drop_collection(collection)

    def has_bot(self, slug: str) -> bool:
        """In whatever state."""
        return bool(self.sql("select from bots where slug = :slug", slug=slug))

    def bot(self, slug: str) -> dict[str, Any]:
        """The bot in whatever state it is, with the name of its collection."""
        (row,) = self.sql(
            "select b.*, c.name as collection from bots b join collections c using (collection_id) where slug = :slug",
            slug=slug,
        )
        return row

    def erase_bot(self, slug: str) -> None:
        """Remove every trace of a bot from both stores: there was never one."""
        if not self.has_bot(slug):
            return  # a restore of it was given up
        bot = self.bot(slug)
        partitions = self.sql(
            "select oid::regclass::text as name from pg_class where relkind = 'r' and right(relname, 33) = :suffix",
            suffix=f"_{bot['bot_id'].hex}",
        )
        if partitions:
            self._catalog.run(f"drop table {', '.join(row['name'] for row in partitions)}")
        bot_id = {"bot_id": bot["bot_id"]}
        for table in sorted(
            self.tables_with("bot_id"), key=lambda name: name != "receipts"
        ):  # they refer to tombstones
            if table != "bots":
                self._catalog.run(f"delete from {table} where bot_id = :bot_id", **bot_id)
        self._catalog.run("delete from claims where name like :name", name=f"%{bot['bot_id']}%")
        self._catalog.run("delete from bots where bot_id = :bot_id", **bot_id)
        for collection in self.sql("select name from collections"):  # it may have been on its way from one to another
            if rows := self.rows(collection["name"], bot["bot_id"]):
                self.delete_rows(collection["name"], list(rows))
