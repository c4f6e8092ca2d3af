"""The Postgres of the laptop, where an earlier start left one running."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.local.postgres import EmbeddedPostgres


@pytest.mark.parametrize("columns", ["", "80"])
def test_a_server_that_outlived_its_parent_is_ended_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    data = tmp_path / "a folder whose name is longer than a narrow terminal shows" / "data"
    left, found = EmbeddedPostgres(data, durable=False), EmbeddedPostgres(data, durable=False)
    left.start()
    try:
        found.start()
        assert not left.is_running()
        assert found.is_running()
    finally:
        found.stop()
        left.stop()
