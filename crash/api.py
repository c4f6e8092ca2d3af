"""The public API, as anybody's client sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.testclient import TestClient

from functions.query.app import app


class Api:
    """A client of this process's app. Not for several threads at once."""

    def __init__(self, served: Any = None) -> None:
        self._client = TestClient(served or app(), raise_server_exceptions=False)

    def __enter__(self) -> Api:
        self._client.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._client.__exit__(*error)

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON of the answer."""
        answer = self._client.request(method, path, json=body)
        return answer.status_code, answer.json() if answer.content else None

    def put(self, bot: str, name: str, content: bytes) -> tuple[int, Any]:
        answer = self._client.put(f"/bots/{bot}/documents", params={"name": name}, content=content)
        return answer.status_code, answer.json()

    def documents(self, bot: str) -> dict[str, dict[str, Any]] | None:
        """What is told of each document, by name; None if there is no such bot."""
        status, answer = self.send("GET", f"/bots/{bot}/documents")
        return {document["name"]: document for document in answer["documents"]} if status == 200 else None

    def search(self, bot: str, question: str) -> tuple[int, dict[str, Any]]:
        """Everything that answers, as far as a search returns it."""
        return self.send("POST", f"/bots/{bot}/search", {"question": question, "top_k": 100})


def answers_by_document(found: Mapping[str, Any]) -> dict[str, list[str]]:
    """The responses of a search's hits, by the name of their document."""
    by_document: dict[str, list[str]] = {}
    for hit in found["hits"]:
        by_document.setdefault(hit["source"]["object_path"], []).append(hit["response"])
    return by_document
