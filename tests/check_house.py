"""Checks which crate and which module knows which: the rule between crates, the order of core's folders, no circles.

A module is a file below ``src``, or below a folder of core; what a file has in a folder of its own name belongs to it.
Tests are left out: they may know everything.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# what each crate may know of Callboard's others; tests may know all
MAY_KNOW = {
    "callboard-allocator": set(),
    "callboard-core": set(),
    "callboard-api": {"core"},
    "callboard-http": {"core"},
    "callboard-identity": {"core"},
    "callboard-kind-ansible": {"core"},
    "callboard-kind-service": {"core"},
    "callboard-embedded": {"core"},
    "callboard-aws": {"core"},
    "callboard-oidc": {"core", "http"},
    "callboard-secrets": {"core", "http", "identity"},
    "callboard-policy": {"core", "kind-ansible", "kind-service"},
    "callboard-process": {"core"},
    "callboard-ansible": {"core", "http", "kind-ansible", "process", "sandbox"},
    "callboard-runner-container": {"core", "kind-service"},
    "callboard-runner-ecs": {"core", "http", "identity", "kind-service"},
    "callboard-runner-function": {"core", "http", "identity", "kind-service"},
    "callboard-calls": {"core", "kind-service"},
    "callboard-runner-http": {"core", "http", "identity", "kind-service"},
    "callboard-runner-shell": {"core", "kind-service", "process", "sandbox"},
    "callboard-sandbox": set(),
    "callboard-lambda": {"core", "api", "aws", "kind-ansible", "kind-service", "oidc", "policy", "secrets"},
    "callboard": {
        *(
            "allocator",
            "core",
            "api",
            "embedded",
            "kind-ansible",
            "kind-service",
            "oidc",
            "policy",
            "process",
            "secrets",
        ),
        *("ansible", "calls", "runner-container", "runner-function", "runner-http", "runner-shell", "sandbox"),
    },
    "callboard-submit": {"core", "api", "aws", "lambda"},
    "callboard-query": {"core", "api", "lambda"},
    "callboard-worker": {"calls", "core", "lambda", "process", "sandbox", "ansible", "runner-shell"},
    "callboard-caller": {"calls", "core", "lambda", "runner-ecs", "runner-function", "runner-http"},
    "callboard-notify": {"aws", "core", "lambda"},
    "callboard-testkit": {"core", "aws", "kind-ansible", "kind-service"},
}
# core's folders: each knows only those before it
FOLDERS = [
    *("base", "access", "audit", "credential", "policy", "request", "job", "output", "redact", "run", "submit", "care"),
]
# what core must not speak of, but in comments
FOREIGN = re.compile(r"playbook|ansible|inventory|dynamodb|sqlite|lambda", re.IGNORECASE)
USE = re.compile(
    r"^\s*(?:pub(?:\([^)]*\))? )?use ((?:crate|self|super)[\w:]*)(?:::)?(\{[^;]*\})?(?: as \w+)?;", re.MULTILINE
)
PATH = re.compile(r"\b(?:crate|super)(?:::\w+)+")
ITEM = re.compile(
    r"^pub(?:\([^)]*\))? (?:async |const |unsafe )*(?:struct|enum|trait|type|fn|const|static|union) (\w+)", re.MULTILINE
)
Module = tuple[str, ...]


def main() -> int:
    """Prints what breaks the rules; returns 1 if anything does."""
    faults = [*crates(), *foreign_words(), *unused()]
    for manifest in manifests():
        source = manifest.parent / "src"
        if source.is_dir():
            faults += Crate(source, deep=manifest.parent == ROOT / "shared/core").faults()
    for fault in faults:
        print(fault)
    print(f"{len(faults)} faults in the house" if faults else "the house is in order")
    return 1 if faults else 0


def manifests() -> Iterator[Path]:
    """Returns the manifest of each member of the workspace, but for the tests'."""
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]
    yield from (ROOT / member / "Cargo.toml" for member in workspace["members"] if member != "tests")


def crates() -> Iterator[str]:
    """Names the crates that know what they must not."""
    for manifest in manifests():
        read = tomllib.loads(manifest.read_text())
        name = read["package"]["name"]
        known = {other.removeprefix("callboard-") for other in read["dependencies"] if other.startswith("callboard-")}
        if name not in MAY_KNOW:
            yield f"{manifest}: {name} has no line in tests/check_house.py that says what it may know"
        elif more := known - MAY_KNOW[name]:
            yield f"{manifest}: {name} must not know {', '.join(sorted(more))}"


