"""Every setting, typed, from the environment. This is the only module that reads it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from shared.errors import ConfigurationError

PREFIX = "LOCKSTEP_"
NOT_SETTINGS = ("LOCKSTEP_STATE", "LOCKSTEP_URL", "LOCKSTEP_TEST_DATA")  # of the command line and the tests

AddressingStyle = Literal["auto", "virtual", "path"]


class Settings(BaseModel):
    """One field per variable: `postgres_url` is LOCKSTEP_POSTGRES_URL. Empty variables count as absent."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())

    postgres_url: Annotated[
        SecretStr, Field(description="postgresql://user:password@host/database?sslmode=verify-full")
    ]
    postgres_direct_url: SecretStr | None = Field(
        default=None, description="the same database without a transaction-mode pooler; for migrations and partitions"
    )
    milvus_uri: str = Field(description="https://… of Zilliz Cloud, or http://host:19530 of a Milvus server")
    milvus_token: SecretStr = SecretStr("")
    index_profile: Literal["auto", "small", "medium", "large"] = "auto"
    index_metric: Literal["COSINE", "IP", "L2"] = "COSINE"

    bucket_url: str = Field(description="s3://bucket/prefix or file:///folder, where documents are uploaded")
    backup_url: str | None = Field(default=None, description="s3://bucket/prefix or file:///folder, for snapshots")
    backup_objects: bool | None = Field(
        default=None, description="copy the uploaded files into snapshots; default: only where the bucket is a folder"
    )
    backup_days: float = Field(default=30.0, gt=0, description="how many days a snapshot is kept")
    backup_minimum: int = Field(default=3, ge=1, description="how many of the newest snapshots are kept, however old")
    s3_endpoint_url: str | None = Field(default=None, description="of an S3-compatible store other than AWS")
    s3_region: str | None = None
    s3_addressing_style: AddressingStyle = Field(
        default="auto",
        description="virtual: bucket.endpoint, path: endpoint/bucket, auto: virtual on AWS, path elsewhere",
    )
    ingest_queue_url: str | None = None
    sync_queue_url: str | None = None
    upload_url: str = Field(default="", description="where a folder's gateway takes presigned uploads")
    upload_signing_key: SecretStr = SecretStr("")

    model_path: Path = Field(default=Path("/opt/model"), description="the folder of the exported embedder")
    next_model_path: Path | None = Field(
        default=None, description="the folder of the embedder that bots are moving to; both are served meanwhile"
    )
    reranker_path: Path | None = Field(
        default=None, description="the folder of a cross-encoder that orders the best hits anew; none: nothing does"
    )
    reranker_hits: int = Field(default=30, ge=1, le=200, description="how many of the best hits it reads")
    reranker_timeout_seconds: float = Field(default=2.0, gt=0, description="then the order stays as it was")
    embedder_threads: int = Field(default=0, ge=0, description="0: one per core")

    api_key: SecretStr | None = Field(default=None, description="asked of every request when it is set")
    public: bool = Field(default=False, description="others can reach it: refuse to start without an API key")
    allowed_hosts: str = Field(default="*", description="Host headers that are served, separated by commas")
    allowed_origins: str = Field(default="", description="Origin headers that are served, separated by commas")
    llm_base_url: str | None = Field(default=None, description="of any OpenAI-compatible API")
    llm_api_key: SecretStr | None = None
    llm_model: str = "gpt-5-mini"
    llm_timeout_seconds: float = Field(default=20.0, gt=0)
    llm_sections: int = Field(
        default=0, ge=0, description="of how many sections of prose of a document an LLM writes questions; 0: none"
    )
    llm_condense_seconds: float = Field(
        default=0.0, ge=0, description="how long an LLM may take to condense a long question; 0: it is not asked"
    )

    webhook_url: str | None = Field(
        default=None, description="https://…: is told of documents that went live, were rejected or failed"
    )
    webhook_secret: SecretStr = Field(default=SecretStr(""), description="what notices are signed with")
    metrics: Literal["none", "emf"] = Field(default="none", description="emf: into the log, for CloudWatch")

    max_object_mb: int = Field(default=200, gt=0, description="a larger object is rejected")
    log_retention_days: int = Field(
        default=90, ge=2, description="how long questions are kept, with their answers and who asked; the figures stay"
    )

    @property
    def backs_objects_up(self) -> bool:
        return self.bucket_url.startswith("file:") if self.backup_objects is None else self.backup_objects

    @property
    def direct_url(self) -> SecretStr:
        return self.postgres_direct_url or self.postgres_url


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process. Raises ConfigurationError, which names what is missing or wrong and shows no secret."""
    environment = os.environ if environment is None else environment
    values = {
        name[len(PREFIX) :].lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and name not in NOT_SETTINGS and value
    }
    if unknown := sorted(values.keys() - Settings.model_fields.keys()):
        raise ConfigurationError("\n".join(map(_suggest, unknown)))
    try:
        settings = Settings(**values)  # type: ignore[arg-type]
    except ValidationError as error:
        raise ConfigurationError(
            "\n".join(_explain(problem["loc"], problem["msg"]) for problem in error.errors())
        ) from None
    if settings.public and not (settings.api_key and settings.api_key.get_secret_value()):
        raise ConfigurationError(
            "LOCKSTEP_API_KEY is not set, and without it anybody could read and delete everything."
        )
    return settings


def _suggest(name: str) -> str:
    """A misspelt LOCKSTEP_API_KEY must not leave the API open."""
    near = get_close_matches(name, Settings.model_fields, n=1)
    meant = f": is {PREFIX}{near[0].upper()} meant?" if near else "; shared/settings.py has all settings."
    return f"{PREFIX}{name.upper()} is not a setting{meant}"


def _explain(location: tuple[int | str, ...], message: str) -> str:
    name = str(location[0])
    what = Settings.model_fields[name].description
    return f"{PREFIX}{name.upper()}: {message}{f' ({what})' if what else ''}"
