"""The forked child that is the job's ``ansible-playbook``: same flags, same output, same exit code."""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, ClassVar

from ansible import cli, context
from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.utils.collection_loader import _collection_finder as collections
from ansible.utils.display import Display

from callboard_host import (
    askpass,
    configuration,
    events,
    failures,
    homes,
    isolation,
    messages,
    protocol,
    streams,
    user,
)
from callboard_host.stock import FallbackCLI

INVALID_CONFIGURATION = 5
UNEXPECTED = 250
IMPLICIT_GROUPS = ("all", "ungrouped")
MAX_NAMES = 100
MAX_FAULTS = 5


class JobCLI(FallbackCLI):
    """``ansible-playbook`` that tells the service what Ansible made of the inventory and why it stopped."""

    require_hosts: ClassVar[bool] = True

    def run(self) -> Any:
        """Runs the playbook; an error goes to the service as well as to the output."""
        try:
            return super().run()
        except Exception as error:
            if isinstance(error, AnsibleError) and (missing := _missing_playbook()):
                events.tell("source_error", message=missing)
            else:
                full = failures.is_disk_full(str(error))
                events.tell("ansible_error", message=_with_place(error), disk_full=full)
            raise

    def _play_prereqs(self) -> Any:
        # not before: with -vv, Ansible tells where it is
        sys.argv[0] = askpass.argv0()
        with _inventory_faults() as faults:
            try:
                loader, inventory, variables = super()._play_prereqs()
            except AnsibleError as error:
                # the error says in which of the inventories; one that they only repeat, as of variables, is not theirs
                if faults and not any(str(error) in fault for fault in faults):
                    events.tell("inventory_error", message=" ".join([f"{error}.", *faults[:MAX_FAULTS]]))
                raise
        hosts = inventory.list_hosts()
        named = [group for name, group in inventory.groups.items() if name not in IMPLICIT_GROUPS]
        groups = {group.name: len(group.get_hosts()) for group in named}
        events.tell(
            "inventory",
            hosts=len(hosts),
            groups=len(groups),
            group_hosts=dict(sorted(groups.items())[:MAX_NAMES]),
            host_names=[host.name for host in hosts[:MAX_NAMES]],
        )
        if not hosts and self.require_hosts:
            events.tell("no_hosts")
            raise AnsibleError("The inventory names no hosts.")
        events.inventory = inventory
        return loader, inventory, variables


@contextlib.contextmanager
def _inventory_faults() -> Iterator[list[str]]:
    """Collects what the inventory plugins object to, which Ansible only warns of."""
    faults: list[str] = []
    display: Any = Display()
    warn = display.error_as_warning

    def collect(msg: str | None, exception: BaseException) -> None:
        faults.append(f"{msg or ''} {_with_place(exception)}".strip())
        warn(msg, exception)

    display.error_as_warning = collect
    try:
        yield faults
    finally:
        del display.error_as_warning


def _missing_playbook() -> str | None:
    """Says of the first playbook that bears a collection's name, and is none, where it was looked for."""
    for name in context.CLIARGS.get("args", ()):
        named = collections.AnsibleCollectionRef.try_parse_fqcr(name, "playbook")
        if named and not os.path.exists(name) and not collections._get_collection_playbook_path(name):
            try:
                where = collections._get_collection_path(named.collection)
            except ValueError:
                looked = ", ".join(_collection_folders())
                return f"There is no playbook {name}: the collection {named.collection} was looked for in {looked}."
            return f"There is no playbook {name}: the collection in {_shown(where)} has none of that name."
    return None


def _collection_folders() -> list[str]:
    scanned = ["the packages of Ansible's Python"] if C.COLLECTIONS_SCAN_SYS_PATH else []
    return list(dict.fromkeys([*map(_shown, C.COLLECTIONS_PATHS), *scanned]))


def _shown(folder: str) -> str:
    """Names a folder as its reader knows it: the job's own are gone when he looks."""
    home, own = os.environ.get("HOME", ""), os.path.dirname(os.environ["TMPDIR"])
    if home and folder.startswith(f"{home}/"):
        return f"~{folder.removeprefix(home)}"
    return "the folder of the installed requirements" if folder.startswith(f"{own}/") else folder


def _with_place(error: BaseException) -> str:
    """Returns the message of an error, and where in which file Ansible found it, if it says so."""
    cause: BaseException | None = error
    while cause is not None:
        context = getattr(cause, "_formatted_source_context", None) or ""
        if found := re.match(r"Origin: (.+):(\d+):(\d+)$", context, re.MULTILINE):
            path, line, column = found.groups()
            return f"{str(error).rstrip('.')}. In {path}, line {line}, column {column}."
        cause = cause.__cause__
    return str(error)


def run(spec: protocol.JobSpec, channels: protocol.JobChannels) -> int:
    """Becomes the job: its streams, environment, folder and configuration; then runs and returns the exit code."""
    events.install(channels.events)
    try:
        os.setsid()
        streams.take(channels.output, channels.errors, spec.nonce)
        _isolate(spec, channels.rules)
        _take_environment(spec)
        homes.share(spec.users_home)
        configuration.rebind(spec.collections, spec.roles)
        configuration.use_color(spec.color)
        messages.renew()
        sys.argv = [os.path.join(os.path.dirname(sys.executable), "ansible-playbook"), *spec.argv[1:]]
        JobCLI.fallback_inventory, JobCLI.require_hosts = spec.fallback_inventory, spec.require_hosts
        JobCLI.cli_executor(list(sys.argv))
    except SystemExit as exit_:
        return _end(_status(exit_))
    except AnsibleError as error:
        return _end(_refuse(f"ERROR: {error}", INVALID_CONFIGURATION))
    except BaseException as error:
        return _end(_refuse(f"ERROR: {error}", UNEXPECTED))
    return _end(0)


def _isolate(spec: protocol.JobSpec, rules: int | None) -> None:
    """Gives up what the job must not have. What root may still do without giving up more, it does first."""
    if spec.user:
        user.introduce(spec.user)
    if rules is not None:
        isolation.confine(rules, spec.no_new_privileges)
    if spec.user:
        streams.give(spec.user.uid, spec.user.gid)
        user.become(spec.user)


def _take_environment(spec: protocol.JobSpec) -> None:
    os.environ.clear()
    os.environ.update(spec.env)
    os.chdir(spec.cwd)
    # Python's own start would have looked there
    sys.path[:0] = [os.path.abspath(path) for path in spec.env.get("PYTHONPATH", "").split(os.pathsep) if path]
    time.tzset()
    cli.initialize_locale()
    configuration.forget_inheritance()


def _status(exit_: SystemExit) -> int:
    if isinstance(exit_.code, str):
        return _refuse(exit_.code, 1)
    return exit_.code or 0


def _refuse(message: str, status: int) -> int:
    sys.stderr.write(f"{message}\n")
    events.tell("ansible_error", message=message.removeprefix("ERROR: "))
    return status


def _end(status: int) -> int:
    """Does what the interpreter would do at its exit, since the child ends without it."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    return status
