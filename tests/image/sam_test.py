"""Runs `sam build` and `sam local invoke` as the README has them, with files from events/ and the emulators of AWS.

`make sam-test` starts it. The last line is ``N passed, N failed``.

CALLBOARD_SAM_OPTIONS   more options for `sam local invoke`, such as `--skip-pull-image` where there is no registry
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import image as images
import stack
from forward import Forwarder
from image import Unavailable
from report import Tests

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests"))
from processes import exit_on_signals  # noqa: E402

WORK = ROOT / "target/sam-test"
HOST = "host.docker.internal"
ENVIRONMENT = {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"}


class Sam:
    """The SAM CLI, with the built functions and the emulators."""

    def __init__(self, variables: dict[str, str]) -> None:
        self.variables = WORK / "environment.json"
        self.variables.write_text(json.dumps({"Parameters": variables}))

    def invoke(self, function: str, event: Any) -> Any:
        """Has SAM invoke a function in its container; returns the answer."""
        file = WORK / "event.json"
        file.write_text(json.dumps(event))
        options = shlex.split(os.environ.get("CALLBOARD_SAM_OPTIONS", ""))
        command = ["sam", "local", "invoke", function, "-e", str(file), "--env-vars", str(self.variables), *options]
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True)
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            raise AssertionError(f"{shlex.join(command)} answers {done.stdout!r}\n{done.stderr}") from None
        assert done.returncode == 0 and "errorType" not in answer, f"{answer}\n{done.stderr}"
        return answer


def main() -> int:
    """Builds the functions and invokes each; returns the exit code."""
    WORK.mkdir(parents=True, exist_ok=True)
    found = Tests()
    with contextlib.ExitStack() as stops:
        stops.enter_context(images.daemon(WORK / "dockerd.log"))
        found.check("sam build", build)
        sam = Sam(variables(stops))
        if not found.failed:
            invoke_all(found, sam)
    return found.end()


def build() -> None:
    """Builds the zips with cargo-lambda and the worker's image with Docker, by nothing but samconfig.toml."""
    print("$ sam build", flush=True)
    subprocess.run(["sam", "build"], cwd=ROOT, env={**os.environ, **ENVIRONMENT}, check=True)


def variables(stops: contextlib.ExitStack) -> dict[str, str]:
    """Makes table, queue and bucket; returns the variables that lead functions in containers to them."""
    resources = stack.create_resources()
    gateway = images.run("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")
    found = dict[str, str]()
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"):
        forwarder = Forwarder(gateway, os.environ[name])
        stops.callback(forwarder.stop)
        found[name] = f"http://{HOST}:{forwarder.port}"
    ours = os.environ["AWS_ENDPOINT_URL"]
    queues = {
        name: resources[name].replace(ours, found["AWS_ENDPOINT_URL"])
        for name in ("CALLBOARD_QUEUE_URL", "CALLBOARD_CALLS_URL")
    }
    found.update(resources, **queues)
    example = stack.load("local-environment.json")["Parameters"]
    found["CALLBOARD_SERVICES"] = example["CALLBOARD_SERVICES"]
    assert found.keys() == example.keys(), f"events/local-environment.json names {sorted(example)}"
    return found


def invoke_all(found: Tests, sam: Sam) -> None:
    """Takes a job and a call through the functions, then sends what else there is."""
    found.check("a job by SubmitFunction, WorkerFunction and QueryFunction", lambda: take_a_job_through(sam))
    found.check("a call by SubmitFunction, CallerFunction and QueryFunction", lambda: take_a_call_through(sam))
    http = {
        "http-submit-full.json": ("SubmitFunction", 202),
        "http-submit-malformed.json": ("SubmitFunction", 400),
        "http-submit-refused.json": ("SubmitFunction", 422),
        "rest-submit.json": ("SubmitFunction", 202),
        "http-list.json": ("QueryFunction", 200),
        "rest-list.json": ("QueryFunction", 200),
        "http-health-ready.json": ("QueryFunction", 200),
        "http-not-found.json": ("QueryFunction", 404),
    }
    for name, (function, status) in http.items():
        found.check(f"{function} and events/{name}", answers(sam, function, name, status))
    for name in ("direct-job.json", "eventbridge-job.json", "scheduler-job.json", "sqs-intake.json", "sweep.json"):
        found.check(f"SubmitFunction and events/{name}", partial(sam.invoke, "SubmitFunction", stack.load(name)))
    found.check("every job of those is in the list", lambda: count_jobs(sam))


def take_a_job_through(sam: Sam) -> None:
    """A job is posted, run and asked for."""
    answer = sam.invoke("SubmitFunction", stack.load("http-submit-minimal.json"))
    assert answer["statusCode"] == 202, answer
    job_id = json.loads(answer["body"])["job_id"]
    assert sam.invoke("WorkerFunction", stack.message(job_id)) == {"batchItemFailures": []}
    record = json.loads(sam.invoke("QueryFunction", stack.about("http-get.json", job_id))["body"])
    assert record["status"] == "successful", record
    logs = sam.invoke("QueryFunction", stack.about("http-logs.json", job_id))
    assert logs["statusCode"] in (200, 302, 307), logs


def take_a_call_through(sam: Sam) -> None:
    """A call is posted and tried; nothing listens where the example's service should be, and its record says so."""
    event = stack.load("http-submit-minimal.json")
    event["body"] = json.dumps({"service": "example", "operation": "greet"})
    event["headers"]["content-length"] = str(len(event["body"]))
    answer = sam.invoke("SubmitFunction", event)
    assert answer["statusCode"] == 202, answer
    job_id = json.loads(answer["body"])["job_id"]
    assert sam.invoke("CallerFunction", stack.about("sqs-calls.json", job_id)) == {"batchItemFailures": []}
    record = json.loads(sam.invoke("QueryFunction", stack.about("http-get.json", job_id))["body"])
    assert record["reason"] == "service_unreachable", record


def answers(sam: Sam, function: str, name: str, status: int) -> Callable[[], None]:
    """Returns a test: the function answers an HTTP event with this status."""

    def test() -> None:
        answer = sam.invoke(function, stack.load(name))
        assert answer["statusCode"] == status, answer

    return test


def count_jobs(sam: Sam) -> None:
    """A call and three jobs came over HTTP, three as events, three in sqs-intake.json, of which one is refused."""
    jobs = json.loads(sam.invoke("QueryFunction", stack.load("http-list.json"))["body"])
    assert jobs["total"] == 1 + 3 + 3 + 3, jobs


if __name__ == "__main__":
    exit_on_signals()
    try:
        sys.exit(main())
    except Unavailable as error:
        sys.exit(f"sam-test: {error}")
