"""The folder that a target runs in: laid out as ``ansible-test`` does it, at the same path for each side."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import leftovers
from programs import Programs
from targets import TARGETS, Target

HERE = Path(__file__).resolve().parent
INTEGRATION = TARGETS.parent
SHIM = "#!{python} -I\nimport sys\nsys.path.insert(0, {here!r})\nimport shim\nsys.exit(shim.main({settings!r}))\n"
INVENTORY = (
    "[testgroup]\ntesthost ansible_connection=local ansible_pipelining=yes ansible_python_interpreter={python}\n"
)
# what ansible-test sets, but for what is for its own machines
ANSIBLE = {
    "ANSIBLE_DEPRECATION_WARNINGS": "false",
    "ANSIBLE_DEVEL_WARNING": "false",
    "ANSIBLE_DISPLAY_TRACEBACK": "never",
    "ANSIBLE_FORCE_COLOR": "false",
    # hosts one after the other: otherwise the fastest is printed first
    "ANSIBLE_FORKS": "1",
    "ANSIBLE_FORCE_HANDLERS": "true",
    "ANSIBLE_HOST_KEY_CHECKING": "false",
    "ANSIBLE_HOST_PATTERN_MISMATCH": "error",
    "ANSIBLE_INVENTORY_PLUGIN_EXTS": ".yaml, .yml, .json, .winrm, .networking",
    "ANSIBLE_LIBRARY": "/dev/null",
    "ANSIBLE_PYTHON_INTERPRETER": "/set/ansible_python_interpreter/in/inventory",
    "ANSIBLE_PYTHON_MODULE_RLIMIT_NOFILE": "1024",
    "ANSIBLE_RETRY_FILES_ENABLED": "false",
    "ANSIBLE_WORKER_SHUTDOWN_POLL_COUNT": "100",
    "ANSIBLE_WORKER_SHUTDOWN_POLL_DELAY": "0.1",
}


@dataclass(frozen=True)
class Ran:
    """What a run of a target has left."""

    code: int | None
    records: Path
    folder: Path
    seconds: float


class Place:
    """A path at which targets run, one at a time."""

    def __init__(self, root: Path, programs: Programs) -> None:
        self.root = root
        self.programs = programs
        self.folder = root / "place"
        self.stopped = False
        shutil.rmtree(root, ignore_errors=True)
        (root / "bin").mkdir(parents=True)
        shim = root / "bin/ansible-playbook"
        shim.write_text(SHIM.format(python=sys.executable, here=str(HERE), settings=str(root / "shim.json")))
        shim.chmod(0o755)

    def run(self, target: Target, side: str, records: Path, limit: float) -> Ran:
        """Runs a target in a fresh folder, which then moves away, so that the next side has the same path."""
        if self.stopped:
            raise InterruptedError("interrupted")
        kept = self.root / records.name
        shutil.rmtree(kept, ignore_errors=True)
        records.mkdir(parents=True)
        self.tell(side, records)
        self.lay_out(target)
        command, folder, environment = self.command(target)
        started = time.monotonic()
        code = call(command, folder, environment, records, limit)
        self.end()
        self.folder.rename(kept)
        return Ran(code, records, kept, time.monotonic() - started)

    def end(self) -> None:
        """Ends all that a target has left alive."""
        leftovers.end(f"OUTPUT_DIR={self.folder}/output")

    def stop(self) -> None:
        """Ends the target that runs, and starts no more."""
        self.stopped = True
        self.end()

    def tell(self, side: str, records: Path) -> None:
        """Tells the shim what it stands for."""
        programs = self.programs
        settings = {
            "side": side,
            "records": str(records),
            "stock": str(programs.ansible / "ansible-playbook"),
            "callboard": programs.callboard,
            "data": str(programs.data),
            "reference": [str(programs.python), str(HERE / "reference.py")],
            "known": programs.known,
            "several": programs.several,
        }
        (self.root / "shim.json").write_text(json.dumps(settings))

    def lay_out(self, target: Target) -> None:
        """Copies the target and what it needs."""
        for name in ("output", "tmp"):
            (self.folder / name).mkdir(parents=True)
        for name in sorted(target.needed()):
            shutil.copytree(target.base / name, self.folder / TARGETS / name, symlinks=True)
        for name in target.values("needs/file/"):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(target.base.joinpath("../../..", name), self.folder / name)
        (self.folder / INTEGRATION / "inventory").write_text(INVENTORY.format(python=self.programs.python))
        (self.folder / INTEGRATION / "integration.cfg").write_text("[defaults]\n")

    def command(self, target: Target) -> tuple[list[str], Path, dict[str, str]]:
        """Returns what runs a target, where, and with which variables: its script, or a playbook with its role."""
        integration = self.folder / INTEGRATION
        environment = self.environment() | target.environment()
        if target.script:
            folder = self.folder / TARGETS / target.name
            return [f"./{target.script}"], folder, environment | {"ANSIBLE_PLAYBOOK_DIR": str(folder)}
        play = {
            "hosts": "testhost",
            "gather_facts": "gather_facts/no" not in target.aliases(),
            "vars": {"output_dir": environment["OUTPUT_DIR"]},
            "roles": [target.name],
        }
        playbook = f"{target.name}-role.yml"
        (integration / playbook).write_text(json.dumps([play], indent=4))
        environment["ANSIBLE_ROLES_PATH"] = str(self.folder / TARGETS)
        environment["ANSIBLE_PLAYBOOK_DIR"] = str(integration)
        return ["ansible-playbook", playbook, "-i", "inventory"], integration, environment

    def environment(self) -> dict[str, str]:
        """Returns the variables of every target; nothing comes from whoever runs this but the path."""
        path = [self.root / "bin", self.programs.ansible, os.environ.get("PATH", os.defpath)]
        return ANSIBLE | {
            "ANSIBLE_CONFIG": str(self.folder / INTEGRATION / "integration.cfg"),
            "ANSIBLE_TEST_ANSIBLE_VERSION": self.programs.version,
            "ANSIBLE_TEST_CI": "",
            "ANSIBLE_TEST_PYTHON_INTERPRETER": str(self.programs.python),
            "ANSIBLE_TEST_PYTHON_VERSION": self.programs.python_version,
            # Ansible takes the home of the user database in one place, and that of the environment in another
            "HOME": str(Path.home()),
            "INVENTORY_PATH": str(self.folder / INTEGRATION / "inventory"),
            "LC_ALL": "C.UTF-8",
            "OUTPUT_DIR": str(self.folder / "output"),
            "PAGER": "/bin/cat",
            "PATH": ":".join(map(str, path)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            "TMPDIR": str(self.folder / "tmp"),
        }


def call(command: list[str], folder: Path, environment: dict[str, str], records: Path, limit: float) -> int | None:
    """Runs a target without a terminal; returns its exit code, or nothing if it did not end in time.

    A role's streams are one file, so that their order is in its record; a script's are two.
    """
    with (records / "script.out").open("wb") as out, (records / "script.err").open("wb") as err:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err if command[0].startswith("./") else out,
            start_new_session=True,
        )
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
