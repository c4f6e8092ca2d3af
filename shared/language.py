"""The language of a text: by its script, and where several languages share one, by their commonest words and own letters.

A text that does not say enough has no language here: a wrong one would hide a pair from whoever filters by it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

SAMPLE_CHARACTERS = 1_000
_MIN_WORDS = 2  # that speak for the language …
_MIN_SHARE = 0.08  # … and their share of all words
_MIN_LEAD = 1.3  # times as many as speak for the next language
_MIN_SCRIPT_SHARE = 0.3  # of the letters: a Korean text names its drugs in Latin ones
_MIN_KANA_SHARE = 0.1  # no Japanese text is without them

_WORD = re.compile(r"[^\W\d_]+")
_SCRIPTS = {
    "hangul": re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]"),
    "kana": re.compile("[\u3041-\u30ff]"),
    "han": re.compile("[\u3400-\u4dbf\u4e00-\u9fff]"),
    "arabic": re.compile("[\u0600-\u06ff]"),
    "hebrew": re.compile("[\u0590-\u05ff]"),
    "greek": re.compile("[\u0370-\u03ff]"),
    "cyrillic": re.compile("[\u0400-\u04ff]"),
    "devanagari": re.compile("[\u0900-\u097f]"),
    "thai": re.compile("[\u0e00-\u0e7f]"),
    "latin": re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff]"),
}
_ONLY_LANGUAGE = {
    "hangul": "ko",
    "kana": "ja",
    "han": "zh",
    "hebrew": "he",
    "greek": "el",
    "devanagari": "hi",
    "thai": "th",
}
_SHARED_SCRIPTS = {"latin": "en tr de fr es it pt nl pl sv vi id", "cyrillic": "ru uk", "arabic": "ar fa"}
_COMMON_WORDS = {
    "en": "the of and to is that for with are was it as this you be have from or what how not can which by on an at does "
    "your when who why their will has were been do if there they we but may should in",
    "tr": "ve bir bu için ile da de olarak olan çok daha gibi kadar ne nasıl nedir mi mı mu mü değil var yok her en ama "
    "sonra ise veya göre olduğu tarafından hangi kaç kim zaman nerede neden ki olur edilir ya ancak",
    "de": "der die das und ist nicht mit für auf ein eine den von zu im dem des sich auch es werden wird sind wie was "
    "oder bei nach als aus kann wenn ich sie wir einen einer haben durch über zum zur",
    "fr": "le la les des et est une dans que pour qui pas sur avec ce il sont au du en par plus vous ne se ou être cette "
    "comment quelle quel aux elle nous mais ont leur peut un",
    "es": "el la los las de que y en es una por con para del se su al no lo como más un está son cómo qué cuál pero o "
    "este esta puede hay sus le ser",
    "it": "il di che è la per una con non sono della del si da nel come più i le al gli anche ma alla dei delle questo "
    "essere può cosa quando lo un dal",
    "pt": "o que de não uma os em para com do da é por mais as dos como se ao das um na no são foi ou você pode seu sua "
    "quando também à qual às",
    "nl": "de het een en van is dat niet te op voor met zijn aan er ook als bij maar hoe wat wordt kan door naar dit deze "
    "uw ik om uit worden over heeft",
    "pl": "nie jest się na to że w z do co jak i po od za ale przez dla są może które który czy tego jego oraz ich być lub",
    "sv": "och att det är som en på för av med inte till den har ett om kan man var från vid eller hur vad ska detta efter",
    "vi": "là và của có không được cho một các trong những với người này để khi từ đến bị như gì thế nào về",
    "id": "yang dan di untuk dengan adalah ini itu dari pada tidak atau dapat akan ke dalam oleh apa bagaimana anda juga",
    "ru": "и в не на что с по это как для от его или к из у за при но так может быть если чем все она они вы бы же который "
    "когда до",
    "uk": "і в не на що з по це як для від його або за при але так може бути якщо ні вони ви про які який коли до",
    "ar": "في من على إلى أن هو هي التي الذي هذا هذه ما لا عن مع كان كما أو هل كيف متى",
    "fa": "در از به که این است را با برای آن یک می های شود تا بر یا هم چه",
}
# Letters that no other language of the same script (of these) writes: a word with one speaks for its language too.
_OWN_LETTERS = {
    "tr": "ğış",
    "de": "ß",
    "es": "ñ",
    "pt": "ãõ",
    "pl": "łąęśźżćń",
    "sv": "å",
    "vi": "đơưạảấầẩậắằặẹẻẽếềểệỉịọỏốồổộớờởợụủứừửựỳỵỷỹ",
    "ru": "ыэё",
    "uk": "їєґ",
    "fa": "پچژگ",
}


def language_of(*texts: str) -> str | None:
    """The language of the texts together as an ISO 639-1 code, or None if they do not say enough."""
    sample = "\n".join(texts)[:SAMPLE_CHARACTERS]
    script = _script_of(sample)
    if script in _SHARED_SCRIPTS:
        return _by_words(_WORD.findall(_lower(sample)), script)
    return _ONLY_LANGUAGE.get(script)


def _script_of(text: str) -> str:
    """The script of most letters, but Latin only where no other has a fair share; nothing without letters."""
    counts = {name: len(letters.findall(text)) for name, letters in _SCRIPTS.items()}
    if counts["kana"] >= _MIN_KANA_SHARE * (counts["kana"] + counts["han"]):
        counts["kana"] += counts["han"]
    total = sum(len(letters.findall(text)) for letters in _SCRIPTS.values())
    latin = counts.pop("latin")
    other = max(counts, key=lambda name: counts[name])
    if counts[other] and counts[other] >= _MIN_SCRIPT_SHARE * total:
        return other
    return "latin" if latin else ""


def _lower(text: str) -> str:
    """As its own language does it: in Turkish, İ becomes i and I becomes ı."""
    is_turkish = any(letter in text for letter in "ığİĞ")
    return text.replace("I", "ı" if is_turkish else "i").replace("İ", "i").lower()


def _by_words(words: Sequence[str], script: str) -> str | None:
    weights: defaultdict[str, float] = defaultdict(float)
    counts: defaultdict[str, int] = defaultdict(int)
    for word in words:
        speakers = _speakers(word, script)
        for language in speakers:
            counts[language] += 1
            weights[language] += 1 / len(speakers)  # what several share tells little
    ranked = sorted(weights, key=lambda language: -weights[language])
    if not ranked:
        return None
    best = ranked[0]
    is_enough = counts[best] >= max(_MIN_WORDS, _MIN_SHARE * len(words))
    is_clear = len(ranked) == 1 or weights[best] >= _MIN_LEAD * weights[ranked[1]]
    return best if is_enough and is_clear else None


@lru_cache(maxsize=20_000)
def _speakers(word: str, script: str) -> tuple[str, ...]:
    """The languages of the script for which the word speaks."""
    languages = _SHARED_SCRIPTS[script].split()
    return tuple(known for known in languages if word in _COMMON[known] or not _OWN[known].isdisjoint(word))


_COMMON = {language: frozenset(words.split()) for language, words in _COMMON_WORDS.items()}
_OWN = {language: frozenset(_OWN_LETTERS.get(language, "")) for language in _COMMON_WORDS}