def unused() -> Iterator[str]:
    """Names the dependencies of the workspace that no crate has; cargo-machete names those that no code uses."""
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]
    never = set(workspace["dependencies"])
    for member in workspace["members"]:
        manifest = tomllib.loads((ROOT / member / "Cargo.toml").read_text())
        never -= {**manifest.get("dependencies", {}), **manifest.get("dev-dependencies", {})}.keys()
    yield from (f"Cargo.toml: no crate uses {dependency}" for dependency in sorted(never))


def foreign_words() -> Iterator[str]:
    """Finds words of adapters and kinds in core, but for comments and tests."""
    for path in sorted((ROOT / "shared/core/src").rglob("*.rs")):
        if path.name == "tests.rs":
            continue
        for number, line in enumerate(code(path).split("\n"), 1):
            if found := FOREIGN.search(line.split("//")[0]):
                yield f"{path.relative_to(ROOT)}:{number}: core must not speak of {found[0]}"


def code(path: Path) -> str:
    """Reads a file without its tests."""
    return re.split(r"^#\[cfg\(test\)\]", path.read_text(), maxsplit=1, flags=re.MULTILINE)[0]


class Crate:
    """The modules of a crate, and which of them knows which."""

    def __init__(self, source: Path, deep: bool) -> None:
        self.name = str(source.parent.relative_to(ROOT))
        self.depth = 2 if deep else 1
        paths = [path for path in source.rglob("*.rs") if path.name != "tests.rs" and "tests" not in path.parts[:-1]]
        self.texts = {self.module(source, path): code(path) for path in sorted(paths)}
        self.items = {module: set(ITEM.findall(text)) for module, text in self.texts.items()}

    @staticmethod
    def module(source: Path, path: Path) -> Module:
        """Returns the path of a file's module, empty for the crate itself."""
        parts = path.relative_to(source).with_suffix("").parts
        return () if parts in (("lib",), ("main",)) else parts

    def faults(self) -> Iterator[str]:
        """Names the circles, and what breaks the order of folders."""
        knows: dict[Module, set[Module]] = {}
        for module in self.texts:
            found = {self.unit(other) for other in self.known(module)} - {self.unit(module), ()}
            if not self.is_index(module):
                knows.setdefault(self.unit(module), set()).update(found)
        for circle in circles(knows):
            yield f"{self.name}: a circle of {' and '.join('/'.join(module) for module in sorted(circle))}"
        if self.depth == 2:
            for module, others in sorted(knows.items()):
                for other in sorted(others):
                    if FOLDERS.index(other[0]) > FOLDERS.index(module[0]):
                        yield f"{self.name}: {'/'.join(module)} must not know {'/'.join(other)}, which is above it"

    def unit(self, module: Module) -> Module:
        """Returns the module that another belongs to."""
        return module[: self.depth]

    def is_index(self, module: Module) -> bool:
        """Tells whether a module only lists others: the crate itself, and a folder of core."""
        return not module or (self.depth == 2 and len(module) == 1 and not self.items[module])

    def known(self, module: Module) -> Iterator[Module]:
        """Returns the modules that one names."""
        text = self.texts[module]
        uses = [(found[0], found[1]) for found in USE.findall(text)]
        for base, names in uses:
            listed = re.findall(r"[\w:]+", names) if names else [""]
            for name in listed:
                yield from self.resolve(module, [*base.split("::"), *filter(None, name.split("::"))])
        for path in PATH.findall(USE.sub("", text)):
            yield from self.resolve(module, path.split("::"))

    def resolve(self, module: Module, path: list[str]) -> Iterator[Module]:
        """Returns the module that a path leads to, behind what lists it."""
        at = list(module)
        while path and path[0] in ("crate", "self", "super"):
            word = path.pop(0)
            at = [] if word == "crate" else at[:-1] if word == "super" else at
        while path and (*at, path[0]) in self.texts:
            at.append(path.pop(0))
        here = tuple(at)
        if path and self.is_index(here):
            below = (other for other in self.texts if other[: len(here)] == here and path[0] in self.items[other])
            yield from below
        else:
            yield here


def circles(knows: dict[Module, set[Module]]) -> Iterator[set[Module]]:
    """Returns the sets of modules that lead to one another (Tarjan)."""
    order: dict[Module, int] = {}
    low: dict[Module, int] = {}
    stack: list[Module] = []

    def visit(module: Module) -> Iterator[set[Module]]:
        order[module] = low[module] = len(order)
        stack.append(module)
        for other in sorted(knows.get(module, ())):
            if other not in order:
                yield from visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], order[other])
        if low[module] == order[module]:
            at = stack.index(module)
            circle = set(stack[at:])
            del stack[at:]
            if len(circle) > 1:
                yield circle

    for module in sorted(knows):
        if module not in order:
            yield from visit(module)


if __name__ == "__main__":
    sys.exit(main())
