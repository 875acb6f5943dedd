"""Starts the servers that a test asks for, all on free ports of 127.0.0.1, and keeps their files below one folder.

When all are ready it prints one line of JSON that says where they are. It ends, with all that it has started, when its
standard input ends or on SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import certificates
import cmdb_server
import galaxy_server
import git_server
import ssh_server
from programs import Unavailable, adopt_orphans, end_descendants

sys.path.append(str(Path(__file__).resolve().parents[1]))
from processes import exit_on_signals

Start = Callable[[], dict[str, object]]


def main() -> int:
    """Starts them, waits, and stops them; returns the exit code."""
    options = arguments().parse_args()
    exit_on_signals()
    adopt_orphans()
    try:
        print(json.dumps(start(options)), flush=True)
        sys.stdin.buffer.read()
    except (OSError, Unavailable) as error:
        print(f"servers: {error}", file=sys.stderr)
        return 1
    finally:
        end_descendants()
    return 0


def arguments() -> argparse.ArgumentParser:
    """Describes the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="an empty folder, for everything")
    parser.add_argument("--git", action="store_true", help="Git over HTTPS")
    parser.add_argument("--git-token", default="git-token-of-the-tests")
    parser.add_argument("--ssh", action="store_true", help="OpenSSH, which serves the same repositories")
    parser.add_argument("--galaxy", action="store_true", help="collections")
    parser.add_argument("--galaxy-token", default="galaxy-token-of-the-tests")
    parser.add_argument("--ansible-galaxy", default="ansible-galaxy", help="the program that builds collections")
    parser.add_argument("--cmdb", action="store_true", help="inventories")
    parser.add_argument("--cmdb-token", default="cmdb-token-of-the-tests")
    return parser


def start(options: argparse.Namespace) -> dict[str, object]:
    """Starts what is asked for, all at once; returns where it is."""
    folder: Path = options.folder.resolve()
    logs = folder / "logs"
    logs.mkdir(parents=True)
    tls = certificates.make(folder / "tls")
    folders = git_server.prepare(folder)
    parts: dict[str, Start] = {
        "git": partial(git_server.start, folders, logs, options.git_token, tls),
        "ssh": partial(ssh_server.start, folder, folders, logs),
        "galaxy": partial(galaxy_server.start, folder, logs, options.galaxy_token, options.ansible_galaxy, tls),
        "cmdb": partial(cmdb_server.start, logs, options.cmdb_token, tls),
    }
    with ThreadPoolExecutor() as pool:
        started = {name: pool.submit(part) for name, part in parts.items() if getattr(options, name)}
    ready: dict[str, object] = {"authority": str(tls.authority), "repositories": str(folders.repositories)}
    return ready | {name: part.result() for name, part in started.items()}


if __name__ == "__main__":
    sys.exit(main())
