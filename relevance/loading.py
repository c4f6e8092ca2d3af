"""Loads a corpus as anybody would, as one file of the bucket, and tells how far it has come."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.laptop import RunningLaptop
from infra.cli.output import span

LOOK_EVERY_SECONDS = 2.0
SAY_EVERY_SECONDS = 15.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """How far one part of the work has come."""

    what: str
    done: int
    total: int


def load(laptop: RunningLaptop, corpus: str, file: Path, say: Say) -> None:
    """Load the corpus, unless it is there already, and wait until it answers and its graph is complete."""
    place(file, laptop.bucket_of(corpus))
    follow(corpus, stages(laptop, corpus, file.name), say)
    document = laptop.document(corpus, file.name)
    say(
        f"{corpus}: {document['pairs']:,} pairs, {document['passages']:,} passages, live since {document['live_at'][:16]}"
    )


def place(file: Path, folder: Path) -> None:
    """Copy the file into the folder; it appears whole. Raises RuntimeError if another one of that name is there."""
    placed = folder / file.name
    if not placed.exists():
        hidden = folder / f".{file.name}.part"
        shutil.copyfile(file, hidden)
        hidden.rename(placed)
    elif placed.stat().st_size != file.stat().st_size:
        raise RuntimeError(f"{placed} is not {file}: name another folder with --state, or remove this one.")


def stages(laptop: RunningLaptop, corpus: str, name: str) -> Iterator[Stage]:
    """What is there of the document at each look, until there is nothing to wait for."""
    while laptop.state_of(corpus, name) != "live":
        yield Stage("passages", *laptop.delivered(corpus))
    waited_for = laptop.unlinked(corpus)
    while left := laptop.unlinked(corpus):
        waited_for = max(waited_for, left)
        yield Stage("pairs linked", waited_for - left, waited_for)


def follow(
    corpus: str,
    looks: Iterator[Stage],
    say: Say,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Go through the looks, with a pause after each, and say now and then how far it is and how long the rest may take."""
    first: Stage | None = None
    began = said = clock()
    for stage in looks:
        if first is None or stage.what != first.what:
            first, began = stage, clock()
        if clock() - said >= SAY_EVERY_SECONDS:
            said = clock()
            rest = _rest(first, stage, said - began)
            say(f"{corpus}: {stage.done:,} of {stage.total:,} {stage.what}{rest}")
        wait(LOOK_EVERY_SECONDS)


def _rest(first: Stage, now: Stage, seconds: float) -> str:
    done = now.done - first.done
    return f", about {span((now.total - now.done) * seconds / done)} left" if done > 0 else ""
