"""A folder as a bucket, for a laptop."""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import shutil
import tempfile
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, urlencode

from shared.domain import ObjectVersion
from shared.errors import ConflictError, InvalidInputError, NotFoundError, ObjectChangedError
from shared.keys import CORRECTIONS
from shared.ports import PresignedUpload

SETTLE_SECONDS = 0.3  # a file that changed more recently may still be being written
_TEMPORARY = ".uploading-"
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


class FolderObjectStore:
    """The port `ObjectStore`. A version is told by size, time and inode: the content is not read to know it.

    Files and folders whose name begins with a dot are not objects, but for the folder of a bot's corrections, and for those
    that are asked for by that name.
    """

    def __init__(self, root: Path, *, upload_url: str = "", signing_key: bytes = b"") -> None:
        self.root = root
        self._upload_url = upload_url
        self._signing_key = signing_key

    def head(self, key: str) -> ObjectVersion | None:
        path = self._path(key)
        try:
            state = path.stat()
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            raise
        return self._version(key, state) if path.is_file() else None

    @contextmanager
    def open(self, version: ObjectVersion) -> Iterator[BinaryIO]:
        """Waits until the file has stood still, and reads a copy, so that what is parsed is one version and no other."""
        path = self._path(version.key)
        with tempfile.TemporaryFile() as copy:
            try:
                with path.open("rb") as file:
                    _settle(path)
                    self._check(version, os.fstat(file.fileno()))
                    left = version.size  # a file that grows faster than it is read would have no end
                    while left > 0 and (chunk := file.read(min(left, 1 << 20))):
                        left -= copy.write(chunk)
                    self._check(version, os.fstat(file.fileno()))
            except FileNotFoundError:
                raise NotFoundError(f"There is no object {version.key}.") from None
            copy.seek(0)
            yield copy

    def _check(self, version: ObjectVersion, state: os.stat_result) -> None:
        if self._version(version.key, state) != version:
            raise ObjectChangedError(f"{version.key} changed while it was read.")

    def put(self, key: str, content: bytes | BinaryIO, *, content_type: str | None = None) -> ObjectVersion:
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return self._write(key, path, content)
        except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
            raise ConflictError(f"{key}: a file and a folder cannot have the same name here.") from error

    def _write(self, key: str, path: Path, content: bytes | BinaryIO) -> ObjectVersion:
        descriptor, temporary = tempfile.mkstemp(prefix=_TEMPORARY, dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                if isinstance(content, bytes):
                    file.write(content)
                else:
                    shutil.copyfileobj(content, file, 1 << 20)
                file.flush()
                os.fsync(file.fileno())
                version = self._version(key, os.fstat(file.fileno()))
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return version

    def delete(self, key: str) -> None:
        with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            self._path(key).unlink()

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectVersion]:
        keys = (key for key in self._keys(prefix) if key.startswith(prefix) and key.encode() > after.encode())
        for key in sorted(keys, key=str.encode):
            if version := self.head(key):
                yield version

    def presign_put(self, key: str, *, size: int, expires_in_seconds: int = 900) -> PresignedUpload:
        """A URL of the laptop's gateway, which checks the signature."""
        expires = int(time.time()) + expires_in_seconds
        query = urlencode({"size": size, "expires": expires, "signature": self._signature(key, size, expires)})
        url = f"{self._upload_url}/{quote(key)}?{query}"
        return PresignedUpload(url, "PUT", {"Content-Length": str(size)}, expires_in_seconds)

    def accepts(self, key: str, *, size: int, expires: int, signature: str) -> bool:
        """Whether `presign_put` gave out that signature and it has not expired."""
        if not self._signing_key:
            return False
        expected = self._signature(key, size, expires)
        return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")) and time.time() < expires

    def presign_get(self, key: str, *, expires_in_seconds: int = 900) -> str:
        """A URL of the laptop's gateway, which checks the signature."""
        expires = int(time.time()) + expires_in_seconds
        query = urlencode({"expires": expires, "signature": self._signature_of_get(key, expires)})
        return f"{self._upload_url}/{quote(key)}?{query}"

    def signed_file(self, key: str, *, expires: int, signature: str) -> Path | None:
        """The object's file, if `presign_get` of this very folder gave out that signature and it has not expired."""
        expected = self._signature_of_get(key, expires)
        is_signed = hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
        if not (self._signing_key and is_signed and time.time() < expires):
            return None
        path = self._path(key)
        return path if path.is_file() else None

    def _signature(self, key: str, size: int, expires: int) -> str:
        return self._signed(f"{key}\n{size}\n{expires}")

    def _signature_of_get(self, key: str, expires: int) -> str:
        """Several folders share the signing key. What an upload signs has a number in the second line, never a folder."""
        return self._signed(f"GET\n{self.root.resolve()}\n{key}\n{expires}")

    def _signed(self, message: str) -> str:
        return hmac.new(self._signing_key, message.encode("utf-8", "replace"), hashlib.sha256).hexdigest()

    def key_of(self, path: Path) -> str | None:
        """The key of a file below the folder; None if it is not an object."""
        return self._key_below(self.root, path, "")

    @staticmethod
    def _key_below(top: Path, path: Path, prefix: str) -> str | None:
        parts = path.relative_to(top).parts
        if any(_is_hidden(part) or not _is_unicode(part) for part in parts):
            return None
        return prefix + unicodedata.normalize("NFC", "/".join(parts))

    def _keys(self, prefix: str) -> Iterator[str]:
        """The keys in the folder that the prefix names, and below it."""
        inside = prefix.rpartition("/")[0]
        top = self._path(inside) if inside else self.root
        for folder, folders, files in os.walk(top):
            folders[:] = [name for name in folders if not _is_hidden(name)]
            for name in files:
                if key := self._key_below(top, Path(folder) / name, f"{inside}/" if inside else ""):
                    yield key

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise InvalidInputError(f"{key!r} is not an object's key.")
        path = self.root.joinpath(*parts)
        if not _exists(path):  # a file system may hold the name in another normal form
            decomposed = self.root.joinpath(*(unicodedata.normalize("NFD", part) for part in parts))
            return decomposed if _exists(decomposed) else path
        return path

    @staticmethod
    def _version(key: str, state: os.stat_result) -> ObjectVersion:
        return ObjectVersion(key, f"{state.st_size:x}-{state.st_mtime_ns:x}-{state.st_ino:x}", state.st_size)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") and name != CORRECTIONS


def _settle(path: Path) -> None:
    age = time.time() - path.stat().st_mtime
    if 0 <= age < SETTLE_SECONDS:
        time.sleep(SETTLE_SECONDS - age)  # if it changed meanwhile, the comparison of versions tells


def _exists(path: Path) -> bool:
    """Also for a name that is too long to exist: in the other normal form it may be three times as long."""
    try:
        return path.exists()
    except OSError as error:
        if error.errno in _ABSENT:
            return False
        raise


def _is_unicode(name: str) -> bool:
    """Whether the name can be a key. On Linux a file's name is bytes, which need not be text."""
    return not any("\ud800" <= character <= "\udfff" for character in name)
