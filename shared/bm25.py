"""BM25, the ranking function of search by words.

Robertson and Zaragoza (2009), The Probabilistic Relevance Framework: BM25 and Beyond; idf as Lucene has it, never negative.
The SQL that ranks is given the two constants as parameters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

# Measured through all signals: on no set is a k1 of 0.9 better by more than .0005 in nDCG@10, and on the few questions of
# LiveQA it is .03 worse; a b of 0.75 is .009 worse on 300 questions of BioASQ, .004 better on MedQuAD's synonyms.
K1 = 1.2  # how soon a further occurrence of a term counts for nothing
B = 0.4  # how much long passages are held back


def inverse_document_frequency(passages: int, containing: int) -> float:
    """The weight of a term that `containing` of all `passages` hold."""
    containing = min(containing, passages)
    return math.log(1 + (passages - containing + 0.5) / (containing + 0.5))


def term_score(occurrences: float, term_count: int, mean_terms: float) -> float:
    """What a term adds to a passage's score, before it is multiplied with the term's weight; `term_count` is the length."""
    norm = K1 * (1 - B + B * term_count / mean_terms)
    return occurrences * (K1 + 1) / (occurrences + norm)


def weights_of(asked: Iterable[Sequence[str]], passages: int, containing: Mapping[str, int]) -> dict[str, float]:
    """The weight of each term; forms of one word weigh the same, however rare one of them is.

    `containing` says in how many of all passages a term occurs.
    """
    weights: dict[str, float] = {}
    for forms in asked:
        weight = inverse_document_frequency(passages, sum(containing.get(form, 0) for form in forms))
        for form in forms:
            weights.setdefault(form, weight)
    return weights
