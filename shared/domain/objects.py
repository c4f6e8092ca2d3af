"""Objects of the bucket, and looks at them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from shared.domain.bots import Bot


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One content of one object in the bucket."""

    key: str
    etag: str
    size: int
    version_id: str | None = None

    @property
    def token(self) -> str:
        """Names this content; two looks with the same token saw the same bytes."""
        return f"{self.etag}@{self.version_id}" if self.version_id else self.etag


@dataclass(frozen=True, slots=True)
class Staged:
    """What looks that ran out of time have committed of a version."""

    generation: int
    version: str
    pairs: int  # the first of the document


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at an object, under a lease. Only the newest look of a document may commit."""

    bot: Bot
    document_id: UUID
    object_key: str
    epoch: int
    seen_version: str | None  # the last version that was accepted or rejected
    seen_hash: str | None  # sha256 of the content that is live or building
    is_known: bool = False  # something of it was seen or written before: its removal is a delete
    staged: Staged | None = None  # to go on with, if the object still has that version


@dataclass(frozen=True, slots=True)
class SeenObject:
    """What the catalog knows of an object in the bucket."""

    object_key: str
    seen_version: str | None  # None: this deployment never saw the object itself

    def is_version(self, version: ObjectVersion) -> bool:
        """Whether that is what was seen. A listing knows no version ids."""
        return self.seen_version is not None and self.seen_version.partition("@")[0] == version.etag
