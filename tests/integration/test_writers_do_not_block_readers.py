"""While a writer's transaction is open, searches answer: no lock that a writer takes is one that a reader waits for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from infra.local.milvus import EmbeddedMilvus
from shared.domain import BotSettings
from shared.postgres import Transaction
from tests.worlds import World, real_world

FAQ = "id,question,answer\nhours,When is it open?,From ten to six.\nprice,What does a ticket cost?,Nine euros.\n"
CHANGED = FAQ.replace("Nine", "Ten")


@pytest.fixture
def world(catalog_url: str, milvus_server: EmbeddedMilvus) -> Iterator[World]:
    with real_world(catalog_url, milvus_server.uri) as made:
        made.put("faq.csv", FAQ)
        yield made


def search_within(world: World, monkeypatch: pytest.MonkeyPatch, statement: str) -> list[set[str]]:
    """Let each transaction search on another connection right after that statement; returns what the searches found."""
    found: list[set[str]] = []

    def ask() -> None:
        found.append(set(world.answers("What does a ticket cost?")))

    for kind in ("execute", "rows", "row", "value"):
        run = getattr(Transaction, kind)

        def and_search(tx: Transaction, name: str, /, *, run: Any = run, **parameters: Any) -> Any:
            result = run(tx, name, **parameters)
            if name == statement:
                ask()
            return result

        monkeypatch.setattr(Transaction, kind, and_search)
    return found


@pytest.mark.parametrize(
    "statement",
    [
        "begin_look",
        "insert_pairs",
        "insert_membership",
        "insert_markers",
        "begin_building",
        "claim_present",
        "prove_present",
        "keep_live",
        "flip_document",
    ],
)
def test_a_search_answers_with_what_is_live_while_an_upload_is_being_committed(
    world: World, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    found = search_within(world, monkeypatch, statement)
    world.put("faq.csv", CHANGED)
    assert found
    assert {"From ten to six.", "Nine euros."} <= found[0]
    assert all("From ten to six." in answers for answers in found)
    monkeypatch.undo()
    assert "Ten euros." in world.answers("What does a ticket cost?")


@pytest.mark.parametrize("statement", ["want_absent", "claim_absent", "drop_passages"])
def test_a_search_answers_while_dead_rows_are_swept(
    world: World, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    world.registry.change_bot(world.bot.slug, name=None, settings={"kept_generations": 0})
    found = search_within(world, monkeypatch, statement)
    world.put("faq.csv", CHANGED)
    assert found
    assert all("From ten to six." in answers for answers in found)


def test_a_search_answers_until_a_delete_is_committed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    found = search_within(world, monkeypatch, "bury_document")
    world.remove("faq.csv")
    assert found == [{"From ten to six.", "Nine euros."}]
    monkeypatch.undo()
    assert world.answers("What does a ticket cost?") == []


def test_a_search_answers_while_another_bot_gets_its_partitions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    found = search_within(world, monkeypatch, "insert_bot")
    partitions = search_within(world, monkeypatch, "partitioned_tables")
    world.register("other", BotSettings())
    assert found and partitions
