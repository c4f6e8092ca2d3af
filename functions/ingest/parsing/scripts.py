"""Encodings of scripts other than Latin, told by how their bytes pair up and by the letters that come most often."""

from __future__ import annotations

import re

_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_KANA = re.compile("[\u3041-\u30ff]")
_EASTERN = re.compile("[\u3000-\u9fff\uff00-\uffef]")
_THAI_RUN = re.compile("[\u0e01-\u0e5b]+")
# A vowel that is written before its consonant, the consonant, what stands above, below and after it; signs.
_THAI_SYLLABLE = re.compile("[เ-ไ]?[ก-ฮ][ัิ-ฺ็-๎]*[ะาำๅ]?|[ฯ฿ๆ๏-๛]")
# The letters that make up more than half of any text in the languages that an encoding serves.
_COMMON_LETTERS = (
    ("cp1251", "оеаинтсрвлі"),
    ("koi8_u", "оеаинтсрвлі"),
    ("cp866", "оеаинтсрвлі"),
    ("iso8859_5", "оеаинтсрвлі"),
    ("cp1253", "αοιετσνηςάίόέή"),
    ("cp1255", "יוהלאמרתבש"),
    ("cp1256", "الينموترهب"),
    ("iso8859_6", "الينموترهب"),
    ("cp874", "านรอกเงมยลวดท่้ัิี"),
)
# The marks of a wrong guess: a capital inside a word, and a word that mixes alphabets.
_CAPITAL_INSIDE = re.compile("[а-яёα-ώ][А-ЯЁΑ-Ω]")
_MIXED = re.compile("[A-Za-z](?=[^\\W\\d_A-Za-z])|[^\\W\\d_A-Za-z](?=[A-Za-z])")
_COMMON_SHARE = 0.5
_FEWEST_LETTERS = 3


def is_korean(sample: bytes) -> bool:
    """Nearly all bytes beyond ASCII pair up to the everyday syllables of KS X 1001, and not just once by chance."""
    high = sum(byte >= 0x80 for byte in sample)
    pairs = [run[index : index + 2] for run in _HIGH_RUN.findall(sample) for index in range(0, len(run), 2)]
    syllables = sum(len(pair) == 2 and 0xB0 <= pair[0] <= 0xC8 and pair[1] >= 0xA1 for pair in pairs)
    is_chance = syllables == 1 and re.search(rb"[A-Za-z][\x80-\xff]|[\x80-\xff][A-Za-z]", sample) is not None
    return syllables > 0 and not is_chance and syllables * 2 >= 0.85 * high


def encoding_by_letters(sample: bytes) -> str | None:
    """The encoding of text in Japanese, Thai, Cyrillic, Greek, Hebrew or Arabic letters; None if it is none of them."""
    if japanese := next(filter(lambda name: _is_japanese(_text(sample, name)), ("cp932", "euc_jp")), None):
        return japanese
    shares = [(_common_share(_text(sample, encoding), letters), encoding) for encoding, letters in _COMMON_LETTERS]
    share, encoding = max(shares, key=lambda found: found[0])
    is_likely = share >= _COMMON_SHARE and (encoding != "cp874" or _is_thai(_text(sample, encoding)))
    return encoding if is_likely else None


def _text(sample: bytes, encoding: str) -> str:
    return sample.decode(encoding, "replace")


def _is_japanese(text: str) -> bool:
    """No Japanese is without kana, and other scripts hardly hit their rows."""
    foreign = sum(character >= "\x80" for character in text)
    kana = len(_KANA.findall(text))
    return kana >= 2 and kana * 4 >= foreign and len(_EASTERN.findall(text)) >= 0.95 * foreign


def _is_thai(text: str) -> bool:
    """Nearly all of it can be read as syllables, and some of them have a vowel or a tone of their own."""
    foreign = sum(character >= "\x80" for character in text)
    runs = _THAI_RUN.findall(text)
    syllables = [syllable for run in runs for syllable in _THAI_SYLLABLE.findall(run)]
    read, marked = sum(map(len, syllables)), sum(len(syllable) > 1 for syllable in syllables)
    return read >= 0.97 * foreign and marked * 4 >= len(syllables)


def _common_share(text: str, common: str) -> float:
    """How much of what is beyond ASCII are the common letters."""
    foreign = "".join(character for character in text if character >= "\x80")
    wrong = len(_CAPITAL_INSIDE.findall(text)) + len(_MIXED.findall(text))
    count = sum(character in common for character in foreign.lower())
    return (count - wrong) / len(foreign) if len(foreign) >= _FEWEST_LETTERS else 0.0


def mixes_alphabets(text: str) -> bool:
    """Whether letters beyond ASCII stand beside ASCII's often: words of Latin letters, read wrongly."""
    return len(_MIXED.findall(text)) * 10 > sum(character >= "\x80" for character in text)
