"""`lockstep upload` and `lockstep documents`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from infra.cli.output import say, show
from infra.cli.target import DEFAULT, Api, JsonOption, StateOption, UrlOption
from shared.errors import LockstepError

DIRECT_BYTES = 4_000_000
POLL_SECONDS = 0.5
BotArgument = Annotated[str, typer.Argument(help="The bot's slug.")]

app = typer.Typer(no_args_is_help=True)


def add_to(root: typer.Typer) -> None:
    root.command()(upload)
    root.add_typer(app, name="documents", help="List, show and delete the documents of a bot.")


@dataclass(frozen=True, slots=True)
class _Upload:
    path: Path
    name: str


def upload(
    bot: BotArgument,
    paths: Annotated[
        list[Path], typer.Argument(help="Files and folders; folders with everything in them.", exists=True)
    ],
    wait: Annotated[bool, typer.Option("--wait", help="Wait until all of it can be found, showing progress.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 7200.0,
    prefix: Annotated[str, typer.Option(help="Goes before the names, for example guides/")] = "",
    url: UrlOption = None,
    state: StateOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Upload files and folders. The same name again replaces the document.

    The exit code is 1 if any of them was refused, or with --wait rejected, failed or not finished in time.
    """
    api = Api(url, state)
    uploads = list(_uploads(paths, prefix))
    if not uploads:
        raise LockstepError("There are no files there.")
    with _progress(as_json) as progress:
        versions, refused = _send_all(api, bot, uploads, progress)
        finished = _wait(api, bot, versions, progress, time.monotonic() + timeout) if wait else []
    bad = [*refused, *(document for document in finished if document["state"] != "live")]
    if as_json:
        show([*(finished or [{"name": name} for name in versions]), *refused], as_json=True)
    else:
        live = sum(document["state"] == "live" for document in finished)
        say(f"{len(versions)} uploaded" + (f", {live} live, {len(bad)} not" if wait or bad else ""))
        for document in bad:
            say(f"  {document['name']}: {document['state']}: {document['reason']}")
    if bad:
        raise typer.Exit(1)


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
    documents = list(_all_documents(Api(url, state), bot, state_is))
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
) -> None:
    """Delete a document: its answers stop, then everything behind it goes, and a receipt proves it."""
    api = Api(url, state)
    document = find_document(api, bot, name)
    deleted = api.call("DELETE", f"/bots/{bot}/documents/{document['document_id']}", params={"wait": True})
    if not deleted["is_done"]:
        raise LockstepError(f"The object {name} is removed, but it still answers: is the worker, or ingest, running?")
    say(f"{name} answers no more. `lockstep receipts --bot {bot}` shows what is proven of it.")


def _uploads(paths: list[Path], prefix: str) -> Iterator[_Upload]:
    for path in paths:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                inside = file.relative_to(path)
                if file.is_file() and not any(part.startswith(".") for part in inside.parts):
                    yield _Upload(file, f"{prefix}{inside.as_posix()}")
        else:
            yield _Upload(path, f"{prefix}{path.name}")


def _send_all(api: Api, bot: str, uploads: list[_Upload], progress: Any) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Send each file; returns the versions that they became, and what was refused and why."""
    task = progress.add_task("uploading", total=len(uploads))
    api.call("GET", f"/bots/{bot}")  # one message for all files if there is no such bot
    versions: dict[str, str] = {}
    refused: list[dict[str, Any]] = []
    for item in uploads:
        try:
            versions[item.name] = _send(api, bot, item)
        except LockstepError as error:
            refused.append({"name": item.name, "state": "refused", "reason": str(error)})
        progress.advance(task)
    return versions, refused


def _send(api: Api, bot: str, item: _Upload) -> str:
    """Send one file; returns the version that it became."""
    size = item.path.stat().st_size
    if size > DIRECT_BYTES:
        presigned = api.call("POST", f"/bots/{bot}/uploads", json={"name": item.name, "size": size})
        with item.path.open("rb") as file:
            return api.put_presigned(presigned, file)
    headers = {"Content-Type": "application/octet-stream"}
    parameters = {"name": item.name, "wait": False}
    content = item.path.read_bytes()
    written = api.call("PUT", f"/bots/{bot}/documents", params=parameters, content=content, headers=headers)
    return str(written["version"])


def _wait(api: Api, bot: str, versions: dict[str, str], progress: Any, deadline: float) -> list[dict[str, Any]]:
    """Wait until ingest has finished with those versions; the documents as they are then."""
    finished: dict[str, dict[str, Any]] = {}
    task = progress.add_task("becoming searchable", total=len(versions))
    while len(finished) < len(versions):
        if time.monotonic() > deadline:
            late = {"state": "unfinished", "reason": "still at work: see `lockstep documents list`"}
            return [finished.get(name, {"name": name, **late}) for name in versions]
        done_in_part = 0.0
        for document in _documents(api, bot, [name for name in versions if name not in finished]):
            is_seen = document["version"] == versions[document["name"]]
            if is_seen and document["state"] not in ("observing", "building"):
                finished[document["name"]] = document
            else:
                done_in_part += document["progress"] or 0.0
        progress.update(task, completed=len(finished) + done_in_part)
        time.sleep(POLL_SECONDS)
    return [finished[name] for name in versions]


def _documents(api: Api, bot: str, names: list[str]) -> Iterator[dict[str, Any]]:
    if len(names) > 20:
        wanted = set(names)
        yield from (document for document in _all_documents(api, bot, None) if document["name"] in wanted)
        return
    for name in names:
        yield from api.call("GET", f"/bots/{bot}/documents", params={"name": name})["documents"]


def _all_documents(api: Api, bot: str, state: str | None) -> Iterator[dict[str, Any]]:
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


def _progress(is_quiet: bool) -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, disable=is_quiet)
