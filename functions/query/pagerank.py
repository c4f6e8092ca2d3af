"""Personalised PageRank by power iteration, on a graph that fits into memory many times over."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOLERANCE = 1e-6
MAX_ITERATIONS = 50


def personalised_pagerank(
    sources: NDArray[np.intp],
    targets: NDArray[np.intp],
    weights: NDArray[np.float64],
    restart: NDArray[np.float64],
    *,
    damping: float,
) -> NDArray[np.float64]:
    """The share of its time that a walker spends at each node, who starts again with probability 1 - `damping`.

    Edge i leads from sources[i] to targets[i] (nodes are numbered from 0); a walker takes the edges of a node in
    proportion to their weights, which are positive. `restart` has shape (nodes,), is not negative and not all zero;
    where it is larger a walker starts more often, and so he does from a node without edges. Returns shape (nodes,),
    sum 1. Haveliwala (2002), Topic-Sensitive PageRank.
    """
    import numpy as np

    start = restart / restart.sum()
    leaving = np.bincount(sources, weights, minlength=len(start))
    share = weights / leaving[sources]
    is_end = leaving == 0
    scores: NDArray[np.float64] = start
    for _ in range(MAX_ITERATIONS):
        walked = np.bincount(targets, scores[sources] * share, minlength=len(start))
        following = damping * (walked + scores[is_end].sum() * start) + (1 - damping) * start
        change = np.abs(following - scores).sum()
        scores = following
        if change < TOLERANCE:
            break
    return scores
