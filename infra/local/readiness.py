"""Waiting until `/ready` says yes, and what is said if it never does: its last words, and the logs of those concerned."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping

from infra.local.child import Child
from shared.errors import ConfigurationError, LockstepError

_HOPELESS = ("ConfigurationError", "MismatchError", "EmbedderMismatchError")  # no waiting mends these
OK = "ok"
_REMEDIES = {
    "index": "If its files are damaged, move the folder milvus out of the state folder and start again: the index is made "
    "anew from the catalog.",
}


def wait_until_ready(
    ask: Callable[[], Mapping[str, str]], children: Mapping[str, Child], *, seconds: float, pause: float = 0.05
) -> None:
    """Wait until each part that `ask` tells of is `ok`; it tells of none as long as nobody answers.

    `children` says who is behind a part. Raises LockstepError: at once if a child ended or no waiting can help.
    """
    deadline = time.monotonic() + seconds
    while not _is_ready(parts := ask()):
        for child in children.values():
            if not child.is_running():
                raise LockstepError(f"{child.name} ended while starting. {child.told()}")
        for part, said in parts.items():
            kind, _, words = said.partition(": ")
            if kind in _HOPELESS:
                raise ConfigurationError(f"The {part} cannot be used: {words}")
        if time.monotonic() > deadline:
            raise LockstepError(_what_is_missing(parts, children, seconds))
        time.sleep(pause)


def parts_of(answer: bytes) -> dict[str, str]:
    """What an answer of `/ready`, or the problem that came in its place, says of each part."""
    try:
        found = json.loads(answer)
        return dict(found["parts"] if "parts" in found else {"gateway": found["detail"]})
    except (ValueError, KeyError, TypeError):
        return {"gateway": answer[:300].decode("utf-8", "replace")}


def _is_ready(parts: Mapping[str, str]) -> bool:
    return bool(parts) and all(said == OK for said in parts.values())


def _what_is_missing(parts: Mapping[str, str], children: Mapping[str, Child], seconds: float) -> str:
    missing = {part: said for part, said in parts.items() if said != OK} or {"gateway": "it does not answer"}
    lines = [f"{part}: {said}" for part, said in missing.items()]
    concerned = {child.name: child.told() for part, child in children.items() if part in missing}
    remedies = [_REMEDIES[part] for part in missing if part in _REMEDIES]
    return "\n".join([f"Lockstep was not ready after {seconds:.0f} s.", *lines, *concerned.values(), *remedies])
