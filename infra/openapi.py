"""Writes the OpenAPI document of the HTTP API, which is kept in the repository so that a change of it is seen."""

from __future__ import annotations

import json
from pathlib import Path

from functions.query.app import app
from shared import wiring
from shared.settings import load_settings

DOCUMENT = Path(__file__).parent.parent / "functions" / "query" / "openapi.json"


def openapi() -> str:
    """The document as it should be, from the code."""
    nowhere = {"POSTGRES_URL": "postgresql://nowhere", "MILVUS_URI": "http://nowhere", "BUCKET_URL": "file:///nowhere"}
    wiring.install_settings(load_settings({f"LOCKSTEP_{name}": value for name, value in nowhere.items()}))
    return json.dumps(app().openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(openapi(), "utf-8")
    print(f"wrote {DOCUMENT}")
