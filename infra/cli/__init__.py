"""The command line: `lockstep`. Questions and documents go through the HTTP API, operations run the functions' own code."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command; exit code 0 is success, 1 a failure that is told in one line, 2 a wrong call."""
    import typer

    from infra.cli import (
        amendments,
        backups,
        bots,
        documents,
        drift,
        evaluate,
        export,
        operations,
        questions,
        receipts,
        reembed,
    )
    from shared.errors import LockstepError

    app = typer.Typer(
        name="lockstep",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        help="A hybrid knowledge base for question answering.\n\n"
        "Start it with `lockstep up`, then in another terminal: `lockstep bots create library`, "
        '`lockstep upload library FOLDER --wait`, `lockstep ask library "…"`. '
        "`lockstep COMMAND --help` explains each command.",
    )
    for module in (questions, documents, amendments, receipts, operations, drift, backups, reembed, evaluate, export):
        module.add_to(app)
    app.add_typer(bots.app, name="bots", help="Create, list, change and delete bots: one bot is one knowledge base.")
    try:
        app()
    except LockstepError as error:
        print(f"lockstep: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
