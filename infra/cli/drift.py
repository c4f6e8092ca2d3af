"""`lockstep verify`, `repair`, `adopt`: whether the two stores agree, and what to do if not."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from functions.ingest.columns import COLUMN_NAMES
from functions.sync.comparison import Comparer, Extent
from functions.sync.verify import BotReport, Report
from functions.sync.verify import verify as compare
from infra.cli.output import NOT_AS_HOPED, say, show, silent
from infra.cli.target import DEFAULT, JsonOption, StateOption, use_stores
from shared import wiring
from shared.domain import Bot, Drift
from shared.errors import InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from infra.adopt import Adoption

INVOCATION_SECONDS = 24 * 3600.0
TELL_EVERY_SECONDS = 2.0
BotOption = Annotated[str | None, typer.Option(help="Only this bot.")]


def add_to(root: typer.Typer) -> None:
    for command in (verify, repair, adopt):
        root.command()(command)


def verify(
    bot: BotOption = None,
    document: Annotated[
        str | None, typer.Option(help="Only this document of the bot: its id, or its path in the bucket.")
    ] = None,
    state: StateOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Read both stores back and compare them. The exit code is 0 if they agree, 1 if not, 3 if it could not be told."""
    use_stores(state)
    report = compare(_extents(bot, document), _comparer())
    rows = [_row(each, report) for each in _bots_of(report, bot)]
    headers = ("bot", "passages", "intact", "missing", "corrupt", "orphaned", "waiting", "checksum")
    shown = ((*list(row.values())[:-1], row["checksum"][:16]) for row in rows)
    show({"bots": rows, "foreign": report.drift.foreign}, as_json=as_json, table=headers, rows=shown)
    if report.drift.foreign and not as_json:
        say(
            f"{report.drift.foreign:,} rows are of other origin: nothing touches them, and `lockstep adopt` imports them."
        )
    if not report.drift.is_clean:
        raise typer.Exit(NOT_AS_HOPED)


