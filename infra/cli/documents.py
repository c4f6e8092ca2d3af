"""`lockstep documents`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from infra.cli.output import NOT_AS_HOPED, say, show
from infra.cli.target import DEFAULT, Api, JsonOption, StateOption, UrlOption
from shared.errors import LockstepError

BotArgument = Annotated[str, typer.Argument(help="The bot's slug.")]

app = typer.Typer(no_args_is_help=True)


def add_to(root: typer.Typer) -> None:
    root.add_typer(app, name="documents", help="List, show and delete the documents of a bot.")


@app.command("list")
def list_documents(
    bot: BotArgument,
    state_is: Annotated[
        str | None, typer.Option("--in", help="Only those in this state, for example rejected.")
    ] = None,
    url: UrlOption = None,
    state: StateOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """List documents with state and reason."""
    documents = list(all_documents(Api(url, state), bot, state_is))
    rows = ((d["name"], d["state"], d["pairs"], d["passages"], d["updated_at"][:16], d["reason"]) for d in documents)
    show(documents, as_json=as_json, table=("name", "state", "pairs", "passages", "updated", "reason"), rows=rows)


@app.command("show")
def show_document(
    bot: BotArgument,
    name: Annotated[str, typer.Argument(help="The document's name.")],
    url: UrlOption = None,
    state: StateOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Show one document."""
    document = find_document(Api(url, state), bot, name)
    show(document, as_json=as_json, table=("field", "value"), rows=document.items())


@app.command()
def delete(
    bot: BotArgument,
    name: Annotated[str, typer.Argument(help="The document's name.")],
    url: UrlOption = None,
    state: StateOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Delete a document: its answers stop, then everything behind it goes, and a receipt proves it.

    The exit code is 1 if the object is removed, but still answers; 3 if it could not be deleted.
    """
    api = Api(url, state)
    document = find_document(api, bot, name)
    deleted = api.call("DELETE", f"/bots/{bot}/documents/{document['document_id']}", params={"wait": True})
    if as_json:
        show(deleted, as_json=True)
    elif deleted["is_done"]:
        say(f"{name} answers no more. `lockstep receipts --bot {bot}` shows what is proven of it.")
    else:
        say(f"The object {name} is removed, but it still answers: is the worker, or ingest, running?")
    if not deleted["is_done"]:
        raise typer.Exit(NOT_AS_HOPED)


def all_documents(api: Api, bot: str, state: str | None) -> Iterator[dict[str, Any]]:
    """Page by page; `state` is of those that are wanted, None: of all."""
    after = ""
    while True:
        parameters = {"after": after, "limit": 500, **({"state": state} if state else {})}
        page = api.call("GET", f"/bots/{bot}/documents", params=parameters)
        yield from page["documents"]
        if page["next_after"] is None:
            return
        after = page["next_after"]


def find_document(api: Api, bot: str, name: str) -> dict[str, Any]:
    """The document of that name. Raises LockstepError."""
    found = api.call("GET", f"/bots/{bot}/documents", params={"name": name})["documents"]
    if not found:
        raise LockstepError(
            f"The bot {bot!r} has no document {name!r}; `lockstep documents list {bot}` shows those it has."
        )
    document: dict[str, Any] = found[0]
    return document
