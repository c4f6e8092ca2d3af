"""Whether evidence is too weak to answer from: whether it speaks of what the question asks about.

Where a knowledge base holds the symptoms of a thousand diseases, those of one more are asked for in words that most of its
passages have, and their vectors lie near: what tells is the one name that no passage holds. Hence words count by how rare they
are in the knowledge base, and rare ones much more. A pair that asks something itself says by that what it is about: a word that
only its answer mentions counts half. Prose is asked for in other words than it has, so less of them is enough. Of what is put
otherwise the embedder tells, as far as it knows the language. A long question tells more than it asks about: there it is
enough that all that a pair's own question is about is mentioned.

The constants were found on the part of MedQuAD's topics that is for it (`relevance.topics`), and on XQuAD in Turkish, BioASQ,
PubMedQA and 2Wiki with their own corpora and with foreign ones: so that of each 0.9 are answered, and 0.8 abstained from.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from collections.abc import Set as AbstractSet

from functions.query.condensing import asks
from functions.query.ranking import Hit
from functions.query.retrieval import SearchResult
from functions.query.trust import LEAST
from shared.aliases import with_aliases
from shared.analysis import question_words, terms, words
from shared.domain import VECTOR_FIELDS, Evidence

Rarity = Callable[[Collection[Sequence[str]]], list[float]]  # of groups of terms: see `ReadingCatalog.rarity`

ENOUGH_OF_A_PAIR = 0.85  # of the question's words, each by the square of its rarity, where the pair asks something
ENOUGH_OF_A_TEXT = 0.3  # and where it is a passage under a heading
ANSWER_SHARE = 0.5  # what a word counts that a pair's answer has, and its question has not
MANY_WORDS = 8  # a question of more is long …
MENTIONED = 0.95  # … and has to hold so much of a pair's question, each word by the square of its rarity
SIMILARITY_WEIGHT = 1.5  # what a similarity of 1 more makes up for, of what is enough
NEUTRAL_SIMILARITY = 0.8  # above it the vectors speak for the evidence, below against


def is_weak(found: SearchResult, rarity: Rarity) -> bool:
    """Whether the hits are too far from the question to answer it. Without any they are."""
    return strength(found, rarity) < 1


def strength(found: SearchResult, rarity: Rarity) -> float:
    """How much the hits have to do with the question; from 1 on it is enough."""
    if not found.hits:
        return 0.0
    said = coverage(found.searched_for, [hit.evidence for hit in found.hits], rarity)
    similarities = [hit.parts[name].score for hit in found.hits for name in VECTOR_FIELDS if name in hit.parts]
    nearest = max(similarities, default=NEUTRAL_SIMILARITY)  # without an index words alone decide
    knowledge = (found.trust - LEAST) / (1 - LEAST)  # of the language
    strength = said + SIMILARITY_WEIGHT * knowledge * (nearest - NEUTRAL_SIMILARITY)
    is_long = sum(1 for _ in words(found.searched_for)) > MANY_WORDS
    return max(strength, 1.0) if is_long and mentions(found.searched_for, found.hits, rarity) else strength


def mentions(question: str, hits: Sequence[Hit], rarity: Rarity) -> bool:
    """Whether it speaks of all that the question of one of the pairs is about."""
    said = frozenset(terms(question))
    own = {hit.evidence.pair.question for hit in hits if asks(hit.evidence.pair.question)}
    return any(_share(weighed, said) >= MENTIONED for weighed in (_weighed(one, rarity) for one in own) if weighed)


def coverage(question: str, evidence: Sequence[Evidence], rarity: Rarity) -> float:
    """How much of the question's words one passage has, the best one, of what is enough."""
    weighed = _weighed(question, rarity)
    return max(_held_by(one, weighed) for one in evidence) if weighed else 0.0


_Word = Sequence[tuple[Sequence[str], float]]  # its alternatives, each with its rarity, the most exact ones first


def _weighed(question: str, rarity: Rarity) -> list[_Word]:
    """Its words; none where no passage could stand out by them."""
    asked = question_words(question)
    rarities = iter(rarity([forms for word in asked for forms in word]))
    weighed: list[_Word] = [[(forms, next(rarities)) for forms in word] for word in asked]
    return weighed if any(word[0][1] for word in weighed) else []


def _held_by(evidence: Evidence, words: Sequence[_Word]) -> float:
    asked = with_aliases(evidence.pair.question, evidence.pair.metadata.extra)
    everything = _share(words, frozenset(terms(f"{asked}\n{evidence.text}")))
    if not asks(evidence.pair.question):
        return everything / ENOUGH_OF_A_TEXT
    of_question = _share(words, frozenset(terms(asked)))
    return (of_question + ANSWER_SHARE * (everything - of_question)) / ENOUGH_OF_A_PAIR


def _share(words: Sequence[_Word], said: AbstractSet[str]) -> float:
    """Of a word that only begins as one that is there, no more counts than how rare such beginnings are."""
    held = (
        max((min(word[0][1], weight) for forms, weight in word if said & set(forms)), default=0.0) for word in words
    )
    return sum(weight**2 for weight in held) / sum(word[0][1] ** 2 for word in words)
