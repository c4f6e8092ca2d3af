"""The OpenAPI document in the repository is that of the code."""

from __future__ import annotations

import subprocess
import sys

from infra.openapi import DOCUMENT


def test_the_committed_document_is_up_to_date() -> None:
    program = "from infra.openapi import openapi; import sys; sys.stdout.buffer.write(openapi().encode())"
    generated = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    assert DOCUMENT.read_bytes() == generated, "run `make openapi` and look at what changed"
