"""Which Latin alphabet do these bytes spell? A small model for texts too short for statistics ("Viele können")."""

from __future__ import annotations

# (encoding, the letters beyond ASCII that its language writes); the first of equals wins.
_WESTERN = "äöüßÄÖÜàâæçéèêëîïôœùûÿÀÂÇÉÈÊËÎÏÔŒÙÛáíñóúÁÍÑÓÚãõÃÕìòåøÅØÆ"
_CZECH = "áčďéěíňóřšťúůýžľĺŕôäÁČĎÉĚÍŇÓŘŠŤÚŮÝŽĽÔ"
_HUNGARIAN = "áéíóöőúüűÁÉÍÓÖŐÚÜŰ"
_POLISH = "ąćęłńóśźżĄĆĘŁŃÓŚŹŻ"
_ALPHABETS = (
    ("cp1252", "äöüßÄÖÜ"),  # German
    ("cp1252", "àâæçéèêëîïôœùûüÀÂÇÉÈÊËÎÏÔŒÙÛÜ"),  # French
    ("cp1252", "áéíñóúüÁÉÍÑÓÚÜ"),  # Spanish
    ("cp1252", "áàâãçéêíóôõúÁÀÂÃÇÉÊÍÓÔÕÚ"),  # Portuguese
    ("cp1252", "àèéìíòóùÀÈÉÌÒÙ"),  # Italian
    ("cp1252", "åäöæøéÅÄÖÆØ"),  # Nordic
    ("cp1254", "çğıöşüâîûÇĞİÖŞÜÂÎÛ"),  # Turkish
    ("cp1252", "áéíóúýþæðöÁÉÍÓÚÝÞÆÐÖ"),  # Icelandic
    ("cp1250", _HUNGARIAN),
    ("cp1250", _POLISH),
    ("cp1250", _CZECH),
    ("cp1250", "čćđšžČĆĐŠŽ"),  # Croatian, Slovene
    ("cp1250", "ăâîşţĂÂÎŞŢ"),  # Romanian
    ("iso8859_2", _POLISH),
    ("iso8859_2", _CZECH),
)
_PUNCTUATION = "“”„‘’‚–—…•€°§©®™«»·´¿¡×½¼¾²³µ±ªº‹›†‡\xa0"
# A letter of the West, but of no one language's: rarer, so it weighs less than a letter of the language at hand.
_WESTERN_WEIGHT = 0.7


def best_latin_encoding(sample: bytes) -> tuple[str, float]:
    """The likeliest single-byte encoding of text in Latin letters, and its score (1.0: every letter fits)."""
    scores = [(encoding, _score(sample.decode(encoding, "replace"), letters)) for encoding, letters in _ALPHABETS]
    scores.append(("cp1252", _score(sample.decode("cp1252", "replace"), _WESTERN) * _WESTERN_WEIGHT))
    return max(scores, key=lambda scored: scored[1])


def _score(text: str, letters: str) -> float:
    points, count = 0.0, 0
    previous = ""
    for character in text:
        if character >= "\x80":
            count += 1
            points += _points(character, letters)
            # "kÖnnen": a capital inside a word is the mark of a wrong guess.
            points -= character.isupper() and previous.islower()
        previous = character
    return points / count if count else 1.0


def _points(character: str, letters: str) -> float:
    if character in letters:
        return 1.0
    if character in _PUNCTUATION:
        return 0.5
    return -1.0 if character.isalpha() else -2.0
