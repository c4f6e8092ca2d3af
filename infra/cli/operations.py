"""`lockstep up`, `migrate`, `status`, `sync`: for the operator."""

from __future__ import annotations

import time
from typing import Annotated
from uuid import UUID

import typer

from infra.cli.output import NOT_AS_HOPED, say, show
from infra.cli.target import DEFAULT, JsonOption, StateOption, use_stores
from shared import wiring

INVOCATION_SECONDS = 24 * 3600.0


class _Context:
    """An operator has all the time in the world."""

    def __init__(self) -> None:
        self._deadline = time.monotonic() + INVOCATION_SECONDS

    def get_remaining_time_in_millis(self) -> int:
        return int((self._deadline - time.monotonic()) * 1000)


def add_to(root: typer.Typer) -> None:
    for command in (up, status, migrate, sync):
        root.command()(command)


def up(
    state: StateOption = DEFAULT,
    host: Annotated[
        str, typer.Option(help="Where to listen. 0.0.0.0 lets others in, and needs LOCKSTEP_API_KEY.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="The gateway's port.")] = 8000,
    restore: Annotated[
        str | None,
        typer.Option(help="Into a new state folder: first restore the newest snapshot at s3://… or file:///…"),
    ] = None,
) -> None:
    """Run everything on this machine until Ctrl-C: both stores, the gateway, a watched bucket, the timers."""
    from infra.local.up import up as run

    run(state, host=host, port=port, restore=restore, say=say)


def migrate(
    take_bucket_from: Annotated[
        UUID | None,
        typer.Option(
            metavar="DEPLOYMENT",
            help="The deployment that the bucket belongs to, when its catalog is lost for good: the bucket becomes this one's.",
        ),
    ] = None,
    state: StateOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Bring the catalog's schema up to date, and mark the bucket as this deployment's. Safe to run twice."""
    from functions.sync.bucket_scan import claim_bucket
    from infra.migrate import migrate as apply

    use_stores(state)
    applied = apply(wiring.direct_postgres())
    claim_bucket(wiring.bucket(), wiring.registry().deployment_id(), taken_from=take_bucket_from)
    if as_json:
        show({"applied": applied}, as_json=True)
    else:
        say("\n".join(f"applied {name}" for name in applied) or "Nothing to do: the schema is up to date.")


def status(state: StateOption = DEFAULT, as_json: JsonOption = False) -> None:
    """What there is, what is not finished, and how the last operations ended.

    The exit code is 1 if something is wrong, 3 if it could not be told.
    """
    from infra.status import is_well, overview, told

    use_stores(state)
    found = overview(wiring.postgres(), wiring.registry(), wiring.operations(), wiring.index())
    if as_json:
        show(found, as_json=True)
    else:
        for part, answer in found["parts"].items():
            say(f"{part:13} {answer}")
        for operation, last in found["last"].items():
            say(f"last {operation:8} {told(operation, last)}")
        rows = (tuple(bot.values()) for bot in found["bots"])
        headers = ("bot", "documents", "live", "building", "rejected", "failed", "pairs", "waiting", "oldest waiting")
        show(found["bots"], as_json=False, table=headers, rows=rows)
    if not is_well(found):
        raise typer.Exit(NOT_AS_HOPED)


def sync(state: StateOption = DEFAULT, as_json: JsonOption = False) -> None:
    """Do now what the timer does: deliver, flip, sweep, compare the bucket.

    The exit code is 1 if something is left, 3 if it could not be done.
    """
    from functions.sync.handler import handler

    use_stores(state)
    result = handler({"source": "cli"}, _Context())
    show(result, as_json=True) if as_json else say(
        "Done." if result["is_finished"] else "Something is left: see `lockstep status`."
    )
    if not result["is_finished"]:
        raise typer.Exit(NOT_AS_HOPED)
