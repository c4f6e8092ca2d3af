"""The packaged functions, in the cloud's own runtime client, with the events that the cloud sends, on real stores."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from typing import Any

import docx
import httpx2
import pytest
from pytest_httpserver import HTTPServer

from infra.package import FUNCTIONS
from tests.infra.cloud import BACKUPS, DOCUMENTS, Cloud, load_event, lockstep
from tests.infra.conftest import API_KEY, SECRET
from tests.unit.parsing.samples import paragraph, pdf, workbook

NAME = "Häufige Fragen & Antworten/care 2026.csv"  # the events have it as S3 writes it: H%C3%A4ufige+Fragen+%26+…
KEY = f"workshop/{NAME}"
PRICES = (
    "id,question,answer,category\n"
    "puncture,What does it cost to mend a puncture?,Mending a puncture costs 14 euros with the new tube.,prices\n"
    "hours,When is the workshop open?,The workshop is open from Tuesday to Saturday.,visit\n"
)


@pytest.fixture(scope="module")
def workshop(cloud: Cloud) -> Cloud:
    """A cloud with the bot that the events are about."""
    assert cloud.call(load_event("api_create_bot")).status == 201
    return cloud


@pytest.fixture
def priced(workshop: Cloud) -> Cloud:
    """… and with an object that ingest was told of."""
    workshop.s3.put_object(Bucket=DOCUMENTS, Key=KEY, Body=PRICES.encode())
    assert workshop.result("ingest", load_event("s3_object_created")) == {"batchItemFailures": []}
    return workshop


def hits(cloud: Cloud) -> list[Any]:
    """What a search for the price of a puncture finds."""
    found = cloud.call(load_event("api_search"))
    assert found.status == 200
    hits: list[Any] = found.body["hits"]
    return hits


def documents(cloud: Cloud) -> dict[str, Any]:
    """Every document of the bot by its name."""
    return {found["name"]: found for found in cloud.get("/bots/workshop/documents").body["documents"]}


def hint(*keys: str) -> Any:
    """An event for those objects, made from the real one."""
    record = load_event("s3_object_created")["Records"][0]
    return {"Records": [{**record, "s3": {**record["s3"], "object": {"key": key}}} for key in keys]}


def test_the_event_of_an_upload_makes_it_answer_with_its_source(priced: Cloud) -> None:
    best = hits(priced)[0]
    assert (best["external_id"], best["rank"]) == ("puncture", 1)
    assert best["metadata"] == {"category": "prices", "source_type": "csv", "language": "en"}
    assert best["source"]["object_path"] == NAME
    answer = priced.call(load_event("api_ask")).body
    assert (answer["abstained"], answer["writer"]) == (False, "extractive")
    assert "14 euros" in answer["answer"]
    assert [citation["external_id"] for citation in answer["citations"]] == ["puncture"]


def test_the_event_of_a_delete_takes_the_answer_away_and_leaves_a_receipt(priced: Cloud) -> None:
    document_id = hits(priced)[0]["source"]["document_id"]
    priced.s3.delete_object(Bucket=DOCUMENTS, Key=KEY)
    assert priced.result("ingest", load_event("sqs_object_removed")) == {"batchItemFailures": []}
    assert document_id not in {hit["source"]["document_id"] for hit in hits(priced)}
    assert priced.call(load_event("api_ask")).body["abstained"]
    receipts = priced.get("/bots/workshop/receipts").body["receipts"]
    assert [receipt["state"] for receipt in receipts if receipt["document_id"] == document_id] == ["provisional"]


def test_a_delete_over_the_api_removes_the_object_and_its_event_does_the_rest(priced: Cloud) -> None:
    document_id = documents(priced)[NAME]["document_id"]
    deleted = priced.call(load_event("api_delete_document"), path=f"/bots/workshop/documents/{document_id}")
    assert deleted.status == 202
    assert "Contents" not in priced.s3.list_objects_v2(Bucket=DOCUMENTS, Prefix=KEY)
    priced.result("ingest", load_event("sqs_object_removed"))
    assert NAME not in documents(priced)


def test_only_the_message_that_cannot_be_read_comes_again(workshop: Cloud) -> None:
    workshop.s3.put_object(Bucket=DOCUMENTS, Key=KEY, Body=PRICES.encode())
    batch = load_event("sqs_objects_created")  # an object, something unreadable, the object again, a test event
    unreadable = batch["Records"][1]["messageId"]
    assert workshop.result("ingest", batch) == {"batchItemFailures": [{"itemIdentifier": unreadable}]}
    assert documents(workshop)[NAME]["state"] == "live"
    assert [hit["external_id"] for hit in hits(workshop)].count("puncture") == 1


def test_the_event_that_tests_a_new_notification_means_nothing(cloud: Cloud) -> None:
    assert cloud.result("ingest", load_event("s3_test_event")) == {"batchItemFailures": []}


def test_a_body_in_base64_reaches_the_bucket_byte_by_byte(workshop: Cloud) -> None:
    event = load_event("api_put_document")
    assert workshop.call(event).status == 202
    stored = workshop.s3.get_object(Bucket=DOCUMENTS, Key="workshop/notes/winter storage.md")["Body"].read()
    assert stored == base64.b64decode(event["body"])


def test_a_form_with_a_file_reaches_the_bucket(workshop: Cloud) -> None:
    assert workshop.call(load_event("api_upload_form")).status == 202
    stored = workshop.s3.get_object(Bucket=DOCUMENTS, Key="workshop/guides/chain.txt")["Body"].read()
    assert stored.startswith(b"How often is the chain oiled?")


def test_health_needs_no_key_and_everything_else_does(cloud: Cloud) -> None:
    assert cloud.call(load_event("api_health")).body == {"status": "live"}
    search = load_event("api_search")
    del search["headers"]["x-api-key"]
    assert cloud.call(search).status == 401


def test_the_deployment_is_ready(cloud: Cloud) -> None:
    ready = cloud.call(load_event("api_ready"))
    assert (ready.status, ready.body["parts"]) == (200, {"catalog": "ok", "index": "ok", "model": "ok"})


def test_the_documentation_page_and_its_script_are_in_the_package(cloud: Cloud) -> None:
    for path in ("/docs", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/openapi.json"):
        assert cloud.get(path).status == 200


def test_sync_finds_an_object_whose_event_was_lost(workshop: Cloud) -> None:
    key = "workshop/lost event.txt"
    workshop.s3.put_object(Bucket=DOCUMENTS, Key=key, Body=b"The bell rings twice when the bus leaves.")
    workshop.result("sync", load_event("schedule_sync"))
    found = workshop.take_messages(workshop.environment["LOCKSTEP_INGEST_QUEUE_URL"])
    assert workshop.result("ingest", found) == {"batchItemFailures": []}
    assert documents(workshop)["lost event.txt"]["state"] == "live"


def test_a_wish_for_a_sync_is_one(workshop: Cloud) -> None:
    assert set(workshop.result("sync", load_event("sqs_sync_wanted"))) == {"is_finished"}


def test_the_timer_of_backup_leaves_a_snapshot_in_its_bucket(priced: Cloud) -> None:
    taken = priced.result("backup", load_event("schedule_backup"))
    stored = priced.s3.get_object(Bucket=BACKUPS, Key=f"snapshots/{taken['snapshot_id']}.json")
    assert "workshop" in [bot["slug"] for bot in json.load(stored["Body"])["bots"]]
    assert taken["snapshot_id"] in lockstep(priced.environment, priced.folder, "backup", "--list")
    assert priced.result("backup", load_event("schedule_backup")) == {"is_finished": True, "snapshot_id": None}
    drilled = priced.result("backup", {"task": "drill"})
    assert (drilled["snapshot_id"], drilled["error"]) == (taken["snapshot_id"], "")


def test_a_small_export_is_the_answer_itself(priced: Cloud) -> None:
    answer = priced.get("/bots/workshop/export")
    assert answer.status == 200
    assert "puncture" in {json.loads(line)["external_id"] for line in answer.content.splitlines()}
    event = load_event("api_ready")
    event["rawPath"] = event["requestContext"]["http"]["path"] = "/bots/workshop/export"
    for form in ("jsonl", "csv"):  # as text within JSON, what is not ASCII could be larger than an answer may be
        assert priced.result("query", {**event, "rawQueryString": f"format={form}"})["isBase64Encoded"]


def test_the_event_of_a_request_has_an_export_written_which_needs_no_key_to_fetch(priced: Cloud) -> None:
    asked = {form: priced.post("/bots/workshop/exports", {"format": form}) for form in ("csv", "xlsx", "parquet")}
    assert {answer.status for answer in asked.values()} == {202}
    ids = {form: answer.body["export_id"] for form, answer in asked.items()}
    event = load_event("s3_export_requested")
    (key,) = (
        found["Key"]
        for found in priced.s3.list_objects_v2(Bucket=BACKUPS, Prefix="exports/")["Contents"]
        if f"/{ids['csv']}/" in found["Key"]
    )
    event["detail"]["object"]["key"] = key
    assert priced.result("backup", event) == {"finished": 2, "failed": 1, "put_off": 0}
    found = {form: priced.get(f"/bots/workshop/exports/{ids[form]}").body for form in ids}
    assert {form: export["state"] for form, export in found.items()} == {
        "csv": "finished",
        "xlsx": "finished",
        "parquet": "failed",  # what writes it is larger than a function may be
    }
    assert "lockstep export" in found["parquet"]["reason"]
    for file in [*found["csv"]["files"], *found["xlsx"]["files"]]:
        content = httpx2.get(file["url"]).content
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
    assert priced.result("backup", event) == {"finished": 0, "failed": 0, "put_off": 0}


def test_every_kind_of_document_can_be_read_in_the_package(workshop: Cloud) -> None:
    contents = {
        "kinds/a.pdf": pdf([paragraph(["The saddle is as high as the hip."])]),
        "kinds/b.docx": _word("The chain is oiled every month."),
        "kinds/c.xlsx": workbook({"FAQ": [["question", "answer"], ["Is there a pump?", "The pump is at the door."]]}),
        "kinds/d.html": b"<h1>Lights</h1><p>The front light shines white.</p>",
        "kinds/e.md": b"# Brakes\n\nThe brakes are checked every spring.",
        "kinds/f.jsonl": b'{"question": "Is there coffee?", "answer": "There is coffee at ten."}\n',
    }
    for name, content in contents.items():
        workshop.s3.put_object(Bucket=DOCUMENTS, Key=f"workshop/{name}", Body=content)
    workshop.result("ingest", hint(*(f"workshop/{name}" for name in contents)))
    found = documents(workshop)
    assert {name: (found[name]["state"], found[name]["reason"]) for name in contents} == dict.fromkeys(
        contents, ("live", None)
    )


def test_an_llm_is_asked_with_the_client_in_the_package(priced: Cloud, httpserver: HTTPServer) -> None:
    message = {"role": "assistant", "content": "It costs 14 euros [1]."}
    httpserver.expect_request("/v1/chat/completions", headers={"Authorization": f"Bearer llm-{SECRET}"}).respond_with_json(
        {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [
            {"index": 0, "finish_reason": "stop", "message": message}]}
    )  # fmt: skip
    with priced.with_settings(LOCKSTEP_LLM_BASE_URL=httpserver.url_for("/v1")) as cloud:
        answer = cloud.call(load_event("api_ask")).body
    assert (answer["writer"], answer["answer"]) == ("llm", message["content"])


def test_after_all_of_it_the_stores_agree(priced: Cloud) -> None:
    priced.result("sync", load_event("schedule_sync"))
    (report,) = json.loads(lockstep(priced.environment, priced.folder, "verify", "--json"))["bots"]
    assert report["passages"] == report["intact"] > 0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_without_settings_says_which_are_missing(cloud: Cloud, name: str) -> None:
    event = load_event("api_health" if name == "query" else "s3_object_created")
    missing = ("LOCKSTEP_POSTGRES_URL", "LOCKSTEP_MILVUS_URI", "LOCKSTEP_BUCKET_URL")
    with cloud.with_settings(**dict.fromkeys(missing)) as bare:
        outcome = bare.invoke(name, event)
    assert outcome.is_error
    assert outcome.payload["errorType"] == "ConfigurationError"
    assert [setting for setting in missing if setting in outcome.payload["errorMessage"]] == list(missing)


@pytest.mark.parametrize("name", ["ingest", "query"])
def test_an_event_that_is_none_fails_alone(workshop: Cloud, name: str) -> None:
    assert workshop.invoke(name, {"Records": [{"eventSource": "aws:s3"}], "version": "none"}).is_error
    assert workshop.call(load_event("api_health")).status == 200
    assert workshop.result("ingest", load_event("s3_test_event")) == {"batchItemFailures": []}


def test_logs_are_json_and_hold_no_secret(workshop: Cloud) -> None:
    workshop.invoke("ingest", load_event("sqs_objects_created"))
    away = {
        "LOCKSTEP_POSTGRES_URL": f"postgresql://lockstep:{SECRET}@127.0.0.1:1/x",
        "LOCKSTEP_POSTGRES_DIRECT_URL": None,
    }
    with workshop.with_settings(**away) as broken:
        said = [broken.invoke(name, load_event("schedule_sync")).payload for name in ("ingest", "sync", "backup")]
        said.append(broken.invoke("query", load_event("api_search")).payload)
    logs = workshop.logs()
    lines = [json.loads(line) for line in logs.splitlines() if line.startswith("{")]
    assert {"message will be given again", "request failed"} <= {line["message"] for line in lines}
    assert all({"level", "timestamp", "service", "location"} <= line.keys() for line in lines)
    for secret in (SECRET, API_KEY, workshop.environment["AWS_SECRET_ACCESS_KEY"]):
        assert secret not in logs
        assert secret not in json.dumps(said)


def _word(text: str) -> bytes:
    file, document = io.BytesIO(), docx.Document()
    document.add_paragraph(text)
    document.save(file)
    return file.getvalue()
