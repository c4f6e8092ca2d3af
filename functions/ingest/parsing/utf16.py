"""UTF-16 without a byte order mark: which of the two byte orders, if any, makes sense of these bytes?"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

_SAMPLE_BYTES = 1 << 14
# Text of any other encoding has hardly any of these; in UTF-16 even a blank or an ideographic full stop brings one.
_CONTROL_BYTES = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_PRINTABLE_BYTES = re.compile(rb"[\t\n\r -~]")
_PLAIN = re.compile("[\t\n\r -~、。「」！，．：；？\u3000،؛؟।]")  # stands between the words of any text
_PLAIN_SHARE = 0.02
_STRANGE_SHARE = 0.02
_STRANGE = {"Cc", "Cn", "Co", "Cs"}
_MAX_SCRIPTS = 3
_HAN = "CJK"
_JAPANESE = {"HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HALFWIDTH", "IDEOGRAPHIC"}


@dataclass(frozen=True, slots=True)
class _Reading:
    encoding: str
    plain: int  # characters
    makes_sense: bool


def utf16_order(head: bytes) -> str | None:
    """The codec for `head`, the start of a file, if it is UTF-16 without a mark; None if it is anything else."""
    sample = head[: _SAMPLE_BYTES & ~1]
    if not _CONTROL_BYTES.search(sample):
        return None
    is_ascii = len(_PRINTABLE_BYTES.findall(sample)) >= 0.8 * len(sample)
    readings = [_read(sample, encoding, is_ascii) for encoding in ("utf-16-le", "utf-16-be")]
    best = max(readings, key=lambda reading: (reading.makes_sense, reading.plain))
    return best.encoding if best.makes_sense else None


def _read(sample: bytes, encoding: str, is_ascii: bool) -> _Reading:
    """A reading makes sense by what stands between words, and by letters that exist, of few scripts.

    Two letters of ASCII make one Chinese character, so bytes that are nearly all ASCII are no Chinese.
    """
    text = sample.decode(encoding, "replace")
    plain = len(_PLAIN.findall(text))
    strange = sum(character == "\ufffd" or _is_strange(character) for character in text)
    scripts = Counter(_script(character) for character in text if character.isalpha())
    others = sum(scripts.values()) - scripts["LATIN"]
    del scripts["LATIN"]
    usual = sum(count for _, count in scripts.most_common(_MAX_SCRIPTS))
    is_of_few_scripts = usual >= 0.9 * others and not (is_ascii and scripts[_HAN] * 2 > len(text))
    has_plain = plain > 0 and plain >= _PLAIN_SHARE * len(text)
    return _Reading(encoding, plain, has_plain and strange <= max(1, _STRANGE_SHARE * len(text)) and is_of_few_scripts)


def _is_strange(character: str) -> bool:
    return unicodedata.category(character) in _STRANGE and character not in "\t\n\r"


def _script(letter: str) -> str:
    """The first word of the letter's name: "CYRILLIC", "HANGUL", "CJK"."""
    script = unicodedata.name(letter, "?").split(" ", 1)[0]
    return "KANA" if script in _JAPANESE else script
