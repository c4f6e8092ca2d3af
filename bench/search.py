"""How long a search takes over HTTP on the laptop default, where the time goes, and how a search of the index alone compares."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit

from bench.data import Record
from bench.hybrid_alone import hybrid_alone
from bench.laptop import RunningLaptop
from bench.report import Figure, at_most, percentile

QUESTIONS = 300
WARM_UP = 20
ADDED_MS = 5.0
MIDDLE_TIMES, SLOW_TIMES = 1.5, 2.5  # of the yardstick's p50 and p95


@dataclass(frozen=True, slots=True)
class Search:
    """One search, in milliseconds: as the client saw it, and what its parts took."""

    total: float
    parts: dict[str, float]

    @property
    def catalog(self) -> float:
        """What the catalog added, the graph in it included: the search by words runs beside those of the index, and counts as
        far as it outlasts them."""
        outlasting = self.parts["lexical"] - self.parts["embed"] - self.parts["index"]
        return self.parts["bot"] + self.parts["hydrate"] + self.parts["graph"] + max(0.0, outlasting)

    @property
    def added(self) -> float:
        """Everything else: HTTP, validation, fusing, writing the answer."""
        return self.total - self.parts["embed"] - self.parts["index"] - self.catalog


def measure(laptop: RunningLaptop, bot: str, records: Sequence[Record]) -> Iterator[Figure]:
    """Search for questions spread over the records, one after the other, in turns with the index alone."""
    questions = questions_of(records)
    connection = connect(laptop)
    with hybrid_alone(laptop, bot) as search_alone:
        for question in questions[:WARM_UP]:
            search(connection, bot, question)
            search_alone(question)
        searches, alone = [], []
        for question in questions:
            searches.append(search(connection, bot, question))
            alone.append(search_alone(question))
    connection.close()
    totals = [search.total for search in searches]
    yield Figure(f"/search over {_passages(laptop, bot):,} passages, p50", f"{percentile(totals, 0.5):.1f} ms")
    yield Figure("p95", f"{percentile(totals, 0.95):.1f} ms")
    for name, values in (
        ("embedding the question, p50", [search.parts["embed"] for search in searches]),
        ("the index, three fields side by side, p50", [search.parts["index"] for search in searches]),
        ("the catalog, p50", [search.catalog for search in searches]),
    ):
        yield Figure(name, f"{percentile(values, 0.5):.1f} ms")
    added = percentile([search.added for search in searches], 0.5)
    yield at_most("what Lockstep adds to the three, p50", added, ADDED_MS, "{:.1f} ms")
    for name, share, limit in (("p50", 0.5, MIDDLE_TIMES), ("p95", 0.95, SLOW_TIMES)):
        yield Figure(f"embedding and hybrid search alone, {name}", f"{percentile(alone, share):.1f} ms")
        yield at_most(f"/search : these, {name}", percentile(totals, share) / percentile(alone, share), limit, "{:.2f}")


def questions_of(records: Sequence[Record]) -> list[str]:
    """Questions spread over the records."""
    return [str(record["question"]) for record in records[:: max(1, len(records) // QUESTIONS)]]


def connect(laptop: RunningLaptop) -> HTTPConnection:
    """The leanest client there is."""
    return HTTPConnection(urlsplit(laptop.url).netloc, timeout=60.0)


def search(connection: HTTPConnection, bot: str, question: str) -> Search:
    """Search once. Raises RuntimeError if that is answered with an error."""
    body = json.dumps({"question": question})
    begin = time.perf_counter()
    connection.request("POST", f"/bots/{bot}/search", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    total = (time.perf_counter() - begin) * 1000
    if response.status != 200:
        raise RuntimeError(f"/search answered {response.status}: {content.decode()}")
    parts = dict(part.split(";dur=") for part in response.headers["Server-Timing"].split(", "))
    return Search(total, {name: float(value) for name, value in parts.items()})


def _passages(laptop: RunningLaptop, bot: str) -> int:
    sql = "select count(*) from passages p join bots b on b.bot_id = p.bot_id where b.slug = :slug"
    return int(laptop.select(sql, slug=bot)[0][0])
