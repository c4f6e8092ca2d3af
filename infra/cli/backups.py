"""`lockstep backup`, `restore` and `drill`: snapshots of both stores, and the proof that they can be restored."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli.output import NOT_AS_HOPED, say, show, silent, span
from infra.cli.target import DEFAULT, JsonOption, StateOption, use_stores
from shared import wiring
from shared.errors import LockstepError
from shared.ports import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.backup.restore import Plan, Restore
    from shared.snapshots import Manifest

StoreOption = Annotated[
    str | None,
    typer.Option("--at", help="s3://bucket/prefix or file:///folder; default: LOCKSTEP_BACKUP_URL."),
]


def add_to(root: typer.Typer) -> None:
    for command in (backup, restore, drill):
        root.command()(command)


def backup(
    at: StoreOption = None,
    list_only: Annotated[bool, typer.Option("--list", help="Only list the snapshots there are.")] = False,
    state: StateOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Take a snapshot of both stores while they are in use. Vectors that an earlier one holds are not copied again."""
    from functions.backup.build import build_snapshot

    use_stores(state)
    store = _store(at)
    if list_only:
        _list(store, as_json=as_json)
        return
    manifest = build_snapshot(store, report=silent if as_json else say).take()
    assert manifest is not None  # there is no end to an operator's time
    if as_json:
        show({"snapshot_id": manifest.snapshot_id, "bots": [bot.slug for bot in manifest.bots]}, as_json=True)
    else:
        size = sum(bot.bytes for bot in manifest.bots)
        say(f"Snapshot {manifest.snapshot_id}: {len(manifest.bots)} bots, {size / 1e6:,.1f} MB.")


def restore(
    snapshot: Annotated[str | None, typer.Argument(help="Its id; default: the newest.")] = None,
    at: StoreOption = None,
    only: Annotated[list[str] | None, typer.Option("--bot", help="Only this bot; may be given several times.")] = None,
    new_slug: Annotated[
        str | None,
        typer.Option("--as", help="Under another slug: beside a bot that is there, or in place of a deleted one."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done, and check every file's checksum.")
    ] = False,
    discard: Annotated[
        str | None,
        typer.Option("--discard", metavar="SLUG", help="Remove what a restore that was broken off has left."),
    ] = None,
    bring_back: Annotated[
        bool, typer.Option("--bring-back-deleted-bots", help="Also bots that were deleted after the snapshot.")
    ] = False,
    state: StateOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Restore a snapshot, as bots that are not there yet. What was broken off goes on when it is started again.

    What was deleted after the snapshot stays deleted. Nothing is overwritten, and a slug is never given out twice: to go
    back to an older state of a bot, restore it under another slug.
    """
    from functions.backup.build import build_restore
    from shared.snapshots import read_manifest

    use_stores(state)
    store, tell = _store(at), silent if as_json else say
    restoring = build_restore(store, report=tell, brings_back_deleted_bots=bring_back)
    if discard:
        restoring.discard(discard)
        tell(f"Removed what was restored of {discard}.")
        done: dict[str, Any] = {"discarded": discard}
    else:
        manifest = read_manifest(store, snapshot)
        tell(f"Snapshot {manifest.snapshot_id} of {manifest.created_at[:19]}")
        if dry_run:
            bots = _check(restoring.plan(manifest, only, new_slug), restoring, tell)
        else:
            bots = [{"bot": bot.slug} for bot in restoring.run(manifest, only, new_slug)]
            tell(f"Restored: {', '.join(bot['bot'] for bot in bots) or 'nothing, the snapshot is empty'}.")
        done = {"snapshot_id": manifest.snapshot_id, "is_restored": not dry_run, "bots": bots}
    if as_json:
        show(done, as_json=True)


def drill(at: StoreOption = None, state: StateOption = DEFAULT, as_json: JsonOption = False) -> None:
    """Prove that the newest snapshot can be restored: into a scratch bot that is removed again.

    The exit code is 1 if it cannot, 3 if it could not be tried.
    """
    from functions.backup.build import build_drill

    use_stores(state)
    result = build_drill(_store(at), report=silent if as_json else say).run()
    if as_json:
        show(asdict(result), as_json=True)
    else:
        say(f"{result.bot}: ok, {result.seconds:.1f} s." if result.is_ok else f"The drill failed: {result.error}")
    if not result.is_ok:
        raise typer.Exit(NOT_AS_HOPED)


def _list(store: ObjectStore, *, as_json: bool) -> None:
    from shared.snapshots import read_manifest, snapshots

    found = [_line(read_manifest(store, snapshot_id)) for snapshot_id in snapshots(store)]
    rows = (
        (line["snapshot_id"], span(line["age_seconds"]), f"{line['bytes'] / 1e6:,.1f}", ", ".join(line["bots"]))
        for line in found
    )
    show(found, as_json=as_json, table=("snapshot", "age", "MB", "bots"), rows=rows)


def _line(manifest: Manifest) -> dict[str, Any]:
    """One snapshot in the list. `bytes` is all that it names; what it shares with others is counted in each."""
    return {
        "snapshot_id": manifest.snapshot_id,
        "created_at": manifest.created_at,
        "age_seconds": round(manifest.age_seconds, 1),
        "bytes": sum(bot.bytes for bot in manifest.bots),
        "bots": [bot.slug for bot in manifest.bots],
        "deployment_id": manifest.deployment_id,
    }


def _check(plans: list[Plan], restoring: Restore, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """What would be restored of each bot, after checking its files. Raises LockstepError."""
    found = [_checked(plan, restoring, tell) for plan in plans]
    if problems := [plan.problem for plan in plans if plan.problem]:
        raise LockstepError(" ".join(problems))
    tell("Nothing was changed. It would be restored.")
    return found


def _checked(plan: Plan, restoring: Restore, tell: Callable[[str], None]) -> dict[str, Any]:
    source = plan.source
    how = "embedded anew by another embedder" if plan.embeds_anew else "with their vectors"
    rows = {
        "documents": source.rows("documents"),
        "pairs": source.rows("qa_pairs"),
        "passages": source.rows("passages"),
    }
    lost = 0 if plan.embeds_anew else rows["passages"] - source.vectors
    tell(
        f"{plan.slug}: {rows['documents']:,} documents, {rows['pairs']:,} pairs, {rows['passages']:,} passages {how}, "
        f"{len(source.objects):,} files, {source.bytes / 1e6:,.1f} MB"
        + (f"; {lost:,} vectors were lost and are made anew" if lost else "")
    )
    tell(f"{plan.slug}: {restoring.check_parts(source):,} files, every checksum is right")
    found = {"bot": plan.slug, **rows, "files": len(source.objects), "bytes": source.bytes}
    return found | {"embeds_anew": plan.embeds_anew, "lost_vectors": lost}


def _store(at: str | None) -> ObjectStore:
    return wiring.open_store(at) if at else wiring.backups()
