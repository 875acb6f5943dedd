"""Runs every test of the repository and counts them all: the last line is ``N passed, N failed``.

A step that cannot run, or that runs no test, counts as a failure.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import python_dev

ROOT = Path(__file__).resolve().parent.parent
HOST = ROOT / "shared/runners/ansible/host"
CARGO = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed;")
PYTEST = re.compile(r"(\d+) (passed|failed|errors?|skipped)")


def main() -> int:
    """Runs the steps and prints the sum."""
    passed = failed = 0
    for name, counts in (("Rust", rust()), ("Python", python())):
        for ok, bad in counts:
            passed += ok
            failed += bad
        print(f"--- {name} done", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def rust() -> Iterator[tuple[int, int]]:
    """Builds the program, then runs the tests of every crate, those that drive the program among them."""
    if stream(["cargo", "build", "-p", "callboard"], ROOT)[0]:
        yield 0, 1
        return
    code, lines = stream(["cargo", "test", "--workspace", "--no-fail-fast"], ROOT)
    counts = [(int(found[1]), int(found[2])) for found in map(CARGO.match, lines) if found]
    yield from counts
    if code and not any(bad for _ok, bad in counts) or not counts:
        yield 0, 1


def python() -> Iterator[tuple[int, int]]:
    """Runs the tests of the Ansible host."""
    try:
        interpreter = python_dev.make(ROOT / "target/python-dev")
    except (OSError, subprocess.CalledProcessError) as error:
        print(error)
        yield 0, 1
        return
    code, lines = stream([str(interpreter), "-m", "pytest"], HOST)
    found = dict[str, int]()
    for count, what in PYTEST.findall(lines[-1] if lines else ""):
        found[what] = int(count)
    bad = sum(count for what, count in found.items() if what != "passed")
    yield found.get("passed", 0), bad or (1 if code else 0)


def stream(command: Sequence[str], folder: Path) -> tuple[int, list[str]]:
    """Runs a command, shows what it prints as it comes, and returns its exit code and its lines."""
    print("$", " ".join(command), flush=True)
    lines = []
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            lines.append(line.rstrip("\n"))
    return process.returncode, lines


if __name__ == "__main__":
    sys.exit(main())
