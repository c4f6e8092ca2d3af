"""Whether evidence is too weak to answer from: whether it speaks of what the question asks about.

Where a knowledge base holds the symptoms of a thousand diseases, those of one more are asked for in words that most of its
passages have, and their vectors lie near: what tells is the one name that no passage holds. Hence words count by how rare they
are in the knowledge base, and rare ones much more. But a word that is rare there and everyday in the language ("kids", where
passages say "children") is no name, unless it is written as one: it counts next to nothing. The order of the embedder's
vocabulary tells how common a word is.

A pair that asks something itself says by that what it is about: a word that only its answer mentions counts less. Prose is asked
for in other words than it has, so less of them is enough. Vectors have a say as far as the embedder knows the language: what is
near is enough if it lacks no rare word; where it knows nothing of it, fewer words are. Prose that has all that is asked about,
a rare name included, may be farther. A long question tells more than it asks about: there it is enough that all that a pair's
own question is about is mentioned.

The constants were found on the part of MedQuAD's topics that is for it (`relevance.topics`), on XQuAD in Turkish, BioASQ and
2Wiki with their own corpora and with foreign ones, and on everyday questions (`relevance.everyday`): so that of what is there
0.9 are answered, and of what is not 0.8 abstained from. Questions in everyday words are answered less often.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from collections.abc import Set as AbstractSet
from math import hypot, inf, log

from functions.query.condensing import asks
from functions.query.ranking import Hit
from functions.query.retrieval import SearchResult
from functions.query.trust import LEAST
from shared.aliases import with_aliases
from shared.analysis import language_of, question_words, terms, words
from shared.domain import VECTOR_FIELDS, Evidence

Rarity = Callable[[Collection[Sequence[str]]], list[float]]  # of groups of terms: see `ReadingCatalog.rarity`
Place = Callable[[str], int | None]  # of a word: see `Embedder.vocabulary_place`

ENOUGH_OF_A_PAIR = 0.99  # of the question's words, each by the square of its rarity, where the pair asks something
ENOUGH_WITHOUT_VECTORS = 0.5  # the same in a language that the embedder does not know
ENOUGH_OF_A_TEXT = 0.27  # and where it is a passage under a heading
ANSWER_SHARE = 0.6  # what a word counts that a pair's answer has, and its question has not
MOST = 1.1  # of what is enough that counts: more does not make up for vectors that say otherwise
MOST_OF_ALL = 1.16  # the same of a passage under a heading that has all that is asked about …
ALL, RARE = 0.9, 6.5  # … that is so much of the words, one of which no more than one passage in 700 has
MANY_WORDS = 10  # a question of more is long …
MENTIONED = 0.95  # … and has to hold so much of a pair's question, each word by the square of its rarity
SIMILARITY_WEIGHT = 0.4  # what a similarity of 1 more makes up for, of what is enough
NEUTRAL_SIMILARITY = 0.75  # above it the vectors speak for the evidence, below against
NEAR = 0.48  # a similarity from which on a passage may say the same in other words …
LACKING = 2.2  # … if it lacks no more: the rarities of what is missing, as the length of a vector …
MENTIONED_SHARE = 0.4  # … in which a word that only the answer of a pair has is there to this part
KNOWLEDGE = 0.4  # of a language, from which on vectors may decide
EVERYDAY = 5_000  # words that come first in the vocabulary, which any text may use …
LEAST_RARITY = 0.1  # … and what they count as
RARITY_OF_PLACE = 2.0  # what a word may count more, e times further down
_WORD = re.compile(r"[^\W\d_]+")


def is_weak(found: SearchResult, rarity: Rarity, place: Place) -> bool:
    """Whether the hits are too far from the question to answer it. Without any they are."""
    return strength(found, rarity, place) < 1 and not says_the_same(found, rarity, place)


def says_the_same(found: SearchResult, rarity: Rarity, place: Place) -> bool:
    """Whether a hit is near the question and lacks no rare word of it, where the embedder knows the language."""
    if not found.hits or _knowledge(found) < KNOWLEDGE:
        return False
    asked = _weighed(found.searched_for, rarity, place)
    return any(_nearness(hit) >= NEAR and _missing(hit.evidence, asked) <= LACKING for hit in found.hits)


def strength(found: SearchResult, rarity: Rarity, place: Place) -> float:
    """How much the hits have to do with the question; from 1 on it is enough."""
    if not found.hits:
        return 0.0
    knowledge = _knowledge(found)
    enough = ENOUGH_OF_A_PAIR if knowledge >= KNOWLEDGE else ENOUGH_WITHOUT_VECTORS
    said = coverage(found.searched_for, [hit.evidence for hit in found.hits], rarity, place, enough)
    similarities = [hit.parts[name].score for hit in found.hits for name in VECTOR_FIELDS if name in hit.parts]
    nearest = max(similarities, default=NEUTRAL_SIMILARITY)  # without an index words alone decide
    most = MOST_OF_ALL if has_all(found, rarity, place) else MOST
    strength = min(said, most) + SIMILARITY_WEIGHT * knowledge * (nearest - NEUTRAL_SIMILARITY)
    is_long = sum(1 for _ in words(found.searched_for)) > MANY_WORDS
    return max(strength, 1.0) if is_long and mentions(found.searched_for, found.hits, rarity) else strength


def has_all(found: SearchResult, rarity: Rarity, place: Place) -> bool:
    """Whether a passage that asks nothing itself has the question's words, a rare one among them."""
    asked = _weighed(found.searched_for, rarity, place)
    if max((word[0][1] for word in asked), default=0.0) < RARE:
        return False
    texts = (hit.evidence for hit in found.hits if not asks(hit.evidence.pair.question))
    return any(_share(asked, _said_by(text)[1]) >= ALL for text in texts)


