"""`lockstep export`: what is live, written on this machine or by the deployment itself."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.output import say, show, silent
from infra.cli.remote_export import export_remotely, fetch_export
from infra.cli.target import DEFAULT, Api, JsonOption, StateOption, UrlOption, use_stores
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
    remote: Annotated[
        bool, typer.Option("--remote", help="Let the deployment write it, over its API, and fetch it from there.")
    ] = False,
    export_id: Annotated[
        str | None, typer.Option("--id", help="With --remote: one that was asked for before, instead of another.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="With --remote: seconds to wait at most.")] = 1800.0,
    batch_size: Annotated[int, typer.Option(min=1, max=10_000, help="Records in memory at a time.")] = 500,
    url: UrlOption = None,
    state: StateOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Write out what is live: pairs with their metadata, relations, sources and logs, of each bot as of one moment.

    Each bot has a folder with a file per table (xlsx and sql: one file). `export.json` names every file with its sha256,
    and counts the records. In csv and xlsx, a text that a spreadsheet would run as a formula has an apostrophe in front.

    With --remote the deployment's own function writes the same of one bot, and it is fetched over the API; every file's
    sha256 is checked. Without, this machine reads the stores itself.
    """
    report = silent if as_json else say
    if remote:
        bot = _remote_target(only, out, to)
        wanted = {"format": form.value, "since": since and since.isoformat(), "include_embeddings": include_embeddings}
        api = Api(url, state)
        if export_id:
            export = fetch_export(api, bot, export_id, _folder(out), timeout=timeout, say=report)
        else:
            export = export_remotely(api, bot, wanted, _folder(out), timeout=timeout, say=report)
        show(export, as_json=True) if as_json else say(f"Exported {bot} to {out}; every checksum is right.")
        return
    from functions.backup.build import build_export

    if export_id:
        raise typer.BadParameter("--id is of an export that was asked for with --remote")
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
        report=report,
    )
    done = work.to_database(to, bots) if to is not None else work.to_folder(_folder(out), form, bots)
    if as_json:
        show([asdict(bot) for bot in done], as_json=True)
    else:
        say(f"Exported {len(done)} bots{f' to {out}' if out else ''}.")


def _remote_target(only: list[str] | None, out: Path | None, to: str | None) -> str:
    if to is not None or out is None or not only or len(only) != 1:
        raise typer.BadParameter("--remote writes one bot into a folder: name both, with --bot and --out")
    return only[0]


def _folder(out: Path | None) -> Path:
    assert out is not None
    return out
