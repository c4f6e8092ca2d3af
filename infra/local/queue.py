"""An in-process queue with the manners of SQS: at least once, again after a failure, given up after many."""

from __future__ import annotations

import heapq
import itertools
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from shared.aws import object_event
from shared.telemetry import logger

MAX_RECEIVES = 12
LONGEST_DELAY_SECONDS = 60.0


@dataclass(order=True)
class Message:
    """One hint about one object."""

    due: float
    order: int
    key: str = field(compare=False)
    receives: int = field(default=0, compare=False)


class HintQueue:
    """Hints by object key. A key that waits already is not queued twice. It is the port `Hints` as well."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._condition = threading.Condition()
        self._heap: list[Message] = []
        self._waiting: dict[str, Message] = {}
        self._numbers = itertools.count()
        self.sync_asked = threading.Event()

    def object_changed(self, key: str) -> None:
        self._put(key, delay_seconds=0.0, receives=0)

    def sync_wanted(self) -> None:
        self.sync_asked.set()

    def receive(self, limit: int, *, wait_seconds: float) -> list[Message]:
        """Messages that are due; waits for the first."""
        deadline = time.monotonic() + wait_seconds
        with self._condition:
            while not self._heap or self._heap[0].due > time.monotonic():
                until = min(deadline, self._heap[0].due) if self._heap else deadline
                if time.monotonic() >= deadline:
                    return []
                self._condition.wait(max(0.001, until - time.monotonic()))
            taken: list[Message] = []
            while self._heap and len(taken) < limit and self._heap[0].due <= time.monotonic():
                message = heapq.heappop(self._heap)
                del self._waiting[message.key]
                taken.append(message)
            return taken

    def give_again(self, message: Message) -> None:
        """After a failure: later, and at last not at all. The bucket scan still finds what was given up."""
        if message.receives + 1 >= MAX_RECEIVES:
            logger().error("hint given up", key=message.key, receives=message.receives + 1)
            return
        self._put(
            message.key,
            delay_seconds=min(LONGEST_DELAY_SECONDS, 2.0**message.receives / 4),
            receives=message.receives + 1,
        )

    def event(self, messages: list[Message]) -> dict[str, Any]:
        """Those messages in the form in which a function gets them from SQS."""
        records = [
            {
                "messageId": str(message.order),
                "receiptHandle": str(message.order),
                "body": json.dumps(object_event(self._bucket, message.key)),
                "attributes": {"ApproximateReceiveCount": str(message.receives + 1)},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:local:000000000000:lockstep-ingest",
                "awsRegion": "local",
            }
            for message in messages
        ]
        return {"Records": records}

    def _put(self, key: str, *, delay_seconds: float, receives: int) -> None:
        message = Message(time.monotonic() + delay_seconds, next(self._numbers), key, receives)
        with self._condition:
            waiting = self._waiting.get(key)
            if waiting is not None and waiting.due <= message.due:
                return
            if waiting is not None:  # for another attempt: news of the object need not wait for that
                self._heap.remove(waiting)
                heapq.heapify(self._heap)
            self._waiting[key] = message
            heapq.heappush(self._heap, message)
            self._condition.notify()
