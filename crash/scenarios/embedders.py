"""Another embedder."""

from __future__ import annotations

from crash.history import History
from crash.scenarios.scenario import SYNC, Scenario, break_off, live


def _reembed_again(history: History) -> None:
    history.pass_time()
    history.do({"kind": "reembed", "bot": history.slug})


def _moved(history: History) -> None:
    live(history)
    history.do({"kind": "reembed", "bot": history.slug})
    history.pass_time()


def _moved_and_lost(history: History) -> None:
    """The bot is on its way, and the collection that it is on its way to is gone."""
    live(history)
    break_off(history, {"kind": "reembed", "bot": history.slug}, "reembed.documents-delivered")
    (other,) = history.lab.observer.sql(
        "select c.name from bots b join collections c on c.collection_id = b.next_collection_id where b.slug = :slug",
        slug=history.slug,
    )
    history.lab.observer.drop_collection(other["name"])


SCENARIOS = (
    Scenario("reembed", live, lambda h: [{"kind": "reembed", "bot": h.slug}], _reembed_again),
    Scenario("reembed-lost", _moved_and_lost, lambda h: [{"kind": "reembed", "bot": h.slug}], _reembed_again),
    Scenario("reembed-left", _moved, lambda h: [SYNC]),
)
