"""From text to words: what a reader takes for the same word is the same here, whatever the keyboard.

Words are folded to lower case without diacritics and without the difference between dotted and dotless i; an ending behind an
apostrophe is cut off; a Greek letter that is a sign ("TNF-α") is spelt out. Scripts that write no spaces between words give runs
of characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# Thai, Lao; Burmese; Khmer; Kana; Han; Hangul; more of Han.
_BIGRAM_SCRIPTS = (
    ("\u0e00", "\u0eff"),
    ("\u1000", "\u109f"),
    ("\u1780", "\u17ff"),
    ("\u3040", "\u30ff"),
    ("\u3400", "\u4dbf"),
    ("\u4e00", "\u9fff"),
    ("\uac00", "\ud7a3"),
    ("\uf900", "\ufaff"),
)
_BIGRAM_RANGES = "".join(f"{first}-{last}" for first, last in _BIGRAM_SCRIPTS)
_INDIC_SIGNS = "\u0900-\u0963\u0971-\u0dff"  # vowel signs, which Unicode does not count as parts of words
WORD = re.compile(rf"[{_BIGRAM_RANGES}]+|(?:[^\W_{_BIGRAM_RANGES}]|[{_INDIC_SIGNS}])+")
_DIACRITICS = re.compile(
    "[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]"
)  # Hebrew, Arabic points too
_ENDING = re.compile(r"(?<=[^\W\d_]{3})['’ʼ][^\W\d_]{1,6}(?![^\W_])")  # Ankara'nın, Crohn's; but not l'eau
# Letters whose strokes are no diacritics to Unicode, and those that Arabic and Persian keyboards write in two ways.
_PLAIN_LETTERS = str.maketrans("ıđłøىیکة", "idloييكه")

_GREEK = "\u0370-\u03ff\u1f00-\u1fff"
# Not η and ο, which are words of Greek. Before a Latin letter, μ is a unit's.
_GREEK_SIGN = re.compile(rf"(?<![{_GREEK}])(?:[αβγδεζθικλνξπρστυφχψω]|μ(?![a-z]))(?![{_GREEK}])")
_GREEK_NAMES = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "δ": "delta",
    "ε": "epsilon",
    "ζ": "zeta",
    "θ": "theta",
    "ι": "iota",
    "κ": "kappa",
    "λ": "lambda",
    "μ": "mu",
    "ν": "nu",
    "ξ": "xi",
    "π": "pi",
    "ρ": "rho",
    "σ": "sigma",
    "τ": "tau",
    "υ": "upsilon",
    "φ": "phi",
    "χ": "chi",
    "ψ": "psi",
    "ω": "omega",
}

# Arabic: "and", "in", "as", "for" before an article are written together with it and its word. Hebrew: "and", "that". Words
# that only begin so lose it with an article and without one, hence again and again.
_ARTICLES = re.compile("(?:[وف]?(?:[بك]?ال(?=.{2})|لل(?=.{3})))+|(?:[וש]?ה(?=.{3}))+")


def fold(text: str) -> str:
    """The text in lower case and in one spelling of each character, Greek signs spelt out."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return folded if folded.isascii() else _GREEK_SIGN.sub(_spelt_out, folded)


def _spelt_out(sign: re.Match[str]) -> str:
    """A word of its own beside letters ("IFNγ"), but one with a number ("β2")."""
    before, after = sign.string[: sign.start()][-1:], sign.string[sign.end() : sign.end() + 1]
    return f"{' ' * before.isalpha()}{_GREEK_NAMES[sign[0]]}{' ' * after.isalpha()}"


def words_of(folded: str) -> list[str]:
    """The words of a folded text, without diacritics."""
    plain = _ENDING.sub("", folded)
    if not plain.isascii():
        plain = unicodedata.normalize("NFKD", plain.translate(_PLAIN_LETTERS))
        plain = unicodedata.normalize("NFKC", _DIACRITICS.sub("", plain))
    return WORD.findall(plain)


def marked_words_of(folded: str) -> list[str]:
    """The same words with their diacritics, where those part no word."""
    return WORD.findall(_ENDING.sub("", folded))


def is_run(word: str) -> bool:
    """Whether it is of a script that writes no spaces. A pattern for it would take longer to compile than most questions."""
    first = word[0]
    return first >= _BIGRAM_SCRIPTS[0][0] and any(low <= first <= high for low, high in _BIGRAM_SCRIPTS)


def is_han(character: str) -> bool:
    """Whether the character is a whole word in many texts: of Chinese, and of Japanese."""
    return "\u3400" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff"


def pairs_of(run: str) -> Iterator[str]:
    """The pairs of neighbouring characters of a run; a single one is itself."""
    return (run[i : i + 2] for i in range(max(1, len(run) - 1)))


def without_articles(word: str) -> str:
    """An Arabic or Hebrew word without the articles that are written together with it."""
    articles = _ARTICLES.match(word)
    return word[articles.end() :] if articles else word