def mentions(question: str, hits: Sequence[Hit], rarity: Rarity) -> bool:
    """Whether it speaks of all that the question of one of the pairs is about."""
    said = frozenset(terms(question))
    own = {hit.evidence.pair.question for hit in hits if asks(hit.evidence.pair.question)}
    return any(_share(weighed, said) >= MENTIONED for weighed in (_weighed(one, rarity) for one in own) if weighed)


def coverage(
    question: str, evidence: Sequence[Evidence], rarity: Rarity, place: Place, enough: float = ENOUGH_OF_A_PAIR
) -> float:
    """How much of the question's words one passage has, the best one, of what is enough (of a pair `enough`)."""
    weighed = _weighed(question, rarity, place)
    return max(_held_by(one, weighed, enough) for one in evidence) if weighed else 0.0


_Word = Sequence[tuple[Sequence[str], float]]  # its alternatives, each with its rarity, the most exact ones first


def _weighed(question: str, rarity: Rarity, place: Place | None = None) -> list[_Word]:
    """Its words, none of them rarer than in the language; no words where no passage could stand out by them."""
    asked, names = question_words(question), _written_as_names(question)
    rarities = iter(rarity([forms for word in asked for forms in word]))
    weighed: list[_Word] = []
    for word, written in asked.items():
        most = _rarity_in_language(written, place) if place and written not in names else inf
        weighed.append([(forms, min(most, next(rarities))) for forms in word])
    return weighed if any(word[0][1] for word in weighed) else []


def _rarity_in_language(word: str, place: Place) -> float:
    """Endless for what may be a name: numbers, single characters, and words that the embedder knows only in pieces."""
    found = place(word) if word.isalpha() and len(word) > 1 else None
    return inf if found is None else max(LEAST_RARITY, RARITY_OF_PLACE * log(max(found, 1) / EVERYDAY))


def _written_as_names(question: str) -> frozenset[str]:
    """Its words that begin with a capital, the first one apart; none where most do, and in German, whose nouns all do."""
    written = _WORD.findall(question)
    capitals = [word for word in written[1:] if word[0].isupper() and word != "I"]
    if 2 * len(capitals) > len(written) or language_of(question) == "de":
        return frozenset()
    return frozenset(word for capital in capitals for word in words(capital))


def _knowledge(found: SearchResult) -> float:
    """How well the embedder knows the question's language, from 0 to 1."""
    return (found.trust - LEAST) / (1 - LEAST)


def _nearness(hit: Hit) -> float:
    """How near it is to the question: a pair that asks something itself by its question, prose by whichever vector."""
    fields = ["question"] if asks(hit.evidence.pair.question) else VECTOR_FIELDS
    return max((hit.parts[name].score for name in fields if name in hit.parts), default=0.0)


def _missing(evidence: Evidence, asked: Sequence[_Word]) -> float:
    """What it lacks of the question's words."""
    of_question, everything = _said_by(evidence)
    held = _held(asked, everything)
    if asks(evidence.pair.question):
        held = [max(own, MENTIONED_SHARE * all_) for own, all_ in zip(_held(asked, of_question), held, strict=True)]
    return hypot(*(word[0][1] - weight for word, weight in zip(asked, held, strict=True)))


def _held_by(evidence: Evidence, words: Sequence[_Word], enough: float) -> float:
    said_by_question, said = _said_by(evidence)
    everything = _share(words, said)
    if not asks(evidence.pair.question):
        return everything / ENOUGH_OF_A_TEXT
    of_question = _share(words, said_by_question)
    return (of_question + ANSWER_SHARE * (everything - of_question)) / enough


def _said_by(evidence: Evidence) -> tuple[frozenset[str], frozenset[str]]:
    """The terms of a pair's question with its other names, and those of all of it that was found."""
    asked = with_aliases(evidence.pair.question, evidence.pair.metadata.extra)
    return frozenset(terms(asked)), frozenset(terms(f"{asked}\n{evidence.text}"))


def _share(words: Sequence[_Word], said: AbstractSet[str]) -> float:
    return sum(weight**2 for weight in _held(words, said)) / sum(word[0][1] ** 2 for word in words)


def _held(words: Sequence[_Word], said: AbstractSet[str]) -> list[float]:
    """Of a word that only begins as one that is there, no more counts than how rare such beginnings are."""
    return [
        max((min(word[0][1], weight) for forms, weight in word if said & set(forms)), default=0.0) for word in words
    ]
