"""What stands around the worker: table, queue and bucket of the template, and the functions that submit and query."""

from __future__ import annotations

import base64
import copy
import json
import os
import subprocess
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import boto3
import rie
from samcli.yamlhelper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]
EVENTS = ROOT / "events"
TABLE_PROPERTIES = ("AttributeDefinitions", "BillingMode", "GlobalSecondaryIndexes", "KeySchema")
QUEUE_PROPERTIES = ("VisibilityTimeout", "MessageRetentionPeriod")


def create_resources(table: str = "", queue: str = "", bucket: str = "") -> dict[str, str]:
    """Makes table, queue and bucket as infra/template.yaml has them; returns the variables that name them."""
    resources = yaml_parse((ROOT / "infra/template.yaml").read_text())["Resources"]
    suffix = uuid.uuid4().hex[:8]
    table, queue, bucket = table or f"jobs-{suffix}", queue or f"jobs-{suffix}", bucket or f"logs-{suffix}"
    properties = resources["JobsTable"]["Properties"]
    client("dynamodb").create_table(TableName=table, **{name: properties[name] for name in TABLE_PROPERTIES})
    properties = resources["JobsQueue"]["Properties"]
    attributes = {name: str(properties[name]) for name in QUEUE_PROPERTIES if name in properties}
    urls = [
        client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        for name in (queue, f"calls-{suffix}")
    ]
    client("s3").create_bucket(Bucket=bucket)
    return {
        "CALLBOARD_TABLE": table,
        "CALLBOARD_QUEUE_URL": urls[0],
        "CALLBOARD_CALLS_URL": urls[1],
        "CALLBOARD_BUCKET": bucket,
        "CALLBOARD_SECRETS_PREFIX": f"callboard/{suffix}",
    }


def client(service: str) -> Any:
    """Returns a client of the emulators; boto3 takes the region from another variable than the other SDKs."""
    return boto3.client(service, region_name=os.environ["AWS_REGION"])


def function_environment(resources: dict[str, str]) -> dict[str, str]:
    """Returns what Lambda, SAM's template and the emulators give every function."""
    aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    return {
        **aws,
        **resources,
        "AWS_DEFAULT_REGION": aws["AWS_REGION"],
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "900",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
        "CALLBOARD_RETENTION_DAYS": "30",
        "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
    }


class Local(rie.Function):
    """A function's binary of this checkout under the emulator."""

    def __init__(self, name: str, environment: dict[str, str]) -> None:
        port, runtime_port = rie.free_ports()
        binary = ROOT / "target/debug" / name
        command = [os.environ["CALLBOARD_RIE"], *rie.emulator(port, runtime_port), str(binary)]
        super().__init__(name, command, {**environment, "AWS_LAMBDA_FUNCTION_NAME": name})
        self.connect(port)


class Stack:
    """Submit and query, and the requests that the tests have for them."""

    def __init__(self, environment: dict[str, str]) -> None:
        packages = [argument for name in ("submit", "query") for argument in ("-p", f"callboard-{name}")]
        subprocess.run(["cargo", "build", "--quiet", *packages], check=True, cwd=ROOT)
        self.submit_function = Local("submit", environment)
        self.query_function = Local("query", environment)

    def stop(self) -> None:
        """Stops both functions."""
        self.submit_function.stop()
        self.query_function.stop()

    def submit(self, request: dict[str, Any]) -> str:
        """Posts a job and returns its id."""
        event = load("http-submit-minimal.json")
        event["body"] = json.dumps(request)
        event["headers"]["content-length"] = str(len(event["body"]))
        answer = self.submit_function.invoke(event)
        assert answer["statusCode"] == 202, answer
        job_id: str = json.loads(answer["body"])["job_id"]
        return job_id

    def record(self, job_id: str) -> dict[str, Any]:
        """Gets a job's record."""
        record: dict[str, Any] = json.loads(self._get("http-get.json", job_id))
        return record

    def output(self, job_id: str) -> str:
        """Gets what Ansible has printed."""
        return self._get("http-logs.json", job_id).decode()

    def _get(self, event: str, job_id: str) -> bytes:
        answer = self.query_function.invoke(about(event, job_id))
        if answer["statusCode"] in (302, 303, 307):
            with urllib.request.urlopen(answer["headers"]["location"]) as response:
                content: bytes = response.read()
                return content
        assert answer["statusCode"] == 200, answer
        body: str = answer["body"]
        return base64.b64decode(body) if answer["isBase64Encoded"] else body.encode()


def load(name: str) -> Any:
    """Reads one of the repository's events."""
    return json.loads((EVENTS / name).read_text())


def about(name: str, job_id: str) -> Any:
    """Reads an event and puts a job's id in the place of the example's."""
    example = json.loads(load("sqs-jobs.json")["Records"][0]["body"])["job_id"]
    return json.loads((EVENTS / name).read_text().replace(example, job_id))


def message(job_id: str) -> Any:
    """Returns the event with which the queue delivers a job's id."""
    return about("sqs-jobs.json", job_id)


def no_messages() -> Any:
    """Returns a batch without messages: it starts a worker and gives it nothing to do."""
    event = copy.deepcopy(load("sqs-jobs.json"))
    event["Records"] = []
    return event


if __name__ == "__main__":
    for name, value in create_resources("callboard-jobs", "callboard-jobs", "callboard-logs").items():
        print(f"export {name}={value}")
