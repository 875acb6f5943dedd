"""The targets of ansible-core's integration tests: which are run, and what each needs beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

TARGETS = Path("test/integration/targets")
NAME = re.compile(r"[\w.-]+")


@dataclass(frozen=True)
class Target:
    """A target: a folder with a script or a role, beside others that it may need."""

    base: Path
    name: str

    @property
    def folder(self) -> Path:
        """Returns where it is in the source package."""
        return self.base / self.name

    @property
    def script(self) -> str:
        """Returns the name of its script; a target without one is a role."""
        return next((name for name in ("runme.sh", "runme.py") if (self.folder / name).is_file()), "")

    def aliases(self) -> list[str]:
        """Reads what the target says of itself."""
        path = self.folder / "aliases"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.partition("#")[0].strip() for line in lines]

    def values(self, prefix: str) -> list[str]:
        """Returns what follows a prefix in the aliases."""
        return [alias.removeprefix(prefix) for alias in self.aliases() if alias.startswith(prefix)]

    def environment(self) -> dict[str, str]:
        """Returns the variables that the target asks for."""
        pairs = (value.partition("/") for value in self.values("env/set/"))
        return {name: value for name, _, value in pairs}

    def needed(self) -> set[str]:
        """Names the targets that have to be there, this one included."""
        found, open_ = set[str](), {self.name}
        while open_:
            name = open_.pop()
            found.add(name)
            open_ |= Target(self.base, name).neighbours() - found
        return found

    def neighbours(self) -> set[str]:
        """Names the targets that this one uses: its aliases, its role's dependencies and its links name them."""
        meta = self.folder / "meta/main.yml"
        words = NAME.findall(meta.read_text()) if meta.exists() else []
        links = [path.readlink().parts for path in self.folder.rglob("*") if path.is_symlink()]
        words += [part for parts in links if ".." in parts for part in parts]
        words += self.values("needs/target/") + self.values("setup/once/") + self.values("setup/always/")
        return {word for word in words if word.strip(".") and (self.base / word).is_dir()}
