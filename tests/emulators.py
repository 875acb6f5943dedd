"""Starts what the tests need: LocalStack, DynamoDB Local, the Runtime Interface Emulator, OpenBao, and a Docker engine.

python tests/emulators.py run -- COMMAND...   starts them, runs COMMAND with the variables that lead to them, stops them
python tests/emulators.py up                  starts them, prints the variables, and stops them when it is interrupted

Where AWS_ENDPOINT_URL is set already, that is used and no service of AWS is started; CALLBOARD_TEST_VAULT likewise.
A Docker engine is started where none answers, and only root can do that.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

import docker_engine
import emulator_files
from emulator_files import Unavailable, program, say
from processes import Processes, exit_on_signals

START_LIMIT = 180
SERVICES = "ec2,events,s3,scheduler,secretsmanager,sqs,ssm,sts"
ACCOUNT = {
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Emulators:
    """Starts in the background what is not given; on leaving, everything is stopped."""

    def __init__(self) -> None:
        self.processes = Processes()
        # it ends its containers before it ends
        self.engine = Processes(grace=30)
        self.resources = contextlib.ExitStack()
        self.volume = self.scratch = ""
        self.parts = list[Future[dict[str, str]]]()

    def __enter__(self) -> Emulators:
        """Starts the parts, each in a thread."""
        self.volume, self.scratch = (self.resources.enter_context(tempfile.TemporaryDirectory()) for _ in range(2))
        self.resources.callback(self.processes.stop)
        self.resources.callback(self.engine.stop)
        pool = ThreadPoolExecutor()
        given = os.environ.keys() & {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"}
        parts = [self.rie, self.collections, self.docker]
        parts += [] if "AWS_ENDPOINT_URL" in given else [self.localstack]
        parts += [] if given else [self.dynamodb]
        parts += [] if "CALLBOARD_TEST_VAULT" in os.environ else [self.openbao]
        self.parts = [pool.submit(part) for part in parts]
        pool.shutdown(wait=False)
        return self

    def __exit__(self, *_error: object) -> None:
        """Stops them."""
        self.resources.close()

    def environment(self) -> dict[str, str]:
        """Waits until all are there; returns the variables that lead to them."""
        found = {}
        for part in as_completed(self.parts):
            found.update(part.result())
        ours = {} if "AWS_ENDPOINT_URL" in os.environ else ACCOUNT
        return {**found, **ours}

    def rie(self) -> dict[str, str]:
        """Makes the Runtime Interface Emulator, which the tests start themselves, once for each function."""
        return {"CALLBOARD_RIE": str(emulator_files.rie(self.processes))}

    def collections(self) -> dict[str, str]:
        """Makes the collections that the worker's image has, among them that of AWS's plugins."""
        return {"CALLBOARD_TEST_COLLECTIONS": str(emulator_files.collections(self.processes))}

    def localstack(self) -> dict[str, str]:
        """Starts LocalStack."""
        python, port = emulator_files.localstack(self.processes), free_port()
        environment = {
            # It listens on every interface if it is given an IPv4 address, whichever.
            "GATEWAY_LISTEN": f"[::ffff:127.0.0.1]:{port}",
            "LOCALSTACK_HOST": f"127.0.0.1:{port}",
            "LOCALSTACK_VOLUME_DIR": self.volume,
            "SERVICES": SERVICES,
            "EAGER_SERVICE_LOADING": "1",
            "DISABLE_EVENTS": "1",
            "DNS_ADDRESS": "0",
            "SKIP_SSL_CERT_DOWNLOAD": "1",
        }
        command = [str(python), "-m", "localstack.runtime.main"]
        self.serve("LocalStack", command, f"http://127.0.0.1:{port}/_localstack/health", environment)
        return {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}

    def dynamodb(self) -> dict[str, str]:
        """Starts DynamoDB Local. It listens on every interface and cannot be told otherwise."""
        java = program("java", "to run DynamoDB Local (on Debian and Ubuntu: apt install default-jre-headless)")
        folder, port = emulator_files.dynamodb(self.processes), free_port()
        library = f"-Djava.library.path={folder}/DynamoDBLocal_lib"
        command = [java, library, "-jar", f"{folder}/DynamoDBLocal.jar", "-inMemory", "-port", str(port)]
        self.serve("DynamoDB Local", command, f"http://127.0.0.1:{port}", {})
        return {"AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{port}"}

    def docker(self) -> dict[str, str]:
        """Finds a Docker engine, or starts one."""
        return docker_engine.engine(self.engine, Path(self.scratch))

    def openbao(self) -> dict[str, str]:
        """Starts OpenBao, which keeps all in memory and has an engine of KV 2 at ``secret/``."""
        program, address = emulator_files.openbao(self.processes), f"127.0.0.1:{free_port()}"
        token = secrets.token_hex(16)
        options = [f"-dev-listen-address={address}", f"-dev-root-token-id={token}", "-dev-no-store-token"]
        self.serve("OpenBao", [str(program), "server", "-dev", *options], f"http://{address}/v1/sys/health", {})
        return {"CALLBOARD_TEST_VAULT": f"http://{address}", "CALLBOARD_TEST_VAULT_TOKEN": token}

    def serve(self, name: str, command: Sequence[str], url: str, environment: Mapping[str, str]) -> None:
        """Starts a server and waits until it answers."""
        start = time.monotonic()
        log = emulator_files.FOLDER / f"{name.lower().replace(' ', '-')}.log"
        with log.open("w") as output:
            process = self.processes.start(
                command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        while not answers(url):
            if self.processes.stopping.is_set():
                raise InterruptedError("interrupted")
            if process.poll() is not None or time.monotonic() - start > START_LIMIT:
                raise Unavailable(f"{name} does not start; the end of {log}:\n{tail(log)}")
            time.sleep(0.1)
        say(f"{name} answers at {url}, after {time.monotonic() - start:.1f} s")


def main(arguments: Sequence[str]) -> int:
    """Runs one of the two modes; returns the exit code."""
    exit_on_signals()
    match arguments:
        case ["run", "--", *command] if command:
            return run(command)
        case ["up"]:
            return up()
    print(__doc__, file=sys.stderr)
    return 2


def run(command: Sequence[str]) -> int:
    """Runs a command with the emulators; returns its exit code."""
    with Emulators() as emulators, stopped(Processes(grace=5)) as processes:
        return processes.start(command, env={**os.environ, **emulators.environment()}).wait()


def up() -> int:
    """Prints the variables and waits for a signal."""
    with Emulators() as emulators:
        for name, value in emulators.environment().items():
            print(f"export {name}={shlex.quote(value)}", flush=True)
        say("ready; interrupt to stop them")
        while True:
            signal.pause()


@contextlib.contextmanager
def stopped(processes: Processes) -> Iterator[Processes]:
    """Stops processes on leaving."""
    try:
        yield processes
    finally:
        processes.stop()


def free_port() -> int:
    """Returns a port of this machine that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answers(url: str) -> bool:
    """Tells whether there is an answer, be it a refusal; a server that is not ready yet gives none, or a 5xx."""
    try:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5).close()
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
    return True


def tail(path: Path) -> str:
    """Returns the last lines of a log."""
    return "\n".join(path.read_text(errors="replace").splitlines()[-20:])


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (OSError, Unavailable) as error:
        sys.exit(f"emulators: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"emulators: {shlex.join(error.cmd)} ended with {error.returncode}:\n{error.output}")
