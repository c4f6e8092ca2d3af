"""What a run is worth: the measures of ir_measures (trec_eval), with their uncertainty by scipy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.evaluation.judgements import Judgements
from infra.evaluation.run import Found
from shared.errors import ConfigurationError, InvalidInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

MEASURES = {"nDCG@10": "nDCG@10", "MRR@10": "RR@10", "MAP@10": "AP@10", "recall@10": "R@10", "recall@100": "R@100"}
ALL_GOLD = "all gold in the top {}"
_SEED = 1
_RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over questions, with its 95 % confidence interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better the second of two runs is, and how likely so large a difference is by chance alone."""

    mean: float
    p_value: float


def per_question(found: Sequence[Found], judgements: Judgements, *, all_gold_at: int) -> dict[str, dict[str, float]]:
    """Each measure's value for each question that was asked and judged; nothing found counts as zero.

    Raises InvalidInputError if no question is judged, ConfigurationError if the libraries are not installed.
    """
    measures = _ir_measures()
    asked = {one.question_id for one in found} & judgements.keys()
    if not asked:
        raise InvalidInputError(
            "None of the questions that were asked has a judgement: do both files use the same ids?"
        )
    qrels = [measures.Qrel(q, a, grade) for q in asked for a, grade in judgements[q].items()]
    ranked = [
        measures.ScoredDoc(one.question_id, answer_id, -float(rank))
        for one in found
        for rank, answer_id in enumerate(one.answer_ids)
    ]
    names = MEASURES | {ALL_GOLD.format(all_gold_at): f"R@{all_gold_at}"}
    values = {name: dict.fromkeys(sorted(asked), 0.0) for name in names}
    for name, written in names.items():
        for metric in measures.iter_calc([measures.parse_measure(written)], qrels, ranked):
            if metric.query_id in asked:
                values[name][metric.query_id] = float(metric.value)
    gold = values[ALL_GOLD.format(all_gold_at)]
    values[ALL_GOLD.format(all_gold_at)] = {q: float(recall > 1 - 1e-9) for q, recall in gold.items()}
    return values


def estimate(values: Mapping[str, float]) -> Estimate:
    """The mean, with a percentile bootstrap over the questions."""
    import numpy as np

    sample = np.array(list(values.values()))
    mean = float(sample.mean())
    if len(sample) < 2 or np.ptp(sample) == 0:
        return Estimate(mean, mean, mean)
    interval = (
        _scipy_stats()
        .bootstrap((sample,), np.mean, n_resamples=_RESAMPLES, batch=500, method="percentile", rng=_SEED)
        .confidence_interval
    )
    return Estimate(mean, float(interval.low), float(interval.high))


def difference(first: Mapping[str, float], second: Mapping[str, float]) -> Difference:
    """The second run against the first over the questions of both, by a paired randomisation test.

    Raises InvalidInputError if they have fewer than two in common.
    """
    import numpy as np

    common = sorted(first.keys() & second.keys())
    if len(common) < 2:
        raise InvalidInputError(
            f"The runs have {len(common)} judged questions in common, and comparing them needs 2 or more: "
            "ask the questions of the other run as well."
        )
    one, other = (np.array([values[q] for q in common]) for values in (first, second))
    if np.array_equal(one, other):
        return Difference(0.0, 1.0)

    def mean_difference(a: Values, b: Values, axis: int) -> Values:
        return np.asarray(np.mean(b - a, axis=axis))

    test = _scipy_stats().permutation_test(
        (one, other), mean_difference, permutation_type="samples", vectorized=True,
        n_resamples=_RESAMPLES, batch=500, rng=_SEED,
    )  # fmt: skip
    return Difference(float(np.mean(other - one)), float(test.pvalue))


def _ir_measures() -> Any:
    try:
        import ir_measures
    except ImportError:
        raise ConfigurationError(_INSTALL) from None
    return ir_measures


def _scipy_stats() -> Any:
    try:
        from scipy import stats
    except ImportError:
        raise ConfigurationError(_INSTALL) from None
    return stats


_INSTALL = "Evaluating needs ir-measures and scipy: run `.venv/bin/pip install -e '.[evaluate]' -c constraints.txt`."
