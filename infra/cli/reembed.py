"""`lockstep reembed`: move bots to another embedder while they are in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli.output import NOT_AS_HOPED, say, say_aside, show
from infra.cli.target import DEFAULT, JsonOption, StateOption, use_stores
from shared import wiring
from shared.errors import ConfigurationError, LockstepError, MismatchError

if TYPE_CHECKING:
    from functions.sync.reembed import Reembed
    from shared.domain import Bot, Collection, EmbedderModel
    from shared.ports import Embedder


Tell = Callable[[str], None]


def add_to(root: typer.Typer) -> None:
    root.command()(reembed)


def reembed(
    model: Annotated[
        Path | None,
        typer.Option(help="The folder of the exported model to move to; default: LOCKSTEP_NEXT_MODEL_PATH."),
    ] = None,
    only: Annotated[list[str] | None, typer.Option("--bot", help="Only this bot; may be given several times.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Only tell how far every bot is.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Give up a change that has not come to its end.")] = False,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            help="Move also if the running processes do not have the model: the bot answers 503 until they do.",
        ),
    ] = False,
    state: StateOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Move bots to another embedder while they answer; run it again after whatever stopped it.

    The exit code is 1 if a bot was not moved, 3 if it could not begin. Start the processes with LOCKSTEP_NEXT_MODEL_PATH
    first: then they serve both models, and there is no moment without answers. When all bots have moved, make it their
    LOCKSTEP_MODEL_PATH. With --json, standard output has what --status tells, afterwards.
    """
    use_stores(state)
    tell = say_aside if as_json else say
    is_as_hoped = True
    bots = _bots(only)
    if cancel:
        _cancel(bots, tell)
    elif dry_run:
        _tell_plan(bots, _open(model).model, tell)
    elif not status:
        is_as_hoped = _move_all(bots, _open(model), tell, is_anyway=offline)
    if status or as_json:
        _show_status(_bots(only), as_json=as_json)
    if not is_as_hoped:
        raise typer.Exit(NOT_AS_HOPED)


def _bots(only: Sequence[str] | None) -> Sequence[Bot]:
    registry = wiring.registry()
    return [registry.bot(slug) for slug in only] if only else registry.bots()


def _open(folder: Path | None) -> Embedder:
    from shared.embedder import OnnxEmbedder

    chosen = folder or wiring.settings().next_model_path
    if chosen is None:
        raise ConfigurationError("Name the folder of the model to move to with --model (or LOCKSTEP_NEXT_MODEL_PATH).")
    return OnnxEmbedder(chosen, threads=wiring.settings().embedder_threads)


def _move_all(bots: Sequence[Bot], embedder: Embedder, tell: Tell, *, is_anyway: bool) -> bool:
    """Returns whether every bot answers with that embedder now."""
    moving = [bot for bot in bots if not bot.collection.is_of(embedder.model)]
    for bot in bots:
        if bot not in moving:
            tell(f"{bot.slug}: nothing to do, it is embedded with {bot.collection.embedder} already")
    if not moving:
        return True
    collection = _collection_of(embedder.model)
    may_move = is_anyway or any(collection.is_of(served) for served in _served_models())
    moved = [_move(bot, collection, _build_reembed(embedder, tell), may_move=may_move) for bot in moving]
    return all(moved)


def _move(bot: Bot, collection: Collection, change: Reembed, *, may_move: bool) -> bool:
    _warn_of_window(bot, change.embedder.model, change.report)
    try:
        if may_move:
            return change.move(bot, collection)
        if change.build(bot, collection):
            change.report(
                f"{bot.slug}: everything is there, but the running processes do not have this model, and would refuse "
                "questions. Start them with LOCKSTEP_NEXT_MODEL_PATH=FOLDER and run this again (or now with --offline)."
            )
    except LockstepError as error:
        change.report(f"{bot.slug}: {error}")
    return False


def _build_reembed(embedder: Embedder, tell: Tell) -> Reembed:
    from functions.sync.reembed import Reembed

    return Reembed(
        registry=wiring.registry(),
        changes=wiring.changes(),
        catalog=wiring.delivery_catalog(),
        index=wiring.index(),
        embedder=embedder,
        hints=wiring.hints(),
        report=tell,
    )


def _collection_of(model: EmbedderModel) -> Collection:
    from shared.milvus_schema import INDEX_PROFILES

    index_type, index_params = INDEX_PROFILES[wiring.settings().index_profile]
    return wiring.registry().ensure_collection(
        model, metric=wiring.settings().index_metric, index_type=index_type, index_params=index_params
    )


def _served_models() -> Iterator[EmbedderModel]:
    """The models of the running processes, as far as their folders can be seen from here."""
    from shared.embedder import read_model

    for folder in filter(None, (wiring.settings().model_path, wiring.settings().next_model_path)):
        with suppress(ConfigurationError, MismatchError):
            yield read_model(folder)


def _warn_of_window(bot: Bot, model: EmbedderModel, tell: Tell) -> None:
    known = next((served for served in _served_models() if bot.collection.is_of(served)), None)
    if known is not None and model.window < known.window:
        tell(
            f"{bot.slug}: its passages were cut for {known.window} tokens, this model takes {model.window}. What is beyond "
            "in a passage is found by words only, until its document is uploaded again with changes."
        )


def _tell_plan(bots: Sequence[Bot], model: EmbedderModel, tell: Tell) -> None:
    for bot in bots:
        if bot.collection.is_of(model):
            tell(f"{bot.slug}: nothing to do, it is embedded with {bot.collection.embedder} already")
            continue
        passages = wiring.changes().progress(bot, bot.collection).passages
        tell(
            f"{bot.slug}: would embed {passages:,} passages with {model.model_id} ({model.revision}, {model.dimension} "
            f"dimensions) in place of {bot.collection.embedder}"
        )
        _warn_of_window(bot, model, tell)


def _show_status(bots: Sequence[Bot], *, as_json: bool) -> None:
    rows = [_status(bot) for bot in bots]
    headers = ("bot", "embedder", "next embedder", "passages", "embedded", "is leaving")
    show(rows, as_json=as_json, table=headers, rows=(tuple(row.values()) for row in rows))


def _status(bot: Bot) -> dict[str, Any]:
    progress = wiring.changes().progress(bot, bot.next_collection or bot.collection)
    return {
        "bot": bot.slug,
        "embedder": bot.collection.embedder,
        "next_embedder": bot.next_collection and bot.next_collection.embedder,
        "passages": progress.passages,
        "embedded": progress.proven,
        "is_leaving": bot.former_collection and bot.former_collection.embedder,
    }


def _cancel(bots: Sequence[Bot], tell: Tell) -> None:
    for bot in bots:
        if bot.next_collection is None:
            tell(f"{bot.slug}: nothing to give up")
            continue
        wiring.changes().cancel(bot)
        tell(f"{bot.slug}: given up; sync removes what was written for {bot.next_collection.embedder}")
