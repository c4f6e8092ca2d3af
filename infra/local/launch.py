"""Becomes the program that it is given, which then ends with the process that started it, and is not root.

A program of its own: what runs between a fork and its exec would depend on the threads of the process that forks, and
where gRPC starts its own again there, no user namespace can be entered.

    python -I -S launch.py PARENT SIGNAL KEEP-OR-LEAVE COMMAND…
"""

from __future__ import annotations

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000


def main(parent: str, stop_signal: str, root: str, *command: str) -> None:
    """Does not return."""
    libc = ctypes.CDLL(None, use_errno=True)
    if root == "leave" and os.geteuid() == 0:
        _leave_root(libc)
    if sys.platform == "linux":
        libc.prctl(_PR_SET_PDEATHSIG, int(stop_signal))
        if os.getppid() != int(parent):  # it ended before that
            sys.exit(1)
    try:
        os.execvp(command[0], command)  # noqa: S606  # what this is for
    except OSError as error:
        sys.exit(f"{command[0]} cannot be started: {error.strerror}.")


def _leave_root(libc: ctypes.CDLL) -> None:
    """Postgres refuses to run as root: in a user namespace of its own it has another number and the same rights on files."""
    if libc.unshare(_CLONE_NEWUSER) != 0:
        reason = os.strerror(ctypes.get_errno())
        sys.exit(f"A user namespace is refused here ({reason}): run as an ordinary user, not as root.")
    for path, content in (("setgroups", "deny"), ("uid_map", "1000 0 1"), ("gid_map", "1000 0 1")):
        with open(f"/proc/self/{path}", "w") as file:
            file.write(content)


if __name__ == "__main__":
    main(*sys.argv[1:])
