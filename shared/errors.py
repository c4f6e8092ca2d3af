"""Error families. A class's docstring is its default message; drivers' own errors are translated once, at the adapter."""

from __future__ import annotations

from typing import ClassVar


class LockstepError(Exception):
    """Something went wrong inside Lockstep."""

    retryable: ClassVar[bool] = False

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__ or "")

    def __str__(self) -> str:
        return str(self.args[0])


# What the caller can mend.


class InvalidInputError(LockstepError):
    """The request is not valid."""


class NotFoundError(LockstepError):
    """There is nothing of that name."""


class ConflictError(LockstepError):
    """The name is taken."""


class TooLargeError(LockstepError):
    """The content is larger than this way of sending it allows."""


class RejectedDocumentError(LockstepError):
    """The document cannot be read; the message is the reason that its owner sees."""


# What the operator can mend.


class ConfigurationError(LockstepError):
    """A setting is missing or wrong; the message names it."""


class MismatchError(LockstepError):
    """Two parts do not belong together: another deployment, or another embedder."""


class EmbedderMismatchError(MismatchError):
    """The bot's passages were embedded with another model than this process has."""


# What passes, or is for somebody else to finish.


class StoreUnavailableError(LockstepError):
    """A store did not answer in time."""

    retryable = True

    def __init__(self, message: str | None = None, *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class CircuitOpenError(StoreUnavailableError):
    """A store failed repeatedly and is left alone for a while."""


class OverdueError(StoreUnavailableError):
    """A store worked on it for as long as it may; at once again it would take as long."""


class LeasedError(LockstepError):
    """Another worker holds the lease; look again later."""

    retryable = True


class SupersededError(LockstepError):
    """A newer look at the same object has begun; this one must not commit."""


class ObjectChangedError(LockstepError):
    """The object changed while it was read; look again."""

    retryable = True


class OutOfTimeError(LockstepError):
    """The time of this invocation is up; another one goes on."""

    retryable = True


class CollectionMissingError(LockstepError):
    """The index does not hold the collection; sync builds it anew from the catalog."""

    retryable = True


class BehindError(LockstepError):
    """The catalog is older than the deletion ledger: what was deleted since is being deleted again."""

    retryable = True
    retry_after_seconds: ClassVar[float] = 2.0


class RefusedRowError(LockstepError):
    """The index refuses what it was given; giving it again will not help."""
