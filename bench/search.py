"""How long a search takes over HTTP on the laptop default, where the time goes, and how a search of the index alone compares."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.data import Record
from bench.hybrid_alone import hybrid_alone
from bench.laptop import RunningLaptop
from bench.report import Figure, at_most, percentile

QUESTIONS = 300
WARM_UP = 20
ADDED_MS = 5.0
ADDED_TIMES = 2.6  # of embedding the question: what was promised is 5 ms where that takes 1.9 ms
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
    client = Client(laptop)
    with hybrid_alone(laptop, bot) as search_alone:
        for question in questions[:WARM_UP]:
            client.search(bot, question)
            search_alone(question)
        searches, alone = [], []
        for question in questions:
            searches.append(client.search(bot, question))
            alone.append(search_alone(question))
    client.close()
    totals = [search.total for search in searches]
    yield Figure(f"/search over {_passages(laptop, bot):,} passages, p50", f"{percentile(totals, 0.5):.1f} ms")
    yield Figure("p95", f"{percentile(totals, 0.95):.1f} ms")
    embedding = percentile([search.parts["embed"] for search in searches], 0.5)
    yield Figure("embedding the question, p50", f"{embedding:.1f} ms")
    for name, values in (
        ("the index, three fields side by side, p50", [search.parts["index"] for search in searches]),
        ("the catalog, p50", [search.catalog for search in searches]),
    ):
        yield Figure(name, f"{percentile(values, 0.5):.1f} ms")
    added = percentile([search.added for search in searches], 0.5)
    yield at_most("what Lockstep adds to the three, p50", added, ADDED_MS, "{:.1f} ms")
    yield at_most("… of embedding the question", added / embedding, ADDED_TIMES, "{:.2f} times")
    for name, share, limit in (("p50", 0.5, MIDDLE_TIMES), ("p95", 0.95, SLOW_TIMES)):
        yield Figure(f"embedding and hybrid search alone, {name}", f"{percentile(alone, share):.1f} ms")
        yield at_most(f"/search : these, {name}", percentile(totals, share) / percentile(alone, share), limit, "{:.2f}")


def questions_of(records: Sequence[Record]) -> list[str]:
    """Questions spread over the records."""
    return [str(record["question"]) for record in records[:: max(1, len(records) // QUESTIONS)]]


class Client:
    """A connection that is kept, and no library: what a client spends on headers is not what the product adds."""

    def __init__(self, laptop: RunningLaptop) -> None:
        url = urlsplit(laptop.url)
        self._host = url.netloc
        self._socket = socket.create_connection((url.hostname, url.port), timeout=60.0)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def search(self, bot: str, question: str) -> Search:
        """Search once. Raises RuntimeError if that is answered with an error."""
        body = json.dumps({"question": question}).encode()
        head = f"POST /bots/{bot}/search HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
        request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        begin = time.perf_counter()
        self._socket.sendall(request)
        answer, size = b"", None
        while size is None or len(answer) < size:
            received = self._socket.recv(1 << 20)
            if not received:
                raise RuntimeError("the gateway closed the connection")
            answer += received
            size = size or _size_of(answer)
        total = (time.perf_counter() - begin) * 1000
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"/search was answered with an error: {answer.decode()}")
        parts = re.findall(r"([a-z]+);dur=([0-9.]+)", _header(answer, b"server-timing").decode())
        return Search(total, {name: float(milliseconds) for name, milliseconds in parts})

    def close(self) -> None:
        self._socket.close()


def _size_of(answer: bytes) -> int | None:
    """Bytes of the whole answer, headers and all; None as long as the headers have not come."""
    end = answer.find(b"\r\n\r\n")
    return None if end < 0 else end + 4 + int(_header(answer, b"content-length"))


def _header(answer: bytes, name: bytes) -> bytes:
    found = re.search(rb"(?i)\r\n" + name + rb": *([^\r]*)\r\n", answer)
    if found is None:
        raise RuntimeError(f"the answer has no {name.decode()}")
    return found[1]


def _passages(laptop: RunningLaptop, bot: str) -> int:
    sql = "select count(*) from passages p join bots b on b.bot_id = p.bot_id where b.slug = :slug"
    return int(laptop.select(sql, slug=bot)[0][0])
