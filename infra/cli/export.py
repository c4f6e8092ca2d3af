"""`lockstep export`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.output import say, show
from infra.cli.target import DEFAULT, JsonOption, StateOption, use_stores
from shared import wiring


class Format(StrEnum):
    """What an export can be."""

    JSONL = "jsonl"
    CSV = "csv"
    SQL = "sql"
    XLSX = "xlsx"
    PARQUET = "parquet"


def add_to(root: typer.Typer) -> None:
    root.command()(export)


def export(
    form: Annotated[Format, typer.Option("--format", help="Of the files; with --to it is sql.")] = Format.JSONL,
    out: Annotated[
        Path | None, typer.Option(help="A folder that is not there yet. It appears when all is in it.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="postgresql://…: write into the tables lockstep_pairs, … there instead of files.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option("--bot", help="Only this bot; may be given several times.")] = None,
    since: Annotated[
        datetime | None, typer.Option(help="Only what was updated or logged at or after that moment, UTC.")
    ] = None,
    include_embeddings: Annotated[bool, typer.Option(help="Also the vectors, read from the index.")] = False,
    batch_size: Annotated[int, typer.Option(min=1, max=10_000, help="Records in memory at a time.")] = 500,
    state: StateOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Write out what is live: pairs with their metadata, relations, sources and logs, of each bot as of one moment.

    Each bot has a folder with a file per table (xlsx and sql: one file). `export.json` names every file with its sha256,
    and counts the records. In csv and xlsx, a text that a spreadsheet would run as a formula has an apostrophe in front.
    """
    from functions.backup.build import build_export

    if (out is None) == (to is None):
        raise typer.BadParameter("name either a folder with --out, or a database with --to")
    if to is not None and form not in (Format.JSONL, Format.SQL):
        raise typer.BadParameter("--to writes into tables: leave --format out")
    use_stores(state)
    registry = wiring.registry()
    bots = [registry.bot(slug) for slug in only] if only else registry.bots()
    work = build_export(
        since=since.replace(tzinfo=since.tzinfo or UTC) if since else None,
        batch_size=batch_size,
        includes_embeddings=include_embeddings,
        report=(lambda message: None) if as_json else say,
    )
    done = work.to_database(to, bots) if to is not None else work.to_folder(_folder(out), form, bots)
    if as_json:
        show([asdict(bot) for bot in done], as_json=True)
    else:
        say(f"Exported {len(done)} bots{f' to {out}' if out else ''}.")


def _folder(out: Path | None) -> Path:
    assert out is not None
    return out
