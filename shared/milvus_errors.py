"""What Milvus and its client raise, in our words."""

from __future__ import annotations

from collections.abc import Iterator

from shared.errors import CollectionMissingError, ConfigurationError, RefusedRowError, StoreUnavailableError

_MISSING = 100
_NOT_LOADED = (101, 103, 201, 202)  # not loaded, not fully; the same of a partition
_REFUSED = (5, 6)  # Milvus Lite; a server uses 1100 to 1199
_NOT_AUTHORISED = (1400, 1401)


def translate(error: Exception) -> Exception:
    """The error of ours that it stands for; itself if it is ours already, or nobody's."""
    import grpc
    from pymilvus.exceptions import (
        DataNotMatchException,
        DataTypeNotMatchException,
        MilvusException,
        ParamError,
    )

    if not isinstance(error, MilvusException | grpc.RpcError):
        return error
    told = _told(error)
    if any(map(_is_of_credentials, _causes(error))):
        return ConfigurationError(
            f"Milvus refuses who asks, or what they may do ({told}): check LOCKSTEP_MILVUS_TOKEN."
        )
    code = _code(error)
    if code == _MISSING:
        return CollectionMissingError()
    is_refused = isinstance(error, ParamError | DataNotMatchException | DataTypeNotMatchException)
    if is_refused or code in _REFUSED or 1100 <= code < 1200:
        return RefusedRowError(f"The index refuses this: {told}")
    return StoreUnavailableError(f"The index did not answer: {told}")


def is_of_loading(error: Exception) -> bool:
    """Whether it says that the collection is not there, or not loaded: whoever loaded it must do so again."""
    return _code(error) in (_MISSING, *_NOT_LOADED)


def _code(error: Exception) -> int:
    """What Milvus calls it; 0 for anything else. Where its client gave up, that gives a code of gRPC's for one."""
    code = getattr(error, "code", 0)
    return int(code) if isinstance(code, int) else 0


def _told(error: Exception) -> str:
    import grpc

    if isinstance(error, grpc.Call):
        return f"{error.code().name}, {error.details()}"
    return str(getattr(error, "message", error))


def _is_of_credentials(error: BaseException) -> bool:
    import grpc

    code = getattr(error, "code", None)
    status = code() if callable(code) else code
    refusals = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED, *_NOT_AUTHORISED)
    return status in refusals or "auth check failure" in str(error)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it; pymilvus names some errors as their own cause."""
    cause: BaseException | None = error
    seen: list[BaseException] = []
    while cause is not None and cause not in seen:
        yield cause
        seen.append(cause)
        cause = cause.__cause__
