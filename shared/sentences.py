"""Where sentences end. A full stop does not end one behind an abbreviation, an initial or a short number."""

from __future__ import annotations

import re
from collections.abc import Iterator

_CLOSING = "\"'”’»)\\]"
_CANDIDATE = re.compile(rf"(?<=[.!?…])[{_CLOSING}]*\s+|(?<=[。！？｡．])[」』）”’]*\s*")
_LAST_WORD = re.compile(r"[\w.]+$")
_INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")  # "J", "e.g", "z.B", "U.S"
_ORDINAL = re.compile(r"\d{1,2}|[IVX]{1,4}")  # "am 3. Oktober", "19. yüzyıl", "II. Mehmed", "1. Wash your hands"
_WORD_CHARACTERS = 20

# English; Turkish; German; French; Spanish, Portuguese; Italian; Dutch: without their last full stop.
_TITLES_AND_OTHERS = """
    dr mr mrs ms prof st sr jr rev hon gen capt lt sgt vs etc vols eds approx ca cf dept est inc ltd corp univ
    jan feb mar apr jun jul aug sep sept oct nov dec viz resp al
    doç yrd av sn bkz örn vb yy cad sok mah apt yay haz çev
    bzw evtl ggf inkl exkl zzgl usw usf vgl abs bd bsp hr fr dipl ing str tel geb gest jh sog
    mme mlle env
    sra srta dra ud uds ej dña exmo
    sigg dott ecc avv
    dhr mevr mw bijv enz blz
"""
_BEFORE_NUMBERS = "no nos nr fig figs art vol p pp abb tab eq ref refs ch chap sec pág págs núm pag sig §"  # also words
_ABBREVIATIONS = frozenset(_TITLES_AND_OTHERS.split())
_NUMBERED = frozenset(_BEFORE_NUMBERS.split())


def sentence_ends(text: str, begin: int, end: int) -> Iterator[int]:
    """The positions in text[begin:end] at which a sentence ends, the white space behind it included."""
    for found in _CANDIDATE.finditer(text, begin, end):
        if found.end() > begin and not _goes_on(text, found):
            yield found.end()


def _goes_on(text: str, candidate: re.Match[str]) -> bool:
    stop = candidate.start()
    if text[stop - 1] != ".":
        return False
    word = _LAST_WORD.search(text, max(0, stop - 1 - _WORD_CHARACTERS), stop - 1)
    if word is None:
        return False
    said = word[0]
    if _INITIALS.fullmatch(said) or _ORDINAL.fullmatch(said) or said.lower() in _ABBREVIATIONS:
        return True
    return said.lower() in _NUMBERED and text[candidate.end() : candidate.end() + 1].isdigit()
