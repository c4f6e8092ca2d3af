"""The words of the design as frozen values. Nothing here knows a vendor, a clock or a network."""

from typing import TYPE_CHECKING

from shared.domain.audit import KEY_SPACE, Drift, KeyRange, MarkerState, ProvenMarker, StoredRow
from shared.domain.bots import Bot, BotSettings, Collection, EmbedderModel
from shared.domain.content import (
    HEADING_SEPARATOR,
    VECTOR_FIELDS,
    Accepted,
    EmbeddableText,
    IndexRow,
    Metadata,
    OwnPair,
    Pair,
    Passage,
    Relation,
    Source,
    StagedPair,
    StagedPassage,
    Vectors,
)
from shared.domain.deletes import Buried, Deletion, LivePair
from shared.domain.filters import LABELS, Fields, Filter, admits, alternatives, share_met
from shared.domain.graph import (
    ADDRESS,
    CONFIDENCES,
    PAIRS_PER_ID,
    SIMILAR,
    SIMILAR_PER_PAIR,
    Bearer,
    Edge,
    FirstPassage,
    GraphLimits,
    Name,
    Neighbourhood,
    Uncompared,
    edge_by_name,
)
from shared.domain.hashes import qa_id_of, sha256_of, sha256_of_file, uuid_or_none
from shared.domain.markers import ChangeProgress, Claim, Marker, Proof, Wanted
from shared.domain.objects import ObjectVersion, Observation, SeenObject, Staged
from shared.domain.operating import DocumentStatus, Gauges, GenerationStatus, Notice, Outcome, Reopened
from shared.domain.questions import Candidate, Evidence, QueryLog, Votes

if TYPE_CHECKING:
    from shared.domain.content import Vector as Vector

__all__ = [
    "ADDRESS",
    "CONFIDENCES",
    "HEADING_SEPARATOR",
    "KEY_SPACE",
    "LABELS",
    "PAIRS_PER_ID",
    "SIMILAR",
    "SIMILAR_PER_PAIR",
    "VECTOR_FIELDS",
    "Accepted",
    "Bearer",
    "Bot",
    "BotSettings",
    "Buried",
    "Candidate",
    "ChangeProgress",
    "Claim",
    "Collection",
    "Deletion",
    "DocumentStatus",
    "Drift",
    "Edge",
    "EmbeddableText",
    "EmbedderModel",
    "Evidence",
    "Fields",
    "Filter",
    "FirstPassage",
    "Gauges",
    "GenerationStatus",
    "GraphLimits",
    "IndexRow",
    "KeyRange",
    "LivePair",
    "Marker",
    "MarkerState",
    "Metadata",
    "Name",
    "Neighbourhood",
    "Notice",
    "ObjectVersion",
    "Observation",
    "Outcome",
    "OwnPair",
    "Pair",
    "Passage",
    "Proof",
    "ProvenMarker",
    "QueryLog",
    "Relation",
    "Reopened",
    "SeenObject",
    "Source",
    "Staged",
    "StagedPair",
    "StagedPassage",
    "StoredRow",
    "Uncompared",
    "Vectors",
    "Votes",
    "Wanted",
    "admits",
    "alternatives",
    "edge_by_name",
    "qa_id_of",
    "sha256_of",
    "sha256_of_file",
    "share_met",
    "uuid_or_none",
]