def repair(
    bot: BotOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; say what would be done.")] = False,
    state: StateOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Do now, and to the end, what the audit does: remove orphaned rows, write missing and corrupt ones anew.

    The exit code is 1 if some of it is left for its next attempt, 3 if it could not be done.
    """
    from functions.sync.handler import build_sync
    from functions.sync.repair import repair as heal

    use_stores(state)
    tell = silent if as_json else _now_and_then()
    if dry_run:
        found = compare(_extents(bot, None), _comparer(), tell).drift
        show(asdict(found), as_json=True) if as_json else _say_what(found, "would be ")
        return
    deadline = time.monotonic() + INVOCATION_SECONDS

    def progress(whose: Bot, carried: int, waiting: int) -> None:
        (silent if as_json else say)(f"{whose.slug}: {carried:,} passages delivered, {waiting:,} wait")

    sync = build_sync(lambda: deadline - time.monotonic(), progress)
    bots = [wiring.registry().bot(bot)] if bot else wiring.registry().bots()
    found, is_finished = heal(sync, bots, _extents(bot, None), tell)
    if as_json:
        show(asdict(found) | {"is_finished": is_finished}, as_json=True)
    else:
        _say_what(found, "")
        if not is_finished:
            say("Some of it waits for its next attempt: see `lockstep status`.")
    if not is_finished:
        raise typer.Exit(NOT_AS_HOPED)


def adopt(
    collection: Annotated[str, typer.Option(help="The Milvus collection to read; nothing in it is changed.")],
    bot: Annotated[str, typer.Option(help="The bot that the rows become documents of.")],
    question: Annotated[
        str | None, typer.Option(help="The field with the question, if it is not found by name.")
    ] = None,
    response: Annotated[str | None, typer.Option(help="The field with the text, if it is not found by name.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="PART=FIELD for any other part: category=topic. May be given several times."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what would be written.")] = False,
    state: StateOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Import rows that somebody else wrote into a Milvus collection, as documents in the bucket. Safe to run again."""
    from functions.sync.bucket_scan import check_bucket
    from infra.adopt import Adopter

    use_stores(state)
    registry = wiring.registry()
    target, deployment_id = registry.bot(bot), registry.deployment_id()
    check_bucket(wiring.bucket(), deployment_id)
    adopter = Adopter(
        index=wiring.index(),
        bucket=wiring.bucket(),
        deployment_id=deployment_id,
        bots=frozenset(registry.bot_states()),
        columns=_columns(question, response, column or []),
    )
    done = adopter.adopt(collection, target, dry_run=dry_run)
    if as_json:
        show(asdict(done), as_json=True)
    else:
        _say_adopted(done, f"{bot}/adopted/{collection}/", dry_run=dry_run)


def _say_adopted(done: Adoption, folder: str, *, dry_run: bool) -> None:
    say(
        f"{done.rows:,} rows: {done.pairs:,} pairs, {done.empty:,} without text, {done.ours:,} of this deployment itself."
    )
    for part, name in sorted(done.fields.items()):
        say(f"    {part:14} from {name}")
    would = "would be written" if dry_run else "written"
    say(f"{done.objects:,} objects below {folder}: {done.written:,} {would}, the others are there.")
    if dry_run and done.example:
        show(done.example, as_json=True)
    elif done.written:
        say("They are ingested as every document: see `lockstep documents list`.")


def _columns(question: str | None, response: str | None, others: list[str]) -> dict[str, str]:
    """Raises InvalidInputError."""
    chosen = {part: name for part, name in (("question", question), ("response", response)) if name}
    for other in others:
        part, _, name = other.partition("=")
        if part not in COLUMN_NAMES or not name:
            raise InvalidInputError(f"{other!r} is not PART=FIELD; the parts are {', '.join(COLUMN_NAMES)}.")
        chosen[part] = name
    return chosen


def _say_what(found: Drift, would: str) -> None:
    say(f"{found.checked:,} rows compared.")
    for count, what in (
        (found.missing, f"{would}written again: missing from the index"),
        (found.corrupt, f"{would}written anew: not what was proven"),
        (found.orphaned, f"{would}removed: not wanted by the catalog"),
        (found.foreign, "left alone: of other origin"),
    ):
        if count:
            say(f"{count:>10,} {what}")
    if found.is_clean:
        say("Both stores agree.")


def _now_and_then() -> Callable[[str], None]:
    """Says at most one line in a while."""
    said_at = [time.monotonic()]

    def tell(line: str) -> None:
        if time.monotonic() - said_at[0] >= TELL_EVERY_SECONDS:
            said_at[0] = time.monotonic()
            say(line)

    return tell


def _comparer() -> Comparer:
    return Comparer(wiring.registry(), wiring.delivery_catalog(), wiring.index())


def _extents(slug: str | None, document: str | None) -> list[Extent]:
    """What is to be compared. Raises NotFoundError, InvalidInputError."""
    if slug is None:
        if document is not None:
            raise InvalidInputError("--document needs the --bot that it belongs to.")
        return [Extent(collection) for collection in wiring.registry().collections()]
    bot = wiring.registry().bot(slug)
    return [Extent(bot.collection, bot.bot_id, _document_id(bot, document) if document else None)]


def _document_id(bot: Bot, named: str) -> UUID:
    documents = wiring.documents()
    for key in (named, f"{bot.slug}/{named}"):
        if found := documents.document_of(bot, key):
            return found.document_id
    try:
        return documents.document(bot, UUID(named)).document_id
    except ValueError:
        raise NotFoundError(f"The bot {bot.slug!r} has no document {named!r}: give its id, or its path.") from None


def _bots_of(report: Report, only: str | None) -> list[Bot]:
    """Every active bot, and others of which something was left in the index."""
    registry = wiring.registry()
    active = [registry.bot(only)] if only else registry.bots()
    others = report.bots.keys() - {bot.bot_id for bot in active}
    return [*active, *(registry.bot_by_id(bot_id) for bot_id in sorted(others))]


def _row(bot: Bot, report: Report) -> dict[str, Any]:
    found = report.bots.get(bot.bot_id, BotReport())
    counts = {name: getattr(found, name) for name in ("passages", "intact", "missing", "corrupt", "orphaned")}
    waiting = wiring.delivery_catalog().known_passages(bot)
    return {"bot": bot.slug, **counts, "waiting": waiting, "checksum": found.checksum}
