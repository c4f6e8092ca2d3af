"""Whatever a parser library throws at bad bytes becomes one refusal that the document's owner understands."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import OutOfTimeError, RejectedDocumentError

# The disk's own trouble says nothing about the document: it must stay an error that can be retried.
_DISK_TROUBLE = {errno.EIO, errno.ESTALE, errno.ENOSPC, errno.ENODEV, errno.ETIMEDOUT}


@contextmanager
def refusing(kind: str) -> Iterator[None]:
    """Turn every failure inside into RejectedDocumentError, except the machine's own (memory, disk, time, interrupts)."""
    try:
        yield
    except (RejectedDocumentError, OutOfTimeError, MemoryError):
        raise
    except RecursionError as exc:
        raise RejectedDocumentError(f"The {kind} is nested too deeply; flatten it and upload it again.") from exc
    except OSError as exc:
        if exc.errno in _DISK_TROUBLE:
            raise
        raise damaged(kind) from exc
    except Exception as exc:
        raise damaged(kind) from exc
    except BaseException as exc:
        # A panic of a Rust extension derives from BaseException, and its class cannot be imported.
        if type(exc).__name__ != "PanicException":
            raise
        raise damaged(kind) from exc


def damaged(kind: str) -> RejectedDocumentError:
    return RejectedDocumentError(
        f"The {kind} is damaged or cut off and cannot be read; open it, save it again and upload it."
    )
