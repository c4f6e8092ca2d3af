"""`lockstep export --remote`: has the deployment write an export, and fetches it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from infra.cli.target import Api
from shared.errors import ConflictError, LockstepError

POLL_SECONDS = 1.0
CHUNK_BYTES = 1 << 20

Say = Callable[[str], None]


def export_remotely(api: Api, bot: str, wanted: Mapping[str, Any], out: Path, *, timeout: float, say: Say) -> Any:
    """Ask for an export, wait, and fetch it into a folder that appears whole. Raises LockstepError."""
    check_is_free(out)
    export = api.call("POST", f"/bots/{bot}/exports", json=wanted)
    say(f"{bot}: asked for the export {export['export_id']}; `--id` fetches it if this is broken off")
    return fetch_export(api, bot, export["export_id"], out, timeout=timeout, say=say)


def fetch_export(api: Api, bot: str, export_id: str, out: Path, *, timeout: float, say: Say) -> Any:
    """Fetch an export that was asked for before, waiting until it is finished. Raises LockstepError."""
    check_is_free(out)
    export = _wait(api, bot, export_id, time.monotonic() + timeout)
    for table, records in export["records"].items():
        say(f"{bot}: {records:,} {table}")
    partial = out.with_name(f"{out.name}.partial")
    if partial.exists():
        shutil.rmtree(partial)  # of a command that was interrupted
    try:
        (partial / bot).mkdir(parents=True)
        for file in export["files"]:
            say(f"{bot}: {file['name']}, {file['bytes'] / 1e6:,.1f} MB")
            _download(api, file, partial / bot / file["name"])
        (partial / "export.json").write_text(json.dumps(_manifest(bot, export), indent=1, ensure_ascii=False), "utf-8")
        if out.exists():
            out.rmdir()
        partial.replace(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return export


def check_is_free(out: Path) -> None:
    """Raises ConflictError."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConflictError(f"{out} is there already, and nothing is overwritten: name another with --out.")


def _wait(api: Api, bot: str, export_id: str, deadline: float) -> Any:
    while True:
        export = api.call("GET", f"/bots/{bot}/exports/{export_id}")
        if export["state"] == "finished":
            return export
        if export["state"] == "failed":
            raise LockstepError(f"The export failed. {export['reason']}")
        if time.monotonic() > deadline:
            raise LockstepError(
                f"The export is not finished yet. Fetch it later: lockstep export --remote --bot {bot} --id {export_id} "
                "--out FOLDER"
            )
        time.sleep(POLL_SECONDS)


def _download(api: Api, file: Mapping[str, Any], target: Path) -> None:
    """Raises LockstepError if what came is not what was written."""
    digest = sha256()
    with target.open("wb") as out:
        for chunk in api.get_presigned(file["url"], CHUNK_BYTES):
            digest.update(chunk)
            out.write(chunk)
    if digest.hexdigest() != file["sha256"]:
        raise LockstepError(f"{file['name']} arrived damaged: its sha256 is not the export's. Try again with --id.")


def _manifest(bot: str, export: Mapping[str, Any]) -> dict[str, Any]:
    """In the form of an export that was written here."""
    files = [{"path": f"{bot}/{f['name']}", "bytes": f["bytes"], "sha256": f["sha256"]} for f in export["files"]]
    kept = {name: export[name] for name in ("as_of", "records", "missing_embeddings")}
    return {"format": export["format"], "since": export["since"], "bots": [{"bot": bot, **kept, "files": files}]}
