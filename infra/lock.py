"""Writes constraints.txt from what is installed: the versions that were tested together."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CONSTRAINTS = Path(__file__).parent.parent / "constraints.txt"
HEADER = "# The exact versions that were tested together; pip takes them with -c. Written by: make lock\n"
# numpy's newest release for the oldest Python that we support, and the one for those after it.
NUMPY = "numpy==2.4.6; python_version < '3.12'\nnumpy==2.5.5; python_version >= '3.12'\n"


def main() -> None:
    command = [sys.executable, "-m", "pip", "freeze", "--exclude-editable"]
    frozen = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [NUMPY if line.startswith("numpy==") else f"{line}\n" for line in frozen.splitlines()]
    CONSTRAINTS.write_text(HEADER + "".join(lines))


if __name__ == "__main__":
    main()
