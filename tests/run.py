"""Runs every test of the repository and counts them all: the last line is ``N passed, N failed``.

A step that cannot run, or that runs no test, counts as a failure.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import python_dev
from emulator_files import Unavailable
from emulators import Emulators
from processes import Processes, exit_on_signals

ROOT = Path(__file__).resolve().parent.parent
HOST = ROOT / "shared/runners/ansible/host"
JUNIT = ROOT / "target/nextest/default/junit.xml"
NEXTEST = "cargo-nextest@0.9.143"
TOOLS = ROOT / "target/tools"
PROGRAMS = (
    *("callboard", "callboard-submit", "callboard-query", "callboard-worker", "callboard-caller", "callboard-notify"),
)
CARGO = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed;")
SUM = re.compile(r"(\d+) passed, (\d+) failed")
PYTEST = re.compile(r"(\d+) (passed|failed|errors?|skipped)")
PROCESSES = Processes(grace=5)


def main() -> int:
    """Runs the steps and prints the sum."""
    exit_on_signals()
    passed = failed = 0
    try:
        interpreter = python_environment()
        for name, counts in (
            ("Rust", rust()),
            ("Clients", summed("tests/clients/main.py")),
            ("Python", python(interpreter)),
            ("Conformance", summed("tests/conformance/run.py", "--quick")),
        ):
            for ok, bad in counts:
                passed += ok
                failed += bad
            print(f"--- {name} done", flush=True)
    finally:
        PROCESSES.stop()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def rust() -> Iterator[tuple[int, int]]:
    """Builds the programs, and runs the tests of every crate, with the emulators that start during the build."""
    with Emulators() as emulators:
        build = ["cargo", "build", *(argument for name in PROGRAMS for argument in ("-p", name))]
        tests = ["cargo", "nextest", "run", "--workspace"]
        if nextest() or stream(build, ROOT)[0] or stream([*tests, "--no-run"], ROOT)[0]:
            yield 0, 1
            return
        environment = dict[str, str]()
        try:
            environment = emulators.environment()
        except (OSError, subprocess.CalledProcessError, Unavailable) as error:
            print(error, getattr(error, "output", ""))
            yield 0, 1
        JUNIT.unlink(missing_ok=True)
        code, _lines = stream(tests, ROOT, environment)
    yield reported(code)
    code, lines = stream(["cargo", "test", "--workspace", "--doc"], ROOT)
    counts = [(int(found[1]), int(found[2])) for found in map(CARGO.match, lines) if found]
    yield from counts
    if (code and not any(bad for _ok, bad in counts)) or not counts:
        yield 0, 1


def nextest() -> int:
    """Installs cargo-nextest below ``target`` if the machine has none; returns 0 if it is there."""
    if not stream(["cargo", "nextest", "--version"], ROOT)[0]:
        return 0
    return stream(["cargo", "install", "--locked", "--root", str(TOOLS), NEXTEST], ROOT)[0]


def reported(code: int) -> tuple[int, int]:
    """Reads nextest's report."""
    try:
        suites = ET.parse(JUNIT).getroot()
    except (OSError, ET.ParseError) as error:
        print(error)
        return 0, 1
    ran, bad = int(suites.get("tests", 0)), int(suites.get("failures", 0)) + int(suites.get("errors", 0))
    return ran - bad, bad or (1 if code or not ran else 0)


def summed(*script: str) -> Iterator[tuple[int, int]]:
    """Runs a script whose last line is a sum like this one's: the API's clients, a choice of ``make conformance``."""
    code, lines = stream([sys.executable, *script], ROOT)
    found = SUM.fullmatch(lines[-1].rstrip()) if lines else None
    ok, bad = (int(found[1]), int(found[2])) if found else (0, 0)
    yield ok, bad or (1 if code or not ok else 0)


def python(interpreter: Path | None) -> Iterator[tuple[int, int]]:
    """Runs the tests of the Ansible host."""
    if not interpreter:
        yield 0, 1
        return
    code, lines = stream([str(interpreter), "-m", "pytest"], HOST)
    found = dict[str, int]()
    for count, what in PYTEST.findall(lines[-1] if lines else ""):
        found[what] = int(count)
    bad = sum(count for what, count in found.items() if what != "passed")
    yield found.get("passed", 0), bad or (1 if code else 0)


def python_environment() -> Path | None:
    """Makes the environment that the tests of both languages run Ansible with; returns its interpreter."""
    try:
        return python_dev.make(ROOT / "target/python-dev")
    except (OSError, subprocess.CalledProcessError) as error:
        print(error)
        return None


def stream(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> tuple[int, list[str]]:
    """Runs a command, shows what it prints as it comes, and returns its exit code and its lines."""
    print("$", " ".join(command), flush=True)
    lines = []
    process = PROCESSES.start(
        command,
        cwd=folder,
        env={**os.environ, "PATH": f"{os.environ['PATH']}:{TOOLS}/bin", **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    for line in process.stdout or ():
        print(line, end="", flush=True)
        lines.append(line.rstrip("\n"))
    return process.wait(), lines


if __name__ == "__main__":
    sys.exit(main())
