"""The command line: `lockstep`. Questions and documents go through the HTTP API, operations run the functions' own code."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer


def main() -> None:
    """Run the command; it ends with one of the exit codes that its help tells."""
    from infra.cli.output import NOT_DONE
    from shared.errors import LockstepError

    try:
        command_line()()
    except LockstepError as error:
        print(f"lockstep: {error}", file=sys.stderr)
        sys.exit(NOT_DONE)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception:  # Python's own exit code for it is 1, which is an outcome here
        traceback.print_exc()
        sys.exit(NOT_DONE)


def command_line() -> typer.Typer:
    """All commands."""
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
        upload,
    )

    app = typer.Typer(
        name="lockstep",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        help="A hybrid knowledge base for question answering.\n\n"
        "Start it with `lockstep up`, then in another terminal: `lockstep bots create library`, "
        '`lockstep upload library FOLDER --wait`, `lockstep ask library "…"`. '
        "`lockstep COMMAND --help` explains each command.\n\n"
        "Exit codes: 0 as hoped; 1 done, but not as hoped, as the command's help explains (abstained, rejected, drift); "
        "2 a wrong call; 3 it could not be done.",
    )
    answers = (questions, upload, documents, amendments, receipts)
    for module in (*answers, operations, drift, backups, reembed, evaluate, export):
        module.add_to(app)
    app.add_typer(bots.app, name="bots", help="Create, list, change and delete bots: one bot is one knowledge base.")
    return app
