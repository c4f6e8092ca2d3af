"""Personalised PageRank against the solution of its linear system."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from functions.query.pagerank import personalised_pagerank

Edge = tuple[int, int, float]


def dense(edges: list[Edge], restart: NDArray[np.float64], damping: float) -> NDArray[np.float64]:
    """p = damping · Mᵀp + (1 - damping) · r, where the column of a node without edges is r."""
    start = restart / restart.sum()
    matrix = np.zeros((len(start), len(start)))
    for source, target, weight in edges:
        matrix[source, target] += weight
    for row in matrix:
        row[:] = row / row.sum() if row.sum() else start
    solved: NDArray[np.float64] = np.linalg.solve(np.eye(len(start)) - damping * matrix.T, (1 - damping) * start)
    return solved


def sparse(edges: list[Edge], restart: NDArray[np.float64], damping: float) -> NDArray[np.float64]:
    sources, targets, weights = (np.array(column) for column in zip(*edges, strict=True))
    return personalised_pagerank(sources, targets, weights.astype(float), restart, damping=damping)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_it_is_what_a_dense_solver_finds(data: st.DataObject) -> None:
    nodes = data.draw(st.integers(1, 8))
    node = st.integers(0, nodes - 1)
    edges = data.draw(st.lists(st.tuples(node, node, st.floats(0.01, 10)), min_size=1, max_size=30))
    restart = np.array(data.draw(st.lists(st.floats(0.0, 5.0), min_size=nodes, max_size=nodes)))
    restart[data.draw(node)] += 1.0
    found = sparse(edges, restart, 0.5)
    assert found == pytest.approx(dense(edges, restart, 0.5), abs=1e-5)
    assert found.sum() == pytest.approx(1.0)


def test_a_circle_and_an_edge_to_itself_come_to_rest() -> None:
    edges: list[Edge] = [(0, 1, 1.0), (1, 2, 1.0), (2, 0, 1.0), (2, 2, 5.0)]
    restart = np.array([1.0, 0.0, 0.0])
    assert sparse(edges, restart, 0.85) == pytest.approx(dense(edges, restart, 0.85), abs=1e-3)


def test_what_is_nearer_to_the_start_counts_more() -> None:
    edges: list[Edge] = [(0, 1, 1.0), (1, 0, 1.0), (1, 2, 1.0), (2, 1, 1.0), (2, 3, 1.0), (3, 2, 1.0)]
    scores = sparse(edges, np.array([1.0, 0.0, 0.0, 0.0]), 0.5)
    assert list(scores) == sorted(scores, reverse=True)
