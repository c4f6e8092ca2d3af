"""What the children of `up` get from the shell that it was started in."""

from __future__ import annotations

import os
from pathlib import Path

from shared.settings import PREFIX, Settings

# What a person may choose for a laptop. The other settings that the shell holds are of another deployment, and not meant.
CHOOSABLE = (
    "API_KEY",
    "BACKUP_DAYS",
    "BACKUP_MINIMUM",
    "EMBEDDER_THREADS",
    "INDEX_METRIC",
    "LOG_RETENTION_DAYS",
    "MAX_OBJECT_MB",
    "RERANKER_HITS",
    "RERANKER_PATH",
    "RERANKER_TIMEOUT_SECONDS",
    "WEBHOOK_SECRET",
    "WEBHOOK_URL",
)
# What the packages of the cloud do too: pymilvus imports pandas and requests for next to nothing, and stand-ins of a few lines
# are enough; there are no plugins of pydantic to look for.
QUICK_START = {
    "PYTHONPATH": os.pathsep.join(
        filter(None, (str(Path(__file__).parents[1] / "packaging" / "stand_in"), os.environ.get("PYTHONPATH")))
    ),
    "PYDANTIC_DISABLE_PLUGINS": "__all__",
}


def shell() -> dict[str, str]:
    """The environment of the shell, without the settings of other deployments.

    A name that is no setting at all stays in it, so that it is refused: it may be a misspelt LOCKSTEP_API_KEY.
    """
    settings = {name.upper() for name in Settings.model_fields}
    left_out = {f"{PREFIX}{name}" for name in settings if name not in CHOOSABLE and not name.startswith("LLM_")}
    return {name: value for name, value in os.environ.items() if name not in left_out}
