"""The state folder: whose it is, who holds it, and what is said when something is wrong with it."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.state import FORMAT, State, check_port, is_loopback
from infra.local.up import Laptop
from shared.errors import ConfigurationError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "state")


def test_a_new_folder_is_made_with_everything_in_it(state: State) -> None:
    state.prepare()
    assert (state.root / "format").read_text().strip() == str(FORMAT)
    assert all(folder.is_dir() for folder in (state.bucket, state.backups, state.logs, state.milvus))


def test_what_is_in_it_stays_at_the_next_start(state: State) -> None:
    state.prepare()
    (state.bucket / "library").mkdir()
    (state.bucket / "library" / "a.txt").write_text("kept")
    state.prepare()
    assert (state.bucket / "library" / "a.txt").read_text() == "kept"


def test_a_model_that_was_built_before_the_first_start_is_no_obstacle(state: State) -> None:
    state.model.mkdir(parents=True)
    (state.root / "models" / "another").mkdir(parents=True)  # by `make model`
    state.lock().close()
    state.prepare()


def test_another_state_folder_within_it_is_no_obstacle(state: State) -> None:
    State(state.root / "relevance").prepare()
    state.prepare()
    assert (state.root / "relevance" / "format").exists()


# Something is wrong with it


@pytest.mark.parametrize("name", ["thesis.doc", "bucket", "postgres"])
def test_a_folder_of_something_else_or_a_damaged_one_is_left_alone(state: State, name: str) -> None:
    state.root.mkdir()
    (state.root / name).write_text("precious")
    with pytest.raises(ConfigurationError, match=r"--state.*lockstep restore") as caught:
        state.prepare()
    assert str(state.root) in str(caught.value)
    assert {path.name for path in state.root.iterdir()} == {name}


@pytest.mark.parametrize("written", ["2", "99", "", "one"])
def test_a_folder_of_another_version_says_which(state: State, written: str) -> None:
    state.prepare()
    (state.root / "format").write_text(written)
    with pytest.raises(ConfigurationError, match=f"says '{written}', this Lockstep knows {FORMAT}"):
        state.prepare()
    assert (state.root / "format").read_text() == written


# Who holds it


def test_a_second_instance_is_told_where_the_first_one_is(state: State) -> None:
    with state.lock():
        state.write_running({"url": "http://127.0.0.1:8000"})
        with pytest.raises(
            ConfigurationError, match=r"running .* already, at http://127\.0\.0\.1:8000.*--state FOLDER"
        ):
            state.lock()
    state.lock().close()


def test_a_second_instance_before_the_first_one_is_up_is_told_as_well(state: State) -> None:
    with state.lock(), pytest.raises(ConfigurationError, match=r"running on .* already\. Stop it"):
        state.lock()


def test_a_holder_that_is_killed_holds_no_more(state: State) -> None:
    script = (
        "import sys, time; from pathlib import Path; from infra.local.state import State\n"
        "held = State(Path(sys.argv[1])).lock(); print('held', flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(state.root)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    with holder.stdout as told:
        assert told.readline() == "held\n"
        with pytest.raises(ConfigurationError, match="already"):
            state.lock()
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    state.lock().close()


# What it says of the instance that runs


def test_what_runs_is_written_for_its_owner_alone_and_read_back(state: State) -> None:
    state.prepare()
    assert state.read_running() == {}
    state.write_running({"url": "http://127.0.0.1:8000", "environment": {"LOCKSTEP_POSTGRES_URL": "postgresql://"}})
    state.write_running({"url": "http://127.0.0.1:9000"})
    assert state.read_running() == {"url": "http://127.0.0.1:9000"}
    assert stat.S_IMODE(state.running.stat().st_mode) == 0o600
    assert not list(state.root.glob("*.new"))


@pytest.mark.parametrize("content", ["", "{", '{"url": '])
def test_what_was_written_in_half_counts_as_nothing(state: State, content: str) -> None:
    state.prepare()
    state.running.write_text(content)
    assert state.read_running() == {}
    with state.lock(), pytest.raises(ConfigurationError, match="already"):
        state.lock()


def test_the_key_for_uploads_is_made_once_for_its_owner_alone(state: State) -> None:
    state.prepare()
    key = state.signing_key()
    assert len(key) == 64
    assert state.signing_key() == key
    assert stat.S_IMODE((state.root / "signing.key").stat().st_mode) == 0o600
    other = State(state.root.parent / "other")
    other.prepare()
    assert other.signing_key() != key


@pytest.mark.parametrize("left", ["", "\n"])
def test_a_key_that_a_crash_left_empty_is_made_anew(state: State, left: str) -> None:
    state.prepare()
    (state.root / "signing.key").write_text(left)
    key = state.signing_key()
    assert len(key) == 64
    assert state.signing_key() == key


def test_what_is_written_is_on_the_disk_before_it_appears(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    state.prepare()
    written: list[str] = []

    def fsync(descriptor: int) -> None:
        written.append((state.root / "signing.key.new").read_text())
        assert not (state.root / "signing.key").exists()

    monkeypatch.setattr(os, "fsync", fsync)
    assert written == [] and [state.signing_key()] == written


def test_the_running_record_is_plain_json_for_other_tools(state: State) -> None:
    state.prepare()
    state.write_running({"pid": 7})
    assert json.loads(state.running.read_text()) == {"pid": 7}


# Ports


def test_a_port_that_is_taken_says_how_to_choose_another() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"Port {port} on 127.0.0.1 is taken.*--port"):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", port)


@pytest.mark.parametrize("host", ["nonsense.invalid", "a..b", "192.0.2.1"])
def test_a_host_that_is_not_this_machine_is_not_called_taken(host: str) -> None:
    with pytest.raises(ConfigurationError, match=f"Nothing can listen at port 8000 on {host} .*--host") as caught:
        check_port(host, 8000)
    assert "taken" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_an_address_that_others_reach_is_known(host: str, is_ours: bool) -> None:
    assert is_loopback(host) is is_ours


def test_a_file_is_no_state_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("something else")
    with pytest.raises(ConfigurationError, match=r"cannot be used as state folder .* name another with --state"):
        State(tmp_path / "file").lock()


@pytest.mark.parametrize("left_behind", ["format.new", "lock"])
def test_a_first_start_that_was_killed_can_be_repeated(state: State, left_behind: str) -> None:
    state.root.mkdir(parents=True, exist_ok=True)
    (state.root / left_behind).touch()
    state.prepare()
    assert (state.root / "format").read_text().strip() == str(FORMAT)


@pytest.mark.parametrize("damaged", ["[]", "{", "\x00"])
def test_what_an_instance_wrote_of_itself_may_be_damaged(state: State, damaged: str) -> None:
    state.root.mkdir(parents=True, exist_ok=True)
    state.running.write_text(damaged)
    assert state.read_running() == {}


def test_snapshots_may_lie_in_any_s3_store(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {
        "LOCKSTEP_BACKUP_URL": "s3://backups",
        "LOCKSTEP_S3_ENDPOINT_URL": "https://obs.example.com",
        "LOCKSTEP_S3_REGION": "ap-1",
        "LOCKSTEP_S3_ADDRESSING_STYLE": "virtual",
    }
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    state.prepare()
    assert chosen.items() <= Laptop(state).environment.items()
