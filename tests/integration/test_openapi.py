"""The OpenAPI document in the repository is that of the code."""

from __future__ import annotations

import json
import subprocess
import sys

from infra.openapi import DOCUMENT


def test_the_committed_document_is_up_to_date() -> None:
    program = "from infra.openapi import openapi; import sys; sys.stdout.buffer.write(openapi().encode())"
    generated = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    assert DOCUMENT.read_bytes() == generated, "run `make openapi` and look at what changed"


def test_every_operation_tells_that_its_errors_are_problem_details() -> None:
    document = json.loads(DOCUMENT.read_bytes())
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len(operations) > 30
    assert all("422" not in operation["responses"] for operation in operations)
    told = [operation["responses"]["default"]["content"] for operation in operations]
    assert told == [{"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}] * len(told)
    assert set(document["components"]["schemas"]["Problem"]["required"]) == {"title", "status", "detail"}
    assert "ValidationError" not in DOCUMENT.read_text("utf-8")
