"""`lockstep up` refuses what would open it to others, or was meant otherwise, before anything is started."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from infra.cli import main
from infra.local import up as module
from infra.local.environment import shell
from infra.local.milvus import free_port
from infra.local.postgres import _end_leftover
from infra.local.state import State
from infra.local.up import up
from shared.errors import ConfigurationError


class StartedError(Exception):
    """It came as far as starting."""


@pytest.fixture(autouse=True)
def _a_clean_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LOCKSTEP_")]:
        monkeypatch.delenv(name)

    def start(*_: object) -> None:
        raise StartedError

    monkeypatch.setattr(module, "_build_model", lambda *_: None)
    monkeypatch.setattr(module.Laptop, "start", start)


def begin(state: Path, host: str = "127.0.0.1") -> None:
    up(state, host=host, port=free_port(), say=lambda text: None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "nas.example"])
def test_without_a_key_only_this_machine_is_let_in(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigurationError, match=f"Others could reach {host}.*set LOCKSTEP_API_KEY"):
        begin(tmp_path / "state", host)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_needs_no_key(tmp_path: Path, host: str) -> None:
    with pytest.raises(StartedError):
        begin(tmp_path / "state", host)


def test_with_a_key_others_may_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKSTEP_API_KEY", "sesame")
    with pytest.raises(StartedError):
        begin(tmp_path / "state", "0.0.0.0")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LOCKSTEP_APIKEY", "sesame", "is LOCKSTEP_API_KEY meant"),
        ("LOCKSTEP_LLM_MODLE", "small", "is LOCKSTEP_LLM_MODEL meant"),
        ("LOCKSTEP_RERANKER_HITS", "many", "LOCKSTEP_RERANKER_HITS: .*integer"),
    ],
)
def test_what_is_no_setting_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=said) as caught:
        begin(tmp_path / "state")
    assert "sesame" not in str(caught.value)


def test_the_children_get_what_is_chosen_and_no_other_deployments_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {"LOCKSTEP_API_KEY": "a", "LOCKSTEP_LLM_MODEL": "b", "LOCKSTEP_WEBHOOK_URL": "c", "LOCKSTEP_STATE": "d"}
    foreign = {"LOCKSTEP_MILVUS_URI": "e", "LOCKSTEP_BUCKET_URL": "f", "LOCKSTEP_ALLOWED_HOSTS": "g"}
    for name, value in (chosen | foreign).items():
        monkeypatch.setenv(name, value)
    assert {name: value for name, value in shell().items() if name.startswith("LOCKSTEP_")} == chosen


@pytest.mark.parametrize("port", ["99999", "0", "-1"])
def test_a_port_that_cannot_be_is_a_wrong_call(
    port: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["lockstep", "up", "--port", port])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "--port" in capsys.readouterr().err


def test_addresses_of_six_parts_are_urls_too(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    state.prepare()
    laptop = module.Laptop(state, host="::1", port=8000)
    assert laptop.url == "http://[::1]:8000"
    assert "http://[::1]:8000" in laptop.environment["LOCKSTEP_ALLOWED_ORIGINS"].split(",")


OF_ANOTHER_FOLDER = f"{os.getpid()}\n/elsewhere\n"


@pytest.mark.parametrize(
    "left", ["", "\n", "not a number\n", OF_ANOTHER_FOLDER], ids=["empty", "a line", "words", "of another folder"]
)
def test_a_damaged_note_of_an_earlier_server_is_no_obstacle(tmp_path: Path, left: str) -> None:
    (tmp_path / "postmaster.pid").write_text(left)
    _end_leftover(tmp_path)
    assert not (tmp_path / "postmaster.pid").exists()
