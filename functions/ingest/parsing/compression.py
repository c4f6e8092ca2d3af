"""Compressed files: gzip as a stream, zip containers looked over before a library unpacks them; bombs are refused."""

from __future__ import annotations

import copy
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, BinaryIO, cast

from functions.ingest.parsing import limits
from shared.errors import RejectedDocumentError

_PIECE_BYTES = 1 << 18
_GZIP_SIGNATURE = b"\x1f\x8b"


class _UnpackedGzip(io.RawIOBase):
    """The unpacked bytes of a gzip file, seekable back to its start, refusing to grow beyond the bound."""

    def __init__(self, file: BinaryIO) -> None:
        file.seek(0)
        self._gzip = gzip.GzipFile(fileobj=file, mode="rb")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._gzip.seek(offset, whence)

    def tell(self) -> int:
        return self._gzip.tell()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            piece = self._gzip.read(len(buffer))
        except (OSError, EOFError, zlib.error) as exc:
            if isinstance(exc, OSError) and exc.errno is not None:
                raise
            raise RejectedDocumentError("The gzip file is damaged or cut off; compress it again.") from exc
        if self._gzip.tell() > limits.MAX_UNCOMPRESSED_BYTES:
            raise _too_large(limits.MAX_UNCOMPRESSED_BYTES)
        buffer[: len(piece)] = piece
        return len(piece)


def is_gzip(file: BinaryIO) -> bool:
    file.seek(0)
    return file.read(2) == _GZIP_SIGNATURE


def open_gzip(file: BinaryIO) -> BinaryIO:
    """The unpacked content as a file of its own; reading it raises RejectedDocumentError when damaged or too large."""
    unpacked = cast(BinaryIO, io.BufferedReader(_UnpackedGzip(file), _PIECE_BYTES))
    # Formats that need to be read at any place would unpack the whole file again and again.
    if unpacked.read(4).startswith((_GZIP_SIGNATURE, b"PK\x03\x04", b"%PDF", b"\xd0\xcf\x11\xe0")):
        raise RejectedDocumentError("Only text files can be read gzipped; unpack the file and upload what is inside.")
    return unpacked


def check_archive(archive: zipfile.ZipFile) -> None:
    """Refuse a zip whose members unpack to more than the bound, whatever sizes their headers declare."""
    total = 0
    for member in archive.infolist():
        before, is_tree = total, member.filename.startswith("word/") and member.filename.lower().endswith(".xml")
        for piece in unpacked_pieces(archive, member):
            total += len(piece)
            if total > limits.MAX_ARCHIVE_BYTES:
                raise _too_large(limits.MAX_ARCHIVE_BYTES)
            if is_tree and total - before > limits.MAX_XML_BYTES:
                raise _too_large(limits.MAX_XML_BYTES)


def unpacked_pieces(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """A member's bytes until its compressed data ends; zipfile itself would stop at the declared size."""
    if member.flag_bits & 1:
        raise RejectedDocumentError("The file is password-protected; remove the password and upload it again.")
    raw = copy.copy(member)
    raw.compress_type, raw.file_size = zipfile.ZIP_STORED, member.compress_size
    raw.CRC = None  # type: ignore[assignment]  # of the unpacked bytes, so it cannot hold for these
    with archive.open(raw) as stream:
        if member.compress_type == zipfile.ZIP_STORED:
            while piece := stream.read(_PIECE_BYTES):
                yield piece
        elif member.compress_type == zipfile.ZIP_DEFLATED:
            yield from _inflate(stream)
        else:
            raise RejectedDocumentError("The file is packed in a way that is not supported; save it again.")


def _inflate(stream: IO[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    while packed := stream.read(_PIECE_BYTES):
        while packed:
            yield inflater.decompress(packed, _PIECE_BYTES)
            packed = inflater.unconsumed_tail
    yield inflater.flush()


def _too_large(bound: int) -> RejectedDocumentError:
    return RejectedDocumentError(
        f"The file is too large when uncompressed (more than {bound >> 20} MB); split it into smaller files."
    )
