"""`lockstep upload`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from infra.cli.documents import BotArgument, all_documents
from infra.cli.output import NOT_AS_HOPED, say, show
from infra.cli.target import DEFAULT, Api, JsonOption, StateOption, UrlOption
from shared.errors import InvalidInputError, LockstepError, StoreUnavailableError
from shared.keys import object_key, split_key

DIRECT_BYTES = 4_000_000
POLL_SECONDS = 0.5


def add_to(root: typer.Typer) -> None:
    root.command()(upload)


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

    The exit code is 1 if any of them was refused, or with --wait rejected, failed or not finished in time; 3 if nothing
    could be sent.
    """
    api = Api(url, state)
    uploads = list(_uploads(paths, prefix))
    if not uploads:
        raise LockstepError("There are no files there.")
    _check_names(bot, uploads)
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
        raise typer.Exit(NOT_AS_HOPED)


def _uploads(paths: list[Path], prefix: str) -> Iterator[_Upload]:
    for path in paths:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                inside = file.relative_to(path)
                if file.is_file() and not any(part.startswith(".") for part in inside.parts):
                    yield _Upload(file, f"{prefix}{inside.as_posix()}")
        else:
            yield _Upload(path, f"{prefix}{path.name}")


def _check_names(bot: str, uploads: list[_Upload]) -> None:
    """Raises InvalidInputError where a file would silently replace another of the same call."""
    paths: dict[str, Path] = {}
    for item in uploads:
        try:
            name = _stored_name(bot, item.name)
        except InvalidInputError:  # told when its turn comes
            continue
        if name in paths:
            raise InvalidInputError(
                f"{paths[name]} and {item.path} would both be {name!r}: nothing was sent. Upload them one after the other "
                "with another --prefix each, or the folder that holds both."
            )
        paths[name] = item.path


def _stored_name(bot: str, name: str) -> str:
    """The name as the bucket will have it. Raises InvalidInputError."""
    return split_key(object_key(bot, name))[1]


def _send_all(api: Api, bot: str, uploads: list[_Upload], progress: Any) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Send each file; returns the versions that they became by their stored names, and what was refused and why."""
    task = progress.add_task("uploading", total=len(uploads))
    api.call("GET", f"/bots/{bot}")  # one message for all files if there is no such bot
    versions: dict[str, str] = {}
    refused: list[dict[str, Any]] = []
    for item in uploads:
        try:
            name, version = _send(api, bot, item)
            versions[name] = version
        except (LockstepError, OSError) as error:
            name = item.name.encode("utf-8", "replace").decode()  # it may be of bytes that are no text
            refused.append({"name": name, "state": "refused", "reason": str(error)})
        progress.advance(task)
    return versions, refused


def _send(api: Api, bot: str, item: _Upload) -> tuple[str, str]:
    """Send one file; returns the name and the version that it became. Raises LockstepError, OSError."""
    name, size = _stored_name(bot, item.name), item.path.stat().st_size
    if size > DIRECT_BYTES:
        presigned = api.call("POST", f"/bots/{bot}/uploads", json={"name": name, "size": size})
        with item.path.open("rb") as file:
            return name, api.put_presigned(presigned, file)
    headers = {"Content-Type": "application/octet-stream"}
    parameters = {"name": name, "wait": False}
    content = item.path.read_bytes()
    written = api.call("PUT", f"/bots/{bot}/documents", params=parameters, content=content, headers=headers)
    return str(written["name"]), str(written["version"])


def _wait(api: Api, bot: str, versions: dict[str, str], progress: Any, deadline: float) -> list[dict[str, Any]]:
    """Wait until ingest has finished with those versions; the documents as they are then."""
    finished: dict[str, dict[str, Any]] = {}
    task = progress.add_task("becoming searchable", total=len(versions))
    trouble = ""
    while len(finished) < len(versions):
        if time.monotonic() > deadline:
            late = {"state": "unfinished", "reason": trouble or "still at work: see `lockstep documents list`"}
            return [finished.get(name, {"name": name, **late}) for name in versions]
        try:
            done_in_part = _look(api, bot, versions, finished)
            progress.update(task, completed=len(finished) + done_in_part)
            trouble = ""
        except StoreUnavailableError as error:  # what passes ends no wait
            trouble = str(error)
        time.sleep(POLL_SECONDS)
    return [finished[name] for name in versions]


def _look(api: Api, bot: str, versions: dict[str, str], finished: dict[str, dict[str, Any]]) -> float:
    """Add to `finished` what ingest has finished with; returns how much of the rest is done, in documents."""
    done_in_part = 0.0
    for document in _documents(api, bot, [name for name in versions if name not in finished]):
        is_seen = document["version"] == versions[document["name"]]
        if is_seen and document["state"] not in ("observing", "building"):
            finished[document["name"]] = document
        else:
            done_in_part += document["progress"] or 0.0
    return done_in_part


def _documents(api: Api, bot: str, names: list[str]) -> Iterator[dict[str, Any]]:
    if len(names) > 20:
        wanted = set(names)
        yield from (document for document in all_documents(api, bot, None) if document["name"] in wanted)
        return
    for name in names:
        yield from api.call("GET", f"/bots/{bot}/documents", params={"name": name})["documents"]


def _progress(is_quiet: bool) -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, disable=is_quiet)
