"""How long an invocation lives: what does not fit into one goes on in the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.errors import OutOfTimeError

RESERVE_SECONDS = 60.0  # for the parts that are under way when reading stops, and a store that is slow just then
RESERVED_SHARE = 0.2  # of a life that is shorter than five times that
NEARLY_ALL = 0.8
ENOUGH = 0.5


@dataclass(frozen=True, slots=True)
class Lifetime:
    """What an invocation began with, and what is left of it, in seconds."""

    seconds: float
    time_left: Callable[[], float]

    @classmethod
    def begin(cls, time_left: Callable[[], float]) -> Lifetime:
        return cls(time_left(), time_left)

    def check(self) -> None:
        """Raises OutOfTimeError when what is left must be kept for what is under way."""
        if self.time_left() < min(RESERVE_SECONDS, RESERVED_SHARE * self.seconds):
            raise OutOfTimeError()

    @property
    def has_nearly_all(self) -> bool:
        """Whether whatever does not end within what is left would end in no other invocation either."""
        return self.time_left() >= NEARLY_ALL * self.seconds

    @property
    def has_enough(self) -> bool:
        """Whether it is worth while to begin with another object."""
        return self.time_left() >= ENOUGH * self.seconds
