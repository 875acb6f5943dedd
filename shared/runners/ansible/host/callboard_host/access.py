"""Tells what this process, which runs as a job's user, cannot reach: ``python access.py WORK PLAYBOOKS``."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Iterator

_MOST = 100_000


def main() -> None:
    """Prints whether the first folder can be passed through, and the first thing in the second that cannot be read."""
    work, playbooks = sys.argv[1:]
    importlib.import_module("ansible")
    print(json.dumps({"passes": os.access(work, os.X_OK), "unreadable": next(_unreadable(playbooks), None)}))


def _unreadable(top: str) -> Iterator[str]:
    if not os.access(top, os.R_OK | os.X_OK):
        yield top
    seen = 0
    for folder, folders, files in os.walk(top):
        paths = [os.path.join(folder, name) for name in (*folders, *files)]
        for path in paths:
            wanted = os.R_OK | os.X_OK if os.path.isdir(path) else os.R_OK
            if not os.path.islink(path) and not os.access(path, wanted):
                yield path
        seen += len(paths)
        if seen > _MOST:
            return


if __name__ == "__main__":
    main()
