"""Measures the parts of a package and makes a zip of each: the same content gives the same bytes."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from infra.packaging.dependencies import PackagingError

MIB = 1 << 20
# The cloud takes 250 MiB for a function with its layers, unzipped. What is left is for what the project still grows by, and
# for a second model while bots move to it.
CLOUD_BYTES = 250 * MIB
LIMIT_BYTES = 200 * MIB
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can name


@dataclass(frozen=True, slots=True)
class Part:
    """The layer or a function: a folder, and the zip of it."""

    name: str
    folder: Path

    @property
    def archive(self) -> Path:
        return self.folder.with_suffix(".zip")

    @property
    def size(self) -> int:
        """Bytes, unzipped."""
        return sum(path.stat().st_size for path in files_of(self.folder))


def files_of(folder: Path) -> list[Path]:
    """Every file below the folder, in the one order that zips have."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def make_archive(part: Part) -> None:
    """Zip the part, unless its zip holds this very content already."""
    digest, record = content_digest(part.folder), part.folder.with_suffix(".sha256")
    if part.archive.exists() and record.exists() and record.read_text() == digest:
        return
    record.unlink(missing_ok=True)
    with zipfile.ZipFile(part.archive, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in files_of(part.folder):
            entry = zipfile.ZipInfo(path.relative_to(part.folder).as_posix(), _LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, path.read_bytes())
    record.write_text(digest)


def check_sizes(layer: Part, functions: Iterable[Part], limit: int = LIMIT_BYTES) -> None:
    """Raises PackagingError if a function together with the layer is larger than `limit`."""
    shared = layer.size
    for function in functions:
        if (total := shared + function.size) > limit:
            raise PackagingError(
                f"{function.name} with the layer is {total / MIB:.1f} MiB unzipped, more than {limit / MIB:.0f} MiB: see "
                f"what is large in {layer.folder} and {function.folder}, and what infra/packaging/pruning.py may remove."
            )


def content_digest(folder: Path) -> str:
    """sha256 over the names and contents of all files: what a zip of the folder depends on."""
    digest = hashlib.sha256()
    for path in files_of(folder):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()
