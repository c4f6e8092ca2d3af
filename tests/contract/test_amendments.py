"""Retry, rollback, changed settings: what a person changes afterwards, over the twins and real stores alike."""

from __future__ import annotations

import time
from uuid import UUID, uuid4

import pytest

from functions.sync.bucket_scan import claim_bucket
from shared.catalog.delivery import MAX_ATTEMPTS
from shared.domain import BotSettings, Wanted
from shared.errors import ConflictError, NotFoundError, RejectedDocumentError, SupersededError
from shared.testing import HashingEmbedder
from tests.contract.test_catalog_transitions import make_due
from tests.worlds import World

FAQ = "id,question,answer\nhours,When is it open?,From ten to six.\nprice,What does a ticket cost?,Nine euros.\n"


def priced(price: str) -> str:
    return FAQ.replace("Nine", price)


@pytest.fixture
def library(world: World) -> World:
    claim_bucket(world.objects, world.registry.deployment_id())
    return world


def document_id(world: World, name: str = "faq.csv") -> UUID:
    status = world.status(name)
    assert status is not None
    return status.document_id


def state_of(world: World, name: str = "faq.csv") -> str:
    status = world.status(name)
    assert status is not None
    return status.state


def roll_back(world: World, generation: int | None = None) -> int:
    return world.amendments.roll_back(world.refreshed(), document_id(world), generation)


def prices(world: World) -> set[str]:
    return {text for text in world.answers("What does a ticket cost?") if "euros" in text}


# Rollback


def test_a_rollback_brings_back_what_was_kept_and_embeds_nothing(library: World) -> None:
    assert isinstance(library.embedder, HashingEmbedder)
    library.put("faq.csv", priced("Nine"))
    library.put("faq.csv", priced("Ten"))
    library.embedder.embedded.clear()
    assert roll_back(library) == 3
    assert prices(library) == {"Ten euros."}  # until it flips, what is live answers
    assert library.delivery.flip(library.refreshed(), document_id(library))
    assert prices(library) == {"Nine euros."}
    library.sync()
    assert prices(library) == {"Nine euros."}
    assert library.embedder.embedded == []
    told = [
        (g.generation, g.state, g.pairs, g.passages)
        for g in library.amendments.generations(library.bot, document_id(library))
    ]
    assert told == [(3, "live", 2, 2), (2, "kept", 2, 2)]


def test_a_rollback_can_be_rolled_back(library: World) -> None:
    library.put("faq.csv", priced("Nine"))
    library.put("faq.csv", priced("Ten"))
    for expected in ("Nine euros.", "Ten euros.", "Nine euros."):
        roll_back(library)
        library.deliver(document_id(library))
        assert prices(library) == {expected}
    assert library.index.count(library.bot.collection, library.bot.bot_id) == 3


def test_any_generation_that_is_kept_can_be_chosen(library: World) -> None:
    library.bot = library.registry.change_bot(library.bot.slug, name=None, settings={"kept_generations": 3})
    for price in ("Seven", "Eight", "Nine", "Ten"):
        library.put("faq.csv", priced(price))
    roll_back(library, generation=2)
    library.deliver(document_id(library))
    assert prices(library) == {"Eight euros."}
    with pytest.raises(ConflictError):
        roll_back(library, generation=5)  # it is live
    with pytest.raises(ConflictError):
        roll_back(library, generation=99)


def test_the_object_as_it_was_seen_does_not_undo_a_rollback_and_a_newer_one_does(library: World) -> None:
    library.put("faq.csv", priced("Nine"))
    library.put("faq.csv", priced("Ten"))
    roll_back(library)
    library.deliver(document_id(library))
    library.sync()
    assert library.hints.keys == []
    library.ingest("faq.csv")  # a late event
    assert prices(library) == {"Nine euros."}
    library.put("faq.csv", priced("Eleven"))
    assert prices(library) == {"Eleven euros."}


def test_without_a_kept_generation_there_is_nothing_to_roll_back_to(library: World) -> None:
    library.put("faq.csv", priced("Nine"))
    with pytest.raises(ConflictError):
        roll_back(library)
    assert state_of(library) == "live"
    with pytest.raises(NotFoundError):
        library.amendments.roll_back(library.bot, uuid4(), None)
    gone = document_id(library)
    library.remove("faq.csv")
    with pytest.raises(NotFoundError):
        library.amendments.roll_back(library.bot, gone, None)


def test_what_is_being_built_or_looked_at_is_not_rolled_back(library: World) -> None:
    library.put("faq.csv", priced("Nine"))
    library.put("faq.csv", priced("Ten"))
    observation = library.documents.observe(library.refreshed(), library.key("faq.csv"), lease_seconds=60)
    assert observation is not None
    with pytest.raises(ConflictError, match="being changed"):
        roll_back(library)
    library.documents.release(observation)
    library.objects.put(library.key("faq.csv"), priced("Eleven").encode())
    assert library.look("faq.csv") is not None
    with pytest.raises(ConflictError, match="being changed"):
        roll_back(library)
    library.deliver(document_id(library))
    assert prices(library) == {"Eleven euros."}


def test_a_look_that_stalled_before_a_rollback_commits_no_more(library: World) -> None:
    library.put("faq.csv", priced("Nine"))
    library.put("faq.csv", priced("Ten"))
    stalled = library.documents.observe(library.refreshed(), library.key("faq.csv"), lease_seconds=0.01)
    assert stalled is not None
    time.sleep(0.05)
    roll_back(library)
    version = library.objects.head(library.key("faq.csv"))
    assert version is not None
    with pytest.raises(SupersededError):
        library.documents.reject(stalled, version, "too late")
    library.deliver(document_id(library))
    assert prices(library) == {"Nine euros."}


