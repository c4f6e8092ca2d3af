"""A new user's first hour: start, upload, ask, change, delete, kill, start, back up, wipe, restore, all by the command line."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from infra.local.milvus import free_port

LOCKSTEP = str(Path(sys.executable).parent / "lockstep")
PATIENCE_SECONDS = 300.0  # a machine with much else to do must not fail a test
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("LOCKSTEP_")}


class Laptop:
    """`lockstep up` in a process of its own, and the command line against it."""

    def __init__(self, state: Path, model: Path) -> None:
        self.state = state
        self.port = free_port()
        self.environment = {**CLEAN, "LOCKSTEP_MODEL_PATH": str(model), "LOCKSTEP_STATE": str(state)}
        self.http = httpx2.Client(timeout=PATIENCE_SECONDS)
        self.process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *arguments: str) -> str:
        """Start and wait until it says that it is up; returns what it said until then."""
        self.process = subprocess.Popen(
            [LOCKSTEP, "up", "--port", str(self.port), *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        said = ""
        for line in self.process.stdout:
            said += line
            if "runs until Ctrl-C" in line:
                return said
        raise AssertionError(f"it ended with {self.process.wait()}:\n{said}")

    def stop(self, number: int = signal.SIGINT) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
        return code

    def run(self, *arguments: str, expect: int = 0) -> str:
        """A command; its output, after checking its exit code."""
        done = subprocess.run(
            [LOCKSTEP, *arguments], env=self.environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS
        )
        assert done.returncode == expect, f"{arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def ask(self, question: str, bot: str = "library", expect: int = 0) -> str:
        return self.run("ask", bot, question, expect=expect)

    def json(self, *arguments: str, expect: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", expect=expect))


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Iterator[Laptop]:
    made = Laptop(tmp_path_factory.mktemp("laptop") / "state", model_folder)
    made.start()
    yield made
    if made.process is not None:
        made.stop()
    made.http.close()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    (folder / "guides").mkdir(parents=True)
    (folder / "guides" / "rules.md").write_text("# House rules\n\n## Dogs\n\nDogs wait at the door, on a leash.\n")
    (folder / "faq.csv").write_text(
        "id,question,answer,category\n"
        "card,How do I get a library card?,Bring an identity card to the desk; the library card is free.,members\n"
        "fine,What does a late book cost?,Fifty cents for each day.,members\n"
    )
    (folder / "çalışma saatleri.txt").write_text("Kütüphane hafta içi dokuzdan altıya kadar açıktır.")
    return folder


def wait_for(what: Any) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def test_the_sample_can_be_asked_in_three_languages(laptop: Laptop) -> None:
    wait_for(lambda: len(laptop.json("documents", "list", "demo", "--in", "live")) == 4)
    assert "200 kilometres" in laptop.ask("How often should I oil the chain?", bot="demo")
    assert "4,0 bar" in laptop.ask("Lastik basıncı ne kadar olmalı?", bot="demo")
    assert "14유로" in laptop.ask("펑크를 수리하는 비용은 얼마인가요?", bot="demo")


def test_the_first_hour(laptop: Laptop, files: Path, tmp_path: Path) -> None:
    laptop.run("bots", "create", "library", "--name", "Town library")
    assert "3 uploaded, 3 live, 0 not" in laptop.run("upload", "library", str(files), "--wait")
    assert "the library card is free" in laptop.ask("How do I get a library card?")
    assert "guides/rules.md" in laptop.ask("May I bring my dog?")
    assert "dokuzdan altıya" in laptop.ask("Kütüphane saat kaçta açıktır?")

    # Change one, and delete one.
    changed = (files / "faq.csv").read_text().replace("Fifty cents", "Eighty cents")
    (files / "faq.csv").write_text(changed)
    laptop.run("upload", "library", str(files / "faq.csv"), "--wait")
    answer = laptop.ask("What does a late book cost?")
    assert "Eighty cents" in answer
    assert "Fifty" not in answer
    laptop.run("documents", "delete", "library", "guides/rules.md")
    assert "leash" not in laptop.run("search", "library", "May I bring my dog?")

    # kill -9, and start again.
    assert laptop.process is not None
    laptop.stop(signal.SIGKILL)
    laptop.start()
    assert "Eighty cents" in laptop.ask("What does a late book cost?")
    wait_for(lambda: "leash" not in laptop.run("search", "library", "May I bring my dog?"))
    assert [report["missing"] + report["corrupt"] + report["orphaned"] for report in laptop.json("verify")["bots"]] == [
        0,
        0,
    ]

    # Back up, wipe, restore.
    safe = (tmp_path / "safe").as_uri()
    assert "2 bots" in laptop.run("backup", "--at", safe)
    assert "demo, library" in laptop.run("backup", "--list", "--at", safe)
    assert "every checksum is right" in laptop.run(
        "restore", "--dry-run", "--at", safe, "--bot", "library", "--as", "other"
    )
    planned = laptop.json("restore", "--dry-run", "--at", safe, "--bot", "library", "--as", "other")
    assert [(bot["bot"], bot["documents"]) for bot in planned["bots"]] == [("other", 2)]
    assert laptop.json("migrate") == {"applied": []}
    assert "demo: ok" in laptop.run("drill", "--at", safe)
    assert "snapshot" in laptop.run("status")
    assert laptop.stop() == 0
    shutil.rmtree(laptop.state)
    said = laptop.start("--restore", safe)
    assert "Restored: demo, library." in said
    assert "Eighty cents" in laptop.ask("What does a late book cost?")
    assert "dokuzdan altıya" in laptop.ask("Kütüphane saat kaçta açıktır?")
    assert "leash" not in laptop.run("search", "library", "May I bring my dog?")
    # The restored bucket lives on: changing a file in it changes the answer.
    (laptop.state / "bucket" / "library" / "faq.csv").write_text(changed.replace("Eighty", "Ninety"))
    wait_for(lambda: "Ninety cents" in laptop.ask("What does a late book cost?"))


def test_a_file_that_is_copied_into_the_bucket_is_found_and_one_that_is_removed_is_not(laptop: Laptop) -> None:
    laptop.run("bots", "create", "folder")
    place = laptop.state / "bucket" / "folder" / "sub"
    place.mkdir(parents=True)
    (place / "note.txt").write_text("The spare key hangs behind the blue cupboard.")
    wait_for(lambda: "blue cupboard" in laptop.run("search", "folder", "Where is the spare key?"))
    shutil.rmtree(place)
    wait_for(lambda: "Nothing was found" in laptop.run("search", "folder", "Where is the spare key?"))


def test_what_was_removed_while_nothing_ran_is_found_at_the_next_start(laptop: Laptop) -> None:
    laptop.run("bots", "create", "single")
    folder = laptop.state / "bucket" / "single"
    folder.mkdir()
    (folder / "only.txt").write_text("The attic is closed on Mondays.")
    wait_for(lambda: "attic" in laptop.run("search", "single", "When is the attic closed?"))
    laptop.stop()
    (folder / "only.txt").unlink()
    laptop.start()
    wait_for(lambda: "attic" not in laptop.run("search", "single", "When is the attic closed?"))


def test_a_bucket_that_is_not_the_same_any_more_deletes_nothing(laptop: Laptop, tmp_path: Path) -> None:
    laptop.run("bots", "create", "kept")
    folder = laptop.state / "bucket" / "kept"
    folder.mkdir()
    (folder / "only.txt").write_text("The cellar holds the newspapers.")
    wait_for(lambda: "newspapers" in laptop.run("search", "kept", "What does the cellar hold?"))
    laptop.stop()
    bucket = laptop.state / "bucket"
    bucket.rename(tmp_path / "lost")
    assert "is not the bucket that it was" in laptop.start()
    laptop.run("sync", expect=1)
    assert "newspapers" in laptop.run("search", "kept", "What does the cellar hold?")
    laptop.stop()
    shutil.rmtree(bucket)
    (tmp_path / "lost").rename(bucket)
    laptop.start()


def test_a_large_file_goes_the_presigned_way(laptop: Laptop, tmp_path: Path) -> None:
    laptop.run("bots", "create", "large")
    lines = (f"Line {n} of the large file tells of shelf {n % 97}.\n\n" + "filler " * 700 for n in range(900))
    (tmp_path / "large.txt").write_text("".join(lines))
    assert (tmp_path / "large.txt").stat().st_size > 4_000_000
    laptop.run("upload", "large", str(tmp_path / "large.txt"))
    wait_for(lambda: laptop.json("documents", "list", "large") != [])
    laptop.run("bots", "delete", "large", "--yes")


def test_a_rejected_file_makes_the_upload_fail_with_its_reason(laptop: Laptop, tmp_path: Path) -> None:
    laptop.run("bots", "create", "rejects")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 and then nothing")
    said = laptop.run("upload", "rejects", str(tmp_path / "broken.pdf"), "--wait", expect=1)
    assert "broken.pdf: rejected: " in said


def test_an_upload_goes_on_after_a_file_that_is_refused(laptop: Laptop, tmp_path: Path) -> None:
    laptop.run("bots", "create", "mixed")
    (tmp_path / "a-empty.txt").touch()
    (tmp_path / "b-whole.txt").write_text("The reading room is on the second floor.")
    said = laptop.run(
        "upload", "mixed", str(tmp_path / "a-empty.txt"), str(tmp_path / "b-whole.txt"), "--wait", expect=1
    )
    assert "1 uploaded, 1 live, 1 not" in said
    assert "a-empty.txt: refused: The content is empty." in said


def test_an_upload_waits_no_longer_than_told(laptop: Laptop, tmp_path: Path) -> None:
    laptop.run("bots", "create", "impatient")
    (tmp_path / "long.txt").write_text("\n\n".join(f"Paragraph {n} is about the shelf {n}." for n in range(3_000)))
    said = laptop.run("upload", "impatient", str(tmp_path / "long.txt"), "--wait", "--timeout", "0", expect=1)
    assert "long.txt: unfinished: still at work" in said


def test_an_upload_url_cannot_be_bent(laptop: Laptop) -> None:
    laptop.run("bots", "create", "bent")
    upload = laptop.http.post(f"{laptop.url}/bots/bent/uploads", json={"name": "a.txt", "size": 5}).json()
    assert laptop.http.put(upload["url"].replace("a.txt", "b.txt"), content=b"12345").status_code == 403
    assert laptop.http.put(upload["url"], content=b"123456").status_code == 400
    assert laptop.http.put(upload["url"], content=b"12345").status_code == 200


def test_other_hosts_and_origins_are_refused(laptop: Laptop) -> None:
    assert laptop.http.get(f"{laptop.url}/bots", headers={"Host": "evil.example"}).status_code == 421
    assert laptop.http.get(f"{laptop.url}/bots", headers={"Origin": "http://evil.example"}).status_code == 403


def test_metrics_of_every_process_are_shown_to_who_may_see_them(laptop: Laptop) -> None:
    wait_for(lambda: len(laptop.json("documents", "list", "demo", "--in", "live")) == 4)
    laptop.ask("How often should I oil the chain?", bot="demo")

    def metrics() -> dict[str, float]:
        found = laptop.http.get(f"{laptop.url}/metrics")
        assert found.headers["content-type"].startswith("text/plain; version=0.0.4")
        lines = (line.rsplit(" ", 1) for line in found.text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in lines}

    wait_for(lambda: 'lockstep_flips_total{process="worker"}' in metrics())
    wait_for(lambda: metrics()['lockstep_markers{state="pending_present"}'] == 0)  # also of what others are uploading
    lines = metrics()
    assert lines['lockstep_query_seconds_count{process="gateway",operation="ask"}'] >= 1
    assert lines['lockstep_documents{state="live"}'] >= 4
    assert lines["lockstep_snapshot_age_seconds"] > 0
    assert laptop.http.get(f"{laptop.url}/metrics", headers={"Host": "evil.example"}).status_code == 421


def test_what_is_live_can_be_exported(laptop: Laptop, tmp_path: Path) -> None:
    wait_for(lambda: len(laptop.json("documents", "list", "demo", "--in", "live")) == 4)
    out = tmp_path / "out"
    (exported,) = laptop.json("export", "--bot", "demo", "--format", "csv", "--out", str(out), "--include-embeddings")
    assert exported["records"]["pairs"] == (out / "demo" / "pairs.csv").read_text().count("demo,")
    assert exported["records"]["embeddings"] == exported["records"]["sources"] > 0
    assert "is there already" in laptop.run("export", "--out", str(out), expect=3)
    assert "name either a folder with --out" in laptop.run("export", expect=2)
    status = laptop.json("status")
    assert status["last"].keys() == {"snapshot", "audit", "drill"}


def test_what_is_live_can_be_exported_over_the_api_too(laptop: Laptop, tmp_path: Path) -> None:
    wait_for(lambda: len(laptop.json("documents", "list", "demo", "--in", "live")) == 4)
    here, there = tmp_path / "here", tmp_path / "there"
    laptop.run("export", "--bot", "demo", "--format", "csv", "--out", str(here))
    remote = ("export", "--remote", "--bot", "demo", "--format", "csv")
    said = laptop.run(*remote, "--out", str(there))
    assert "every checksum is right" in said
    for table in ("pairs", "relations", "sources"):
        assert (there / "demo" / f"{table}.csv").read_bytes() == (here / "demo" / f"{table}.csv").read_bytes()
    (bot,) = json.loads((there / "export.json").read_text())["bots"]
    assert {file["path"] for file in bot["files"]} == {f"demo/{path.name}" for path in (there / "demo").iterdir()}
    assert "is there already" in laptop.run(*remote, "--out", str(there), expect=3)
    assert "--remote writes one bot into a folder" in laptop.run("export", "--remote", expect=2)
    assert "no bot 'nobody'" in laptop.run("export", "--remote", "--bot", "nobody", "--out", "x", expect=3)

    export_id = re.findall("[0-9a-f]{8}-[0-9a-f-]{27}", said)[0]
    laptop.run("export", "--remote", "--bot", "demo", "--id", export_id, "--out", str(tmp_path / "again"))
    found = laptop.http.get(f"{laptop.url}/bots/demo/exports/{export_id}").json()
    url = found["files"][0]["url"]
    assert laptop.http.get(url, headers={"Range": "bytes=0-2"}).content == b"bot"
    assert laptop.http.get(url.replace("signature=", "signature=0")).status_code == 403
    assert laptop.http.get(f"{laptop.url}/presigned/demo/care-guide.md").status_code == 400
    assert laptop.http.delete(f"{laptop.url}/bots/demo/exports/{export_id}").status_code == 204
    assert laptop.http.get(url).status_code == 403
    assert (
        laptop.http.get(f"{laptop.url}/bots/demo/export?format=csv").content
        == (here / "demo" / "pairs.csv").read_bytes()
    )


def test_a_second_instance_is_told_where_the_first_one_is(laptop: Laptop) -> None:
    assert f"already, at {laptop.url}" in laptop.run("up", "--port", str(free_port()), expect=3)


def test_a_shell_with_the_settings_of_another_deployment_is_told(model_folder: Path, tmp_path: Path) -> None:
    other = Laptop(tmp_path / "state", model_folder)
    other.environment |= {"LOCKSTEP_POSTGRES_URL": "postgresql://production/lockstep"}
    assert "another deployment" in other.run("up", expect=3)
    assert not other.state.exists()


def test_a_taken_port_is_told(laptop: Laptop, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"Port {port} on 127.0.0.1 is taken" in laptop.run(
            "up", "--state", str(tmp_path / "other"), "--port", port, expect=3
        )


def test_a_damaged_state_folder_is_told(laptop: Laptop, tmp_path: Path) -> None:
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "something").write_text("else")
    said = laptop.run("up", "--state", str(tmp_path / "damaged"), "--port", str(free_port()), expect=3)
    assert "is not a state folder of Lockstep, or a damaged one" in said


def test_a_damaged_database_is_told_with_the_servers_own_words(model_folder: Path, tmp_path: Path) -> None:
    laptop = Laptop(tmp_path / "state", model_folder)
    laptop.start()
    laptop.stop()
    (laptop.state / "postgres" / "data" / "global" / "pg_control").write_bytes(b"damaged")
    said = laptop.run("up", "--port", str(laptop.port), expect=3)
    assert "Postgres ended while starting" in said
    assert "pg_control" in said


def test_a_model_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    said = Laptop(tmp_path / "state", tmp_path / "nowhere").run("up", "--port", str(free_port()), expect=3)
    assert f"The model cannot be used: There is no complete model in {tmp_path / 'nowhere'}" in said


def test_a_start_after_a_crash_of_the_machine_mends_what_was_left_empty(model_folder: Path, tmp_path: Path) -> None:
    laptop = Laptop(tmp_path / "state", model_folder)
    laptop.start()
    laptop.stop()
    (laptop.state / "postgres" / "data" / "postmaster.pid").touch()
    (laptop.state / "signing.key").write_text("")
    laptop.start()
    upload = laptop.http.post(f"{laptop.url}/bots/demo/uploads", json={"name": "a.txt", "size": 5}).json()
    assert laptop.http.put(upload["url"], content=b"12345").status_code == 200
    laptop.stop()
    laptop.http.close()


def test_no_child_outlives_its_parent(model_folder: Path, tmp_path: Path) -> None:
    laptop = Laptop(tmp_path / "state", model_folder)
    laptop.start()
    laptop.stop(signal.SIGKILL)
    wait_for(lambda: not _processes_of(laptop.state))


def _processes_of(state: Path) -> list[str]:
    listed = subprocess.run(["ps", "-ww", "-eo", "stat=,command="], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(state) in line and not line.startswith("Z")]


def test_without_an_instance_the_command_says_how_to_start_one(tmp_path: Path, model_folder: Path) -> None:
    nobody = Laptop(tmp_path / "nothing", model_folder)
    assert "lockstep up" in nobody.run("bots", "list", expect=3)
    assert "lockstep up" in nobody.run("sync", expect=3)
    assert "lockstep up" in nobody.run("verify", expect=3)


@pytest.mark.parametrize(
    "command",
    [
        *("up", "ask", "search", "upload", "documents", "bots", "migrate", "sync", "backup", "restore"),
        *("drill", "verify", "repair", "adopt", "export", "status"),
    ],
)
def test_every_command_explains_itself(command: str) -> None:
    done = subprocess.run([LOCKSTEP, command, "--help"], capture_output=True, text=True, env=CLEAN)
    assert done.returncode == 0
    assert "Usage: lockstep" in done.stdout
