"""What serverless.yml would deploy, in the template that osls makes of it. It needs npx, and npm's registry once."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from infra.package import FUNCTIONS
from shared.operations import DRIFT_KINDS
from shared.requested_exports import EXPORTS, KEPT_DAYS
from shared.settings import PREFIX, Settings, load_settings
from shared.telemetry import METRICS, NAMESPACE
from tests.conftest import ROOT
from tests.infra.cloud import load_event
from tests.infra.serverless import REGION, Template, make_template, text_of

LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
TAKE_MESSAGES = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
READ = ("s3:GetObject", "s3:GetObjectVersion")

# All that each function may do. Who needs more says here why.
PERMISSIONS = {
    "IngestRole": {
        *((action, "IngestLogGroup.Arn") for action in LOGS),
        *((action, "DocumentsBucket.Arn/*") for action in READ),
        ("s3:ListBucket", "DocumentsBucket.Arn"),  # without it a missing object looks like a forbidden one
        ("s3:PutObject", "DocumentsBucket.Arn/.lockstep/ledger/*"),  # deletes, before they are made
        *((action, "IngestQueue.Arn") for action in (*TAKE_MESSAGES, "sqs:SendMessage")),
        ("sqs:SendMessage", "SyncQueue.Arn"),
    },
    "QueryRole": {
        *((action, "QueryLogGroup.Arn") for action in LOGS),
        *((action, "DocumentsBucket.Arn/*") for action in ("s3:PutObject", "s3:DeleteObject")),
        ("s3:ListBucket", "DocumentsBucket.Arn"),  # of the ledger alone: what the catalog must know to be deleted
        *((action, "DocumentsBucket.Arn/.lockstep/ledger/*") for action in READ),
        *((f"s3:{action}Object", "BackupsBucket.Arn/exports/*") for action in ("Put", "Get", "Delete")),
        ("s3:ListBucket", "BackupsBucket.Arn"),  # of exports alone
        *(("sqs:SendMessage", f"{queue}.Arn") for queue in ("IngestQueue", "SyncQueue")),  # a retry asks for a look
    },
    "SyncRole": {
        *((action, "SyncLogGroup.Arn") for action in LOGS),
        ("s3:ListBucket", "DocumentsBucket.Arn"),
        *((action, "DocumentsBucket.Arn/.lockstep/*") for action in READ),  # whose bucket it is, and the ledger
        ("s3:DeleteObject", "DocumentsBucket.Arn/*"),  # of a deleted bot, corrections of a deleted document
        *(("s3:GetObject", f"BackupsBucket.Arn/{folder}/*") for folder in ("snapshots", "parts")),  # of a lost index
        ("s3:ListBucket", "BackupsBucket.Arn"),
        ("s3:DeleteObject", "BackupsBucket.Arn/exports/*"),  # of a deleted bot
        ("sqs:SendMessage", "IngestQueue.Arn"),
        *((action, "SyncQueue.Arn") for action in (*TAKE_MESSAGES, "sqs:SendMessage")),
    },
    "BackupRole": {
        *((action, "BackupLogGroup.Arn") for action in LOGS),
        *(
            (f"s3:{action}Object", f"BackupsBucket.Arn/{folder}/*")
            for action in (
                "Put",
                "Get",
                "Delete",
            )  # old ones are deleted by the function, which knows what others share
            for folder in ("snapshots", "parts", "state", "exports")
        ),
        ("s3:ListBucket", "BackupsBucket.Arn"),
    },
}

# Settings that the cloud has no use for, or whose default is right there.
NOT_IN_THE_CLOUD = {
    "allowed_hosts": "an HTTP API answers for its own names only",
    "backup_objects": "the bucket keeps versions of its own",
    "index_metric": "the default",
    "llm_timeout_seconds": "the default is what an HTTP API leaves time for",
    "model_path": "the default is where a layer is unpacked",
    "reranker_hits": "the default",
    "reranker_path": "no layer has one",
    "reranker_timeout_seconds": "the default",
    "s3_addressing_style": "what botocore chooses is right for AWS",
    "s3_endpoint_url": "AWS's own",
    "s3_region": "the function's own",
    "upload_signing_key": "S3 signs uploads itself",
    "upload_url": "S3 takes uploads itself",
}


@pytest.fixture(scope="module")
def template(aws_url: str, tmp_path_factory: pytest.TempPathFactory) -> Template:
    return make_template(tmp_path_factory.mktemp("service"), aws_url)


def test_osls_warns_of_nothing(template: Template) -> None:
    assert "Service packaged" in template.said
    assert not re.search("warning|deprecat|invalid", template.said, re.IGNORECASE)


def test_cfn_lint_finds_nothing(template: Template) -> None:
    # W3005 is of osls's own making: it writes DependsOn beside references that say the same.
    command = [str(Path(sys.executable).parent / "cfn-lint"), "-t", str(template.file), "-r", REGION, "-i", "W3005"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_there_are_the_four_functions_and_only_they(template: Template) -> None:
    functions = template.of_type("AWS::Lambda::Function")
    assert sorted(functions) == sorted(f"{name.capitalize()}LambdaFunction" for name in FUNCTIONS)
    for name in FUNCTIONS:
        function = template.function(name)
        assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["x86_64"])
        assert function["Handler"] == f"functions/{name}/handler.handler"
        assert (ROOT / f"functions/{name}/handler.py").is_file()
        assert function["Code"]["S3Key"].endswith(f"/{name}.zip")
        assert text_of(function["Role"]) == f"{name.capitalize()}Role.Arn"


def test_all_share_the_one_layer(template: Template) -> None:
    ((name, layer),) = template.of_type("AWS::Lambda::LayerVersion").items()
    assert layer["Content"]["S3Key"].endswith("/layer.zip")
    assert {text_of(each) for function in FUNCTIONS for each in template.function(function)["Layers"]} == {name}


def test_the_other_architecture_is_one_parameter(aws_url: str, tmp_path: Path) -> None:
    template = make_template(tmp_path, aws_url, architecture="arm64", logRetentionDays="7")
    assert {tuple(template.function(name)["Architectures"]) for name in FUNCTIONS} == {("arm64",)}
    (layer,) = template.of_type("AWS::Lambda::LayerVersion").values()
    assert layer["CompatibleArchitectures"] == ["arm64"]
    assert {log["RetentionInDays"] for log in template.of_type("AWS::Logs::LogGroup").values()} == {7}


# What starts them


def test_every_change_in_the_bucket_goes_to_ingest_s_queue(template: Template) -> None:
    bucket = template.of_type("AWS::S3::Bucket")["DocumentsBucket"]
    told = bucket["NotificationConfiguration"]["QueueConfigurations"]
    assert {(each["Event"], text_of(each["Queue"])) for each in told} == {
        ("s3:ObjectCreated:*", "IngestQueue.Arn"),
        ("s3:ObjectRemoved:*", "IngestQueue.Arn"),
    }
    (statement,) = template.of_type("AWS::SQS::QueuePolicy")["IngestQueuePolicy"]["PolicyDocument"]["Statement"]
    assert (statement["Principal"], statement["Action"]) == ({"Service": "s3.amazonaws.com"}, "sqs:SendMessage")
    assert statement["Condition"].keys() == {"ArnEquals", "StringEquals"}


def test_queues_feed_ingest_and_sync_within_bounds(template: Template) -> None:
    feeds = {
        text_of(feed["FunctionName"]): feed for feed in template.of_type("AWS::Lambda::EventSourceMapping").values()
    }
    assert feeds.keys() == {"IngestLambdaFunction.Arn", "SyncLambdaFunction.Arn"}
    for feed in feeds.values():
        assert 2 <= feed["ScalingConfig"]["MaximumConcurrency"] <= 10
    ingest = feeds["IngestLambdaFunction.Arn"]
    assert text_of(ingest["EventSourceArn"]) == "IngestQueue.Arn"
    assert ingest["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize("name", ["ingest", "sync"])
def test_a_message_outlasts_its_function_and_is_given_up_in_sight(template: Template, name: str) -> None:
    queues = template.of_type("AWS::SQS::Queue")
    queue, dead_letters = (queues[f"{name.capitalize()}{kind}"] for kind in ("Queue", "DeadLetterQueue"))
    assert queue["VisibilityTimeout"] >= 6 * template.function(name)["Timeout"]
    assert text_of(queue["RedrivePolicy"]["deadLetterTargetArn"]) == f"{name.capitalize()}DeadLetterQueue.Arn"
    assert dead_letters["MessageRetentionPeriod"] > queue["MessageRetentionPeriod"]
    alarms = template.of_type("AWS::CloudWatch::Alarm")
    assert text_of(alarms[f"{name.capitalize()}DeadLettersAlarm"]["Dimensions"][0]["Value"]).startswith(
        f"{name.capitalize()}DeadLetterQueue"
    )


def test_every_request_reaches_query_which_answers_before_the_api_gives_up(template: Template) -> None:
    (route,) = template.of_type("AWS::ApiGatewayV2::Route").values()
    (integration,) = template.of_type("AWS::ApiGatewayV2::Integration").values()
    assert route["RouteKey"] == "$default"
    assert text_of(integration["IntegrationUri"]) == "QueryLambdaFunction.Arn"
    assert integration["PayloadFormatVersion"] == "2.0"
    assert template.function("query")["Timeout"] < 30


def test_timers_start_sync_and_backup(template: Template) -> None:
    rules = template.of_type("AWS::Events::Rule").values()
    started = {
        (text_of(target["Arn"]), target.get("Input", "")): rule["ScheduleExpression"]
        for rule in rules
        for target in rule["Targets"]
        if "ScheduleExpression" in rule
    }
    assert started == {
        ("SyncLambdaFunction.Arn", ""): "rate(1 hour)",
        ("BackupLambdaFunction.Arn", ""): "cron(15/20 2-5 * * ? *)",
        ("BackupLambdaFunction.Arn", '{"task":"drill"}'): "cron(45 6 ? * SUN *)",
    }


def test_a_request_for_an_export_wakes_backup(template: Template) -> None:
    (rule,) = (it for it in template.of_type("AWS::Events::Rule").values() if "EventPattern" in it)
    assert rule["EventPattern"] == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {
            "bucket": {"name": [{"Ref": "BackupsBucket"}]},
            "object": {"key": [{"wildcard": "exports/*/request.json"}]},
        },
    }
    assert rule["State"] == "ENABLED"
    assert [text_of(target["Arn"]) for target in rule["Targets"]] == ["BackupLambdaFunction.Arn"]
    bucket = template.of_type("AWS::S3::Bucket")["BackupsBucket"]
    assert bucket["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    allowed = {
        text_of(it["FunctionName"]): it["Principal"] for it in template.of_type("AWS::Lambda::Permission").values()
    }
    assert allowed["BackupLambdaFunction.Arn"] == "events.amazonaws.com"


def test_the_event_that_is_tested_is_one_that_the_rule_lets_through() -> None:
    event = load_event("s3_export_requested")
    assert (event["source"], event["detail-type"]) == ("aws.s3", "Object Created")
    assert re.fullmatch(r"exports/.*/request\.json", event["detail"]["object"]["key"])


def test_query_sees_of_the_snapshots_bucket_the_exports_alone(template: Template) -> None:
    (policy,) = template.content["Resources"]["QueryRole"]["Properties"]["Policies"]
    (statement,) = (
        it
        for it in policy["PolicyDocument"]["Statement"]
        if it["Action"] == "s3:ListBucket" and text_of(it["Resource"]) == "BackupsBucket.Arn"
    )
    assert statement["Condition"] == {"StringLike": {"s3:prefix": "exports/*"}}


def test_the_bucket_forgets_exports_when_the_function_does(template: Template) -> None:
    rules = template.of_type("AWS::S3::Bucket")["BackupsBucket"]["LifecycleConfiguration"]["Rules"]
    forgotten = [(rule["Prefix"], rule["ExpirationInDays"]) for rule in rules if "ExpirationInDays" in rule]
    assert forgotten == [(EXPORTS, KEPT_DAYS)]  # and nothing else by its age: snapshots share files


# What they may do, and know


def test_every_role_may_do_what_is_listed_and_nothing_else(template: Template) -> None:
    assert template.of_type("AWS::IAM::Role").keys() == PERMISSIONS.keys()
    for role, permissions in PERMISSIONS.items():
        assert set(template.permissions(role)) == permissions
        assert "ManagedPolicyArns" not in template.of_type("AWS::IAM::Role")[role]


def test_no_role_may_do_everything_or_to_everything(template: Template) -> None:
    for role in PERMISSIONS:
        for action, resource in template.permissions(role):
            assert "*" not in action
            assert re.fullmatch(
                r"\w+\.Arn(/([\w.]+/)*\*)?", resource
            )  # a resource of this stack, or objects in a bucket


def test_roles_are_for_functions_alone(template: Template) -> None:
    for role in template.of_type("AWS::IAM::Role").values():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_s_settings_are_known_and_enough(template: Template, name: str) -> None:
    variables = {key: text for key, text in template.environment(name).items() if key.startswith(PREFIX)}
    assert {key.removeprefix(PREFIX).lower() for key in variables} <= Settings.model_fields.keys()
    settings = load_settings({key: text_of(value) for key, value in variables.items()})
    assert settings.bucket_url.startswith("s3://")
    assert settings.postgres_direct_url or name == "ingest"
    assert (settings.ingest_queue_url and settings.sync_queue_url) or name in ("query", "backup")
    assert settings.backup_url or name == "ingest"
    assert settings.api_key or name != "query"


def test_every_setting_is_set_somewhere_or_left_alone_for_a_reason(template: Template) -> None:
    used = {key.removeprefix(PREFIX).lower() for name in FUNCTIONS for key in template.environment(name)}
    assert Settings.model_fields.keys() - used == NOT_IN_THE_CLOUD.keys()


def test_secrets_are_references_and_nothing_else(template: Template) -> None:
    secret = {f"{PREFIX}{name.upper()}" for name, each in Settings.model_fields.items() if _is_secret(each.annotation)}
    for name in FUNCTIONS:
        for key, value in template.environment(name).items():
            if key in secret:
                assert re.fullmatch(r"\{\{resolve:secretsmanager:lockstep/production:SecretString:\w+\}\}", value)
    referenced = set(re.findall(r"SecretString:(\w+)", template.file.read_text("utf-8")))
    readme = (ROOT / "infra" / "README.md").read_text("utf-8")
    assert {key for key in referenced if f'"{key}"' not in readme} == set()


# What stays, and who is told


def test_logs_are_kept_for_a_while_and_not_for_ever(template: Template) -> None:
    logs = template.of_type("AWS::Logs::LogGroup")
    assert {log["LogGroupName"] for log in logs.values()} == {
        f"/aws/lambda/lockstep-production-{it}" for it in FUNCTIONS
    }
    assert {log["RetentionInDays"] for log in logs.values()} == {30}


@pytest.mark.parametrize("name", ["DocumentsBucket", "BackupsBucket"])
def test_buckets_are_private_encrypted_and_outlive_the_stack(template: Template, name: str) -> None:
    resource = template.content["Resources"][name]
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    bucket = resource["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert "BucketEncryption" in bucket
    (statement,) = template.of_type("AWS::S3::BucketPolicy")[f"{name}Policy"]["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_every_alarm_tells_somebody_and_the_readme_tells_what_to_do(template: Template) -> None:
    readme = (ROOT / "infra" / "README.md").read_text("utf-8")
    alarms = template.of_type("AWS::CloudWatch::Alarm")
    for alarm in alarms.values():
        assert [text_of(action) for action in alarm["AlarmActions"]] == ["AlarmTopic"]
        assert f"`{alarm['AlarmName'].removeprefix('lockstep-production-')}`" in readme
    watched = {text_of(each["Value"]) for alarm in alarms.values() for each in alarm.get("Dimensions", [])}
    assert {f"{name.capitalize()}LambdaFunction" for name in FUNCTIONS} <= watched


def test_alarms_watch_metrics_that_there_are_under_the_name_of_this_deployment(template: Template) -> None:
    metrics = [metric for alarm in template.of_type("AWS::CloudWatch::Alarm").values() for metric in _metrics_of(alarm)]
    ours = [metric for metric in metrics if metric["Namespace"] == NAMESPACE]
    assert {metric["MetricName"] for metric in ours} <= METRICS.keys()
    assert len(ours) == 11
    for metric in ours:
        assert {"Name": "service", "Value": "lockstep-production"} in metric["Dimensions"]
    for name in FUNCTIONS:
        assert template.environment(name)["POWERTOOLS_SERVICE_NAME"] == "lockstep-production"
    watched = {(it["Name"], it["Value"]) for metric in ours for it in metric["Dimensions"]} - {
        ("service", "lockstep-production")
    }
    kinds = {("kind", kind) for kind in DRIFT_KINDS} - {("kind", "foreign")}  # reported, and nobody's fault here
    stores = {("store", store) for store in ("catalog", "index", "bucket", "queue")}
    assert watched == kinds | stores | {("state", "failed")}


def _metrics_of(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    several = [each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
    return several or [alarm]


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or SecretStr in getattr(annotation, "__args__", ())