def test_a_rollback_over_a_lost_index_is_finished_by_sync(library: World) -> None:
    library.put("faq.csv", priced("Nine"))
    library.put("faq.csv", priced("Ten"))
    library.registry.set_incarnation(library.refreshed().collection, uuid4())
    roll_back(library)
    assert not library.delivery.flip(library.refreshed(), document_id(library))
    library.sync()
    assert prices(library) == {"Nine euros."}


# Retry


def fail(world: World) -> None:
    """Let the delivery of what is pending fail until it is given up."""
    for _ in range(MAX_ATTEMPTS):
        taken = world.delivery.claim(
            world.refreshed(), [document_id(world)], wanted=Wanted.PRESENT, limit=100, lease_seconds=60
        )
        assert taken is not None
        world.delivery.postpone(world.bot, taken, [marker.passage_id for marker in taken.markers], "it is poisonous")
        make_due(world)


def test_a_retry_delivers_what_had_failed_and_says_what_it_reopened(library: World) -> None:
    library.put("faq.csv", priced("Nine"))
    library.objects.put(library.key("faq.csv"), priced("Ten").encode())
    library.look("faq.csv")
    fail(library)
    assert (state_of(library), prices(library)) == ("failed", {"Nine euros."})
    library.sync()
    assert state_of(library) == "failed"  # nobody tries again by himself
    assert library.amendments.stuck_documents(library.bot) == [document_id(library)]
    reopened = library.amendments.retry(library.bot, document_id(library))
    assert (reopened.object_key, reopened.passages) == (library.key("faq.csv"), 1)
    assert not reopened.is_looked_at_again
    status = library.status("faq.csv")
    assert status is not None
    assert (status.state, status.reason) == ("building", None)
    library.sync()
    assert (state_of(library), prices(library)) == ("live", {"Ten euros."})
    assert library.amendments.stuck_documents(library.bot) == []


def test_a_failed_generation_can_be_rolled_back_from(library: World) -> None:
    library.put("faq.csv", priced("Nine"))
    library.put("faq.csv", priced("Ten"))
    library.objects.put(library.key("faq.csv"), priced("Eleven").encode())
    library.look("faq.csv")
    fail(library)
    roll_back(library)
    library.deliver(document_id(library))
    assert (state_of(library), prices(library)) == ("live", {"Nine euros."})


def test_passages_of_a_live_document_that_could_not_be_delivered_again_are_found_too(library: World) -> None:
    library.put("faq.csv", priced("Nine"))
    library.delivery.reopen_unproven(library.refreshed(), uuid4(), 10)
    fail(library)
    assert state_of(library) == "live"
    assert library.amendments.stuck_documents(library.bot) == [document_id(library)]
    assert library.amendments.retry(library.bot, document_id(library)).passages == 2
    assert library.sync()
    assert library.delivery.known_passages(library.bot) == 0


def test_a_rejected_version_is_parsed_again_after_a_retry(library: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RejectedDocumentError("This parser cannot read it.")

    with monkeypatch.context() as old_parser:
        old_parser.setattr("functions.ingest.pipeline.parse", refuse)
        library.put("faq.csv", FAQ)
    assert state_of(library) == "rejected"
    library.ingest("faq.csv")
    assert state_of(library) == "rejected"
    reopened = library.amendments.retry(library.refreshed(), document_id(library))
    assert reopened.is_looked_at_again
    library.sync()
    assert library.hints.keys == [library.key("faq.csv")]  # the scan finds it, should the hint be lost
    library.ingest("faq.csv")
    assert state_of(library) == "live"


def test_a_retry_of_what_is_well_changes_nothing(library: World) -> None:
    library.put("faq.csv", FAQ)
    before = library.status("faq.csv")
    reopened = library.amendments.retry(library.refreshed(), document_id(library))
    assert (reopened.passages, reopened.is_looked_at_again) == (0, False)
    assert library.status("faq.csv") == before
    with pytest.raises(NotFoundError):
        library.amendments.retry(library.bot, uuid4())


# Settings


def test_what_is_not_named_of_a_bot_stays_as_it_is(library: World) -> None:
    library.register("chosen", BotSettings(consistency="strong", kept_generations=3, columns={"question": "Frage"}))
    changed = library.registry.change_bot("chosen", name=None, settings={"kept_generations": 2})
    assert changed.settings == BotSettings("strong", 2, {"question": "Frage"})
    assert changed.name == "chosen"
    changed = library.registry.change_bot("chosen", name="Chosen", settings={"columns": {}})
    assert (changed.name, changed.settings) == ("Chosen", BotSettings("strong", 2, {}))
    assert library.registry.bot("chosen") == changed
    with pytest.raises(NotFoundError):
        library.registry.change_bot("nobody", name="x", settings={})


def test_a_bot_that_keeps_fewer_gives_up_the_others_when_its_document_changes_next(library: World) -> None:
    library.bot = library.registry.change_bot(library.bot.slug, name=None, settings={"kept_generations": 3})
    for price in ("Seven", "Eight", "Nine"):
        library.put("faq.csv", priced(price))
    library.registry.change_bot(library.bot.slug, name=None, settings={"kept_generations": 0})
    library.put("faq.csv", priced("Ten"))
    assert [g.state for g in library.amendments.generations(library.bot, document_id(library))] == ["live"]
    assert library.index.count(library.bot.collection, library.bot.bot_id) == 2
