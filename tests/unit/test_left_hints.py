"""Hints that the gateway leaves for the worker."""

from __future__ import annotations

from pathlib import Path

from infra.local.left_hints import LeftHints, pass_on
from shared.testing import RecordingHints


def test_what_is_left_is_passed_on_once(tmp_path: Path) -> None:
    left, heard = LeftHints(tmp_path), RecordingHints()
    for _ in range(2):
        left.object_changed("care/ein Name, 한국어.pdf")
        left.sync_wanted()
    pass_on(tmp_path, heard)
    assert (heard.keys, heard.syncs) == (["care/ein Name, 한국어.pdf"], 1)
    pass_on(tmp_path, heard)
    assert (heard.keys, heard.syncs) == (["care/ein Name, 한국어.pdf"], 1)
    assert list(tmp_path.iterdir()) == []


def test_a_hint_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "1.part").write_text("care/x")
    heard = RecordingHints()
    pass_on(tmp_path, heard)
    assert heard.keys == []
