"""Tests the worker's container image: builds it, and runs jobs with it in Lambda's sandbox.

`make image-test` starts it, with the emulators of AWS around it. The last line is ``N passed, N failed``.

CALLBOARD_IMAGE           tests this image and builds none
CALLBOARD_RUST_IMAGE      the image that the binary is built with
CALLBOARD_BASE_IMAGE      the image that the worker's is built on
CALLBOARD_BUILD_OPTIONS   more options for `docker build`, such as `--network host`
"""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import image as images
import sandbox
import stack
from image import Image, Unavailable
from report import Tests
from sandbox import Sandbox
from scenarios import Scenario, playbook, scenarios
from sshd import Server

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests"))
from processes import exit_on_signals  # noqa: E402

WORK = ROOT / "target/image-test"
READY = "the Ansible host is ready"
COLD_STARTS = 3
# Not Lambda's, nor anybody's: files must be readable by whomever
STRANGER = (54321, 54321)


class Suite:
    """Everything that the tests share."""

    def __init__(self, image: Image, root: Path, environment: dict[str, str], around: stack.Stack) -> None:
        self.image = image
        self.root = root
        self.environment = environment
        self.around = around
        self.tests = Tests()

    def start(self, **options: object) -> Sandbox:
        """Starts a worker."""
        return Sandbox(self.image, self.root, self.environment, **options)  # type: ignore[arg-type]

    def cold_start(self) -> float:
        """Starts a worker and returns the seconds from the start of its process until the host is ready."""
        worker = self.start()
        try:
            start = time.monotonic()
            answer = worker.invoke(stack.no_messages())
            assert answer == {"batchItemFailures": []}, answer
            return worker.wait_for(READY) - start
        finally:
            worker.stop()

    def run(self, worker: Sandbox, scenario: Scenario) -> None:
        """Runs a job to its end, which must be good, and looks at what is left in the sandbox."""
        files, processes = worker.temporary_files(), worker.processes()
        job_id = self.around.submit(scenario.request)
        answer = worker.invoke(stack.message(job_id))
        assert answer == {"batchItemFailures": []}, answer
        record = self.around.record(job_id)
        output = self.around.output(job_id) if record["status"] != "pending" else ""
        assert record["status"] == "successful", f"{record['error']}\n{output}\n{worker.tail()}"
        assert scenario.output in output, output
        assert worker.temporary_files() == files, f"left in /tmp: {worker.temporary_files() ^ files}"
        assert worker.processes() == processes, f"left running: {worker.processes() ^ processes}"

    def run_all(self, worker: Sandbox, all_: list[Scenario]) -> None:
        """Runs jobs one after the other in the same worker."""
        try:
            worker.invoke(stack.no_messages())
            for scenario in all_:
                self.tests.check(scenario.name, partial(self.run, worker, scenario))
        finally:
            worker.stop()


def main() -> int:
    """Builds, exports, measures and tests; returns the exit code."""
    if os.geteuid() != 0:
        raise Unavailable("run this as root: it makes mount namespaces and changes user ids")
    WORK.mkdir(parents=True, exist_ok=True)
    with images.daemon(WORK / "dockerd.log"):
        image = images.build("callboard-worker:test")
        images.export(image, WORK / "root")
    sandbox.install_emulator(WORK / "root")
    environment = stack.function_environment(stack.create_resources())
    with contextlib.ExitStack() as stops:
        stops.callback(shutil.rmtree, WORK / "root")
        around = stack.Stack(environment)
        stops.callback(around.stop)
        server = Server()
        stops.callback(server.stop)
        suite = Suite(image, WORK / "root", environment, around)
        tests(suite, server)
    return suite.tests.end()


def tests(suite: Suite, server: Server) -> None:
    """Runs all tests."""
    variables = {**server.variables(), "endpoint_url": suite.environment["AWS_ENDPOINT_URL"], "bucket": "from-a-job"}
    playbooks = collect_playbooks()
    check = suite.tests.check
    check("it runs as nobody special", lambda: runs_as_lambdas_user(suite.image))
    check("cold start", lambda: report_cold_starts(suite))
    hello = Scenario("the image's own playbooks", playbook("hello.yml"), "ok=")
    suite.run_all(suite.start(), [hello])
    own = scenarios({**variables, "uid": str(sandbox.LAMBDA[0])})
    suite.run_all(suite.start(playbooks=playbooks), own)
    stranger = Scenario("any user id", playbook("image/sandbox.yml", extra_vars={"uid": str(STRANGER[0])}))
    suite.run_all(suite.start(playbooks=playbooks, user=STRANGER), [stranger])


def runs_as_lambdas_user(image: Image) -> None:
    """Without Lambda, the image's own user is what Lambda's would be."""
    assert image.user == ":".join(map(str, sandbox.LAMBDA)), image.user


def report_cold_starts(suite: Suite) -> None:
    """Measures; time has no limit here, since it is the machine's."""
    times = [suite.cold_start() for _ in range(COLD_STARTS)]
    listed = ", ".join(f"{seconds:.2f}" for seconds in times)
    print(f"image size: {suite.image.bytes / 1e6:.0f} MB")
    print(f"cold start, process start to host ready: {statistics.median(times):.2f} s (of {listed})")


def collect_playbooks() -> Path:
    """Puts the tests' playbooks into one folder, readable by all."""
    folder = WORK / "playbooks"
    shutil.rmtree(folder, ignore_errors=True)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "tests/playbooks", folder, ignore=ignore)
    shutil.copytree(ROOT / "tests/image/playbooks", folder / "image")
    subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
    return folder


if __name__ == "__main__":
    exit_on_signals()
    try:
        sys.exit(main())
    except Unavailable as error:
        sys.exit(f"image-test: {error}")
