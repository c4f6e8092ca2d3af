"""Object keys: `<bot slug>/<name>`. Names that people give are brought to NFC; keys that a store has stay as they are."""

from __future__ import annotations

import unicodedata
from uuid import UUID

from shared.errors import InvalidInputError

MAX_KEY_BYTES = 1024  # what S3 allows
CORRECTIONS = ".corrections"  # below a bot's prefix, where nobody's own names can be


def object_key(slug: str, name: str) -> str:
    """The key of a bot's object. Raises InvalidInputError for a name that could leave the bot's prefix or breaks a store."""
    name = unicodedata.normalize("NFC", name).replace("\\", "/").strip("/")
    if not name or any(not part or part.startswith(".") for part in name.split("/")):
        raise InvalidInputError(
            "The name is empty, or a part of it is empty or begins with a dot: use something like guides/kidney.pdf"
        )
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise InvalidInputError("The name holds control characters.")
    key = f"{slug}/{name}"
    if len(key.encode("utf-8")) > MAX_KEY_BYTES or any(len(part.encode("utf-8")) > 255 for part in name.split("/")):
        raise InvalidInputError("The name is too long: at most 1,024 bytes in all and 255 between slashes.")
    return key


def split_key(key: str) -> tuple[str, str]:
    """Slug and name of a key; both empty where the key is not of a bot."""
    slug, _, name = key.partition("/")
    return (slug, name) if slug and name and not slug.startswith(".") else ("", "")


def correction_key(slug: str, qa_id: UUID) -> str:
    """The key of the object that corrects a pair."""
    return f"{slug}/{CORRECTIONS}/{qa_id}.json"


def is_correction(key: str) -> bool:
    return split_key(key)[1].startswith(f"{CORRECTIONS}/")


def corrected_pair(key: str) -> UUID | None:
    """The pair that the object of that key corrects; None if the key names none."""
    name = split_key(key)[1].removeprefix(f"{CORRECTIONS}/").removesuffix(".json")
    try:
        qa_id = UUID(name)
    except ValueError:
        return None
    return qa_id if split_key(key)[1] == f"{CORRECTIONS}/{qa_id}.json" else None
