"""Compares the bucket with the catalog, and raises a hint for every object that looks different.

It only hints: what happened to an object is observed by ingest. So a listing that is stale does no harm, and lost events
are found.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from shared.domain import Bot, ObjectVersion, SeenObject
from shared.errors import MismatchError
from shared.ports import DocumentCatalog, Hints, ObjectStore, Registry
from shared.steps import step
from shared.telemetry import logger

IDENTITY_KEY = ".lockstep/deployment.json"
SLICE = 1_000
LEASE_SECONDS = 60.0
RESERVE_SECONDS = 5.0
MAX_VANISHED_SHARE = 0.1  # more than this is a mistake of somebody's, not a deletion
ALWAYS_CREDIBLE = 10  # unless it is only a handful


def claim_bucket(bucket: ObjectStore, deployment_id: UUID, *, taken_from: UUID | None = None) -> None:
    """Write the deployment's id into a bucket that has none, or that of a deployment whose catalog is lost.

    Raises MismatchError if it is another deployment's.
    """
    owner = bucket_deployment(bucket)
    if owner is None or (taken_from is not None and owner == str(taken_from)):
        bucket.put(IDENTITY_KEY, json.dumps({"deployment_id": str(deployment_id)}).encode())
    check_bucket(bucket, deployment_id)


def check_bucket(bucket: ObjectStore, deployment_id: UUID) -> None:
    """Raises MismatchError unless the bucket says that it belongs to this deployment."""
    found = bucket_deployment(bucket)
    if found != str(deployment_id):
        whose = f"belongs to deployment {found}" if found else "belongs to no deployment"
        raise MismatchError(f"The bucket {whose}, this is {deployment_id}: nothing in it is compared or removed.")


def bucket_deployment(bucket: ObjectStore) -> str | None:
    """The deployment that the bucket says it belongs to; None if it says nothing. Raises MismatchError for nonsense."""
    version = bucket.head(IDENTITY_KEY)
    if version is None:
        return None
    with bucket.open(version) as file:
        content = file.read(1000)
    try:
        return str(UUID(json.loads(content)["deployment_id"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MismatchError(
            f"{IDENTITY_KEY} in the bucket is damaged: nothing in it is compared or removed."
        ) from error


@dataclass(slots=True)
class Scan:
    """One bot's scan, which goes on where the last invocation stopped."""

    after: str = ""
    documents: int = 0
    vanished: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class BucketScan:
    """Scans bot after bot."""

    registry: Registry
    documents: DocumentCatalog
    bucket: ObjectStore
    hints: Hints
    time_left: Callable[[], float]
    holder: UUID

    def scan(self, bot: Bot) -> bool:
        """Returns whether the scan came to its end. Does nothing while another worker scans the bot."""
        name = f"scan:{bot.bot_id}"
        progress = self.registry.claim_lease(name, self.holder, LEASE_SECONDS)
        if progress is None:
            return True
        scan = Scan(**progress)
        try:
            is_finished = self._go_on(bot, scan, name)
        finally:
            self.registry.release_lease(name, self.holder)
        return is_finished

    def _go_on(self, bot: Bot, scan: Scan, name: str) -> bool:
        while self.time_left() > RESERVE_SECONDS:
            has_more = self._compare_slice(bot, scan)
            step("scan.slice-compared")
            if not has_more:
                self._report_vanished(bot, scan)
                scan = Scan()
            self.registry.save_progress(name, self.holder, _progress(scan))
            step("scan.progress-saved")
            if not has_more:
                return True
            self.registry.claim_lease(name, self.holder, LEASE_SECONDS)
        return False

    def _compare_slice(self, bot: Bot, scan: Scan) -> bool:
        """Compare the next stretch of keys; returns whether there may be more."""
        listed = _take(self.bucket.list(f"{bot.slug}/", after=scan.after), SLICE)
        known = self.documents.seen_objects(bot, after=scan.after, limit=SLICE)
        # Beyond the end of the shorter stretch only one side has been read.
        ends = [side[-1] for side in ([v.key for v in listed], [k.object_key for k in known]) if len(side) == SLICE]
        end = min(ends, key=str.encode) if ends else None
        in_bucket = {v.key: v for v in listed if end is None or v.key.encode() <= end.encode()}
        in_catalog = {k.object_key: k for k in known if end is None or k.object_key.encode() <= end.encode()}
        for key, version in in_bucket.items():
            if not _is_known(in_catalog.get(key), version):
                self.hints.object_changed(key)
        scan.vanished += [k.object_key for k in in_catalog.values() if k.seen_version and k.object_key not in in_bucket]
        scan.documents += len(in_catalog)
        scan.after = end or scan.after
        return end is not None

    def _report_vanished(self, bot: Bot, scan: Scan) -> None:
        credible = max(ALWAYS_CREDIBLE, MAX_VANISHED_SHARE * scan.documents)
        if len(scan.vanished) > credible:
            logger().error(
                "too many objects have vanished from the bucket: none of their documents is removed",
                bot=bot.slug,
                vanished=len(scan.vanished),
                documents=scan.documents,
            )
            return
        for key in scan.vanished:
            self.hints.object_changed(key)


def _is_known(seen: SeenObject | None, version: ObjectVersion) -> bool:
    return seen is not None and seen.is_version(version)


def _take(versions: Iterator[ObjectVersion], limit: int) -> list[ObjectVersion]:
    return [version for version, _ in zip(versions, range(limit), strict=False)]


def _progress(scan: Scan) -> dict[str, Any]:
    return {
        "after": scan.after,
        "documents": scan.documents,
        "vanished": scan.vanished,
    }
