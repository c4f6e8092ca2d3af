"""Any S3-compatible bucket, and SQS for hints."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote_plus

from shared.domain import ObjectVersion
from shared.errors import ConfigurationError, LockstepError, NotFoundError, ObjectChangedError, StoreUnavailableError
from shared.ports import PresignedUpload
from shared.resilience import Circuit, call_with_retries
from shared.settings import AddressingStyle

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from botocore.exceptions import ClientError
    from types_boto3_s3.client import S3Client
    from types_boto3_sqs.client import SQSClient

    T = TypeVar("T")

CONNECT_TIMEOUT_SECONDS = 3.0
READ_TIMEOUT_SECONDS = 12.0  # with RETRY_SECONDS before it less than a question has
_GONE = ("404", "NoSuchKey", "NotFound", "NoSuchVersion")
_CHANGED = ("412", "PreconditionFailed")
_SPOOL_BYTES = 8 << 20  # smaller objects stay in memory


class S3ObjectStore:
    """The port `ObjectStore` on AWS S3, Huawei OBS, MinIO or any other that speaks S3."""

    def __init__(
        self,
        bucket: str,
        *,
        prefix: str = "",
        endpoint_url: str | None = None,
        region: str | None = None,
        addressing_style: AddressingStyle = "auto",
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._endpoint_url = endpoint_url
        self._region = region
        self._addressing_style = addressing_style
        self._circuit = Circuit("bucket")

    def head(self, key: str) -> ObjectVersion | None:
        try:
            found = self._call(lambda s3: s3.head_object(Bucket=self._bucket, Key=self._prefix + key))
        except NotFoundError:
            self._check_bucket()
            return None
        return _version(key, found["ETag"], found["ContentLength"], found.get("VersionId"))

    def _check_bucket(self) -> None:
        """A HEAD says the same of a missing object and of a missing bucket, in which nothing was deleted."""
        try:
            with suppress(ConfigurationError):  # it is there, and not ours to list
                self._call(lambda s3: s3.head_bucket(Bucket=self._bucket))
        except NotFoundError:
            raise ConfigurationError(f"There is no bucket {self._bucket!r}: check its URL in the settings.") from None

    @contextmanager
    def open(self, version: ObjectVersion) -> Iterator[BinaryIO]:
        with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as copy:
            self._call(lambda s3: self._download(s3, version, copy))
            copy.seek(0)
            yield copy  # type: ignore[misc]  # it has every method of a binary file

    def _download(self, s3: S3Client, version: ObjectVersion, target: Any) -> None:
        target.seek(0)
        target.truncate()
        which: dict[str, Any] = {"VersionId": version.version_id} if version.version_id else {}
        found = s3.get_object(Bucket=self._bucket, Key=self._prefix + version.key, IfMatch=f'"{version.etag}"', **which)
        with closing(found["Body"]) as body:
            if found["ETag"].strip('"') != version.etag:  # not every vendor's store heeds If-Match
                raise ObjectChangedError(f"{version.key} changed before it was read.")
            for chunk in body.iter_chunks(1 << 20):
                target.write(chunk)

    def put(self, key: str, content: bytes | BinaryIO, *, content_type: str | None = None) -> ObjectVersion:
        extra: dict[str, Any] = {"ContentType": content_type} if content_type else {}

        def work(s3: S3Client) -> ObjectVersion:
            if not isinstance(content, bytes):
                content.seek(0)
            size = len(content) if isinstance(content, bytes) else _size(content)
            done = s3.put_object(Bucket=self._bucket, Key=self._prefix + key, Body=content, **extra)
            return _version(key, done["ETag"], size, done.get("VersionId"))

        return self._call(work)

    def delete(self, key: str) -> None:
        self._call(lambda s3: s3.delete_object(Bucket=self._bucket, Key=self._prefix + key))

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectVersion]:
        start: str | None = self._prefix + after if after else ""
        while start is not None:
            versions, start = self._call(functools.partial(self._list_page, prefix, start))
            yield from versions

    def _list_page(self, prefix: str, start: str, s3: S3Client) -> tuple[Sequence[ObjectVersion], str | None]:
        """One page, and where the next one starts."""
        page = s3.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix + prefix, StartAfter=start)
        found = page.get("Contents", [])
        versions = [_version(f["Key"][len(self._prefix) :], f["ETag"], f["Size"], None) for f in found]
        return versions, found[-1]["Key"] if page.get("IsTruncated") else None

    def presign_put(self, key: str, *, size: int, expires_in_seconds: int = 900) -> PresignedUpload:
        """The size is part of what is signed, so that no more and no less can be sent."""
        url = self._s3.generate_presigned_url(
            "put_object",
            Params={"Bucket": self._bucket, "Key": self._prefix + key, "ContentLength": size},
            ExpiresIn=expires_in_seconds,
        )
        return PresignedUpload(url, "PUT", {"Content-Length": str(size)}, expires_in_seconds)

    def presign_get(self, key: str, *, expires_in_seconds: int = 900) -> str:
        """It ends earlier where the credentials do that it is signed with."""
        url: str = self._s3.generate_presigned_url(
            "get_object", Params={"Bucket": self._bucket, "Key": self._prefix + key}, ExpiresIn=expires_in_seconds
        )
        return url

    @cached_property
    def _s3(self) -> S3Client:
        client: S3Client = _client("s3", self._endpoint_url, self._region, self._addressing_style)
        return client

    def _call(self, work: Callable[[S3Client], T]) -> T:
        def attempt() -> T:
            try:
                return work(self._s3)
            except Exception as error:
                raise _translate(error, "bucket") from error

        return call_with_retries(self._circuit, attempt)


class SqsHints:
    """The port `Hints` on SQS: in the form in which S3 itself tells of an object, so that ingest knows one form only."""

    def __init__(
        self, *, ingest_queue_url: str, sync_queue_url: str, bucket: str, prefix: str = "", region: str | None = None
    ) -> None:
        self._ingest_queue_url = ingest_queue_url
        self._sync_queue_url = sync_queue_url
        self._bucket = bucket
        self._prefix = prefix
        self._region = region
        self._circuit = Circuit("queue")

    def object_changed(self, key: str) -> None:
        self._send(self._ingest_queue_url, object_event(self._bucket, self._prefix + key))

    def sync_wanted(self) -> None:
        self._send(self._sync_queue_url, {"source": "lockstep", "detail-type": "sync wanted"})

    def _send(self, queue_url: str, message: dict[str, Any]) -> None:
        def attempt() -> None:
            try:
                self._sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps(message))
            except Exception as error:
                raise _translate(error, "queue") from error

        call_with_retries(self._circuit, attempt)

    @cached_property
    def _sqs(self) -> SQSClient:
        client: SQSClient = _client("sqs", None, self._region)
        return client


def object_event(bucket: str, key: str, *, name: str = "ObjectCreated:Put") -> dict[str, Any]:
    """An S3 event notification for one object, with what ingest reads of it."""
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": name,
        "s3": {"bucket": {"name": bucket}, "object": {"key": quote_plus(key)}},
    }
    return {"Records": [record]}


def _client(
    service: str, endpoint_url: str | None, region: str | None, addressing_style: AddressingStyle = "auto"
) -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ModuleNotFoundError:
        raise ConfigurationError(
            "An s3:// address needs boto3, which a laptop does without. Install it once: "
            ".venv/bin/python -m pip install -c constraints.txt -e '.[s3]'"
        ) from None

    config = Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"total_max_attempts": 1},  # ours come with a circuit
        signature_version="s3v4" if service == "s3" else None,
        s3={"addressing_style": addressing_style},
        # Other vendors' stores do not know the checksums that S3 adds of its own accord.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.session.Session().client(service, endpoint_url=endpoint_url, region_name=region, config=config)  # type: ignore[call-overload]


def _version(key: str, etag: str, size: int, version_id: str | None) -> ObjectVersion:
    return ObjectVersion(key, etag.strip('"'), size, None if version_id in (None, "null") else version_id)


def _size(content: BinaryIO) -> int:
    content.seek(0, 2)
    size = content.tell()
    content.seek(0)
    return size


def _translate(error: Exception, store: str) -> Exception:
    if isinstance(error, LockstepError):
        return error
    from botocore import exceptions

    if isinstance(error, exceptions.ClientError):
        return _translate_answer(error, store)
    mistakes = (
        exceptions.NoRegionError,
        exceptions.NoCredentialsError,
        exceptions.PartialCredentialsError,
        exceptions.ProfileNotFound,
        exceptions.ParamValidationError,
        exceptions.InvalidRegionError,
    )
    if isinstance(error, mistakes):
        return ConfigurationError(f"The {store} was not asked: {error} Check its URL, the region and the credentials.")
    if isinstance(error, exceptions.BotoCoreError | OSError):
        return StoreUnavailableError(f"The {store} did not answer ({type(error).__name__}).")
    return error


def _translate_answer(error: ClientError, store: str) -> Exception:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _GONE:
        return NotFoundError("There is no such object.")
    if code in _CHANGED:
        return ObjectChangedError()
    if status in (401, 403) or code in ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"):
        return ConfigurationError(f"The {store} refused the request ({code}): check the credentials and the policy.")
    if status >= 500 or code in ("SlowDown", "RequestTimeout", "Throttling", "ThrottlingException"):
        return StoreUnavailableError(f"The {store} could not answer ({code}).")
    return ConfigurationError(f"The {store} refused the request ({code}): {error}")
