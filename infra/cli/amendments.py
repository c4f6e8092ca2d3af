"""`lockstep retry` and `lockstep rollback`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.documents import find_document
from infra.cli.output import say, show
from infra.cli.target import DEFAULT, Api, JsonOption, StateOption, UrlOption, use_stores
from shared import wiring
from shared.errors import LockstepError
from shared.steps import step

if TYPE_CHECKING:
    from uuid import UUID

    from shared.domain import Bot, Reopened


def add_to(root: typer.Typer) -> None:
    root.command()(retry)
    root.command()(rollback)


def retry(
    only: Annotated[str | None, typer.Option("--bot", help="Only this bot.")] = None,
    document: Annotated[str | None, typer.Option(help="Only the document of this name; needs --bot.")] = None,
    state: StateOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Try again what failed or was rejected, after the cause is mended. The next sync goes on with it."""
    if document and not only:
        raise typer.BadParameter("--document needs --bot.")
    use_stores(state)
    bots = [wiring.registry().bot(only)] if only else wiring.registry().bots()
    reopened = [(bot, found) for bot in bots for found in _retry_bot(bot, document)]
    rows = [(bot.slug, found.object_key.partition("/")[2], _what(found)) for bot, found in reopened]
    headers = ("bot", "document", "reopened")
    if as_json or rows:
        show([dict(zip(headers, row, strict=True)) for row in rows], as_json=as_json, table=headers, rows=rows)
    else:
        say("Nothing has failed or was rejected.")


def rollback(
    bot: Annotated[str, typer.Argument(help="The bot's slug.")],
    name: Annotated[str, typer.Argument(help="The document's name.")],
    generation: Annotated[int | None, typer.Option(help="Default: the newest that is kept.")] = None,
    list_only: Annotated[bool, typer.Option("--list", help="Only list the generations there are.")] = False,
    url: UrlOption = None,
    state: StateOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Put a document back to a content that is kept. It stays there until its object changes."""
    api = Api(url, state)
    path = f"/bots/{bot}/documents/{find_document(api, bot, name)['document_id']}"
    if not list_only:
        parameters = {} if generation is None else {"generation": generation}
        rolled_back = api.call("POST", f"{path}/rollback", params=parameters)
        if rolled_back["state"] != "live" and not as_json:
            say(f"{name} is being delivered again, and answers with it then.")
    generations = api.call("GET", f"{path}/generations")["generations"]
    headers = ("generation", "state", "pairs", "passages", "created", "version")
    rows = (
        (g["generation"], g["state"], g["pairs"], g["passages"], g["created_at"][:19], g["version"])
        for g in generations
    )
    show(generations, as_json=as_json, table=headers, rows=rows)


def _retry_bot(bot: Bot, document: str | None) -> Iterator[Reopened]:
    hints = wiring.hints()
    for document_id in _chosen(bot, document):
        reopened = wiring.amendments().retry(bot, document_id)
        step("retry.reopened")
        if reopened.is_looked_at_again:
            hints.object_changed(reopened.object_key)
        if reopened.passages or reopened.is_looked_at_again:
            yield reopened
    hints.sync_wanted()


def _chosen(bot: Bot, document: str | None) -> list[UUID]:
    if document is None:
        return wiring.amendments().stuck_documents(bot)
    found = wiring.documents().document_of(bot, f"{bot.slug}/{document}")
    if found is None:
        raise LockstepError(f"The bot {bot.slug!r} has no document {document!r}.")
    return [found.document_id]


def _what(reopened: Reopened) -> str:
    if reopened.is_looked_at_again:
        return "was rejected: the same version is looked at again"
    return f"{reopened.passages} passages that failed are delivered again"
