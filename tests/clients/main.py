"""Checks that the API's document is valid and that clients made of it work, against the real program.

Each check counts; the last line is ``N passed, N failed``. The program is built before: ``cargo build -p callboard``.
Where checks are named as arguments, these are the only ones.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from service import Service
from tools import CLIENTS, DOCUMENT, PACKAGE, ROOT, Failed, Processes, Tools, Unavailable

sys.path.append(str(CLIENTS.parent))
from processes import exit_on_signals

SEED = "20261128"
EXAMPLES = "10"
Check = Callable[[Tools, Path], None]


def main(names: Sequence[str]) -> int:
    """Runs the checks and prints the sum."""
    exit_on_signals()
    passed = failed = 0
    for check in (check for check in CHECKS if not names or check.__name__ in names):
        processes = Processes(grace=5)
        try:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                check(Tools(processes), Path(folder))
            passed += 1
            print(f"{check.__name__} ... ok", flush=True)
        except (OSError, Failed, Unavailable) as error:
            failed += 1
            print(f"{check.__name__} ... FAILED\n{error}", flush=True)
        except subprocess.CalledProcessError as error:
            failed += 1
            print(f"{check.__name__} ... FAILED\n{error}\n{error.output}", flush=True)
        finally:
            processes.stop()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def the_document_is_valid(tools: Tools, folder: Path) -> None:
    """Has openapi-spec-validator read the document."""
    tools.run(["openapi-spec-validator", DOCUMENT], folder)


def the_examples_are_of_their_schemas(tools: Tools, folder: Path) -> None:
    """Checks each example in the document against the schema that it stands beside."""
    tools.run(["python", CLIENTS / "examples.py", DOCUMENT], folder)


def a_typescript_client_makes_a_round(tools: Tools, folder: Path) -> None:
    """Makes types of the document, compiles a program that uses all of the API, and runs it."""
    for name in ("round_trip.ts", "tsconfig.json", "package.json"):
        shutil.copy(CLIENTS / name, folder)
    (folder / "node_modules").symlink_to(tools.node / "node_modules")
    programs = folder / "node_modules/.bin"
    tools.run([programs / "openapi-typescript", DOCUMENT, "--output", "schema.d.ts"], folder)
    tools.run([programs / "tsc"], folder)
    tools.run(["node", "built/round_trip.js", Service(tools.processes, folder / "data").address], folder)


def the_types_of_the_typescript_package_are_current(tools: Tools, folder: Path) -> None:
    """Makes the types of the document again and compares; checks that the lock file names no registry."""
    package = tools.copy_package(folder)
    made = folder / "schema.d.ts"
    tools.run([package / "node_modules/.bin/openapi-typescript", DOCUMENT, "--output", made], package)
    if made.read_text() != (PACKAGE / "src/schema.d.ts").read_text():
        raise Failed("src/schema.d.ts is not that of infra/openapi.json: run `npm run schema` in clients/typescript")
    if '"resolved"' in (PACKAGE / "package-lock.json").read_text():
        raise Failed("package-lock.json names a registry: remove it and run `npm install` in clients/typescript")


def the_typescript_package_passes_its_tests(tools: Tools, folder: Path) -> None:
    """Checks the types of the package and runs its tests, which start the program and pack what they have built."""
    package = tools.copy_package(folder)
    tools.run(["npm", "run", "check"], package)
    variables = {"CALLBOARD_ROOT": str(ROOT), "CALLBOARD_BIN": str(ROOT / "target/debug/callboard"), "NO_COLOR": "1"}
    print(tools.run(["npm", "test"], package, variables), flush=True)


def a_python_client_makes_a_round(tools: Tools, folder: Path) -> None:
    """Makes a package of the document, imports all of it, and uses all of the API."""
    tools.run(["openapi-python-client", "generate", "--fail-on-warning", "--path", DOCUMENT], folder)
    address = Service(tools.processes, folder / "data").address
    package = folder / "callboard-client"
    tools.run(["python", CLIENTS / "round_trip.py", address], folder, {"PYTHONPATH": str(package)})


def schemathesis_finds_nothing(tools: Tools, folder: Path) -> None:
    """Has schemathesis try what the document allows, and what it does not, with every check that it has.

    The one worker waits for a file that never comes, so that no job of these requests runs, and none is waited for.
    """
    narrow = ["--workers", "1", "--sync-wait", "0", "--max-followers", "0"]
    service = Service(tools.processes, folder / "data", *narrow, asks=True)
    service.submit({"playbook": "wait_for_file.yml", "extra_vars": {"file": str(folder / "never")}})
    shutil.copy(CLIENTS / "schemathesis.toml", folder)
    bounds = ["--seed", SEED, "--max-examples", EXAMPLES, "--generation-database", "none"]
    patient = ["--suppress-health-check", "too_slow", "--warnings", "off"]
    # who shows no valid key more than 20 times in a minute gets 429; tests/api/access.rs asks every route without one
    checks = ["--checks", "all", "--exclude-checks", "ignored_auth"]
    options = [*checks, "--continue-on-failure", "--no-color", *bounds, *patient]
    options += ["--header", f"Authorization: Bearer {service.key}"]
    print(tools.run(["schemathesis", "run", DOCUMENT, "--url", service.address, *options], folder))
    unwell = [line for line in service.log if "ERROR" in line or "panicked" in line]
    if unwell:
        raise Failed("the service logged:\n" + "".join(unwell))


CHECKS: tuple[Check, ...] = (
    the_document_is_valid,
    the_examples_are_of_their_schemas,
    a_typescript_client_makes_a_round,
    the_types_of_the_typescript_package_are_current,
    the_typescript_package_passes_its_tests,
    a_python_client_makes_a_round,
    schemathesis_finds_nothing,
)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
