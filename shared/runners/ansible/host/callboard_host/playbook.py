"""The forked child that is the job's ``ansible-playbook``: same flags, same output, same exit code."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from typing import Any, NoReturn

from ansible.cli.playbook import PlaybookCLI
from ansible.errors import AnsibleError

from callboard_host import configuration, events, protocol


class JobCLI(PlaybookCLI):
    """``ansible-playbook`` that tells the service what Ansible made of the inventory and why it stopped."""

    def run(self) -> Any:
        """Runs the playbook; an error of Ansible's goes to the service as well as to the output."""
        try:
            return super().run()
        except AnsibleError as error:
            events.tell("ansible_error", message=str(error))
            raise

    def _play_prereqs(self) -> Any:
        loader, inventory, variables = super()._play_prereqs()
        hosts = len(inventory.list_hosts())
        events.tell("inventory", hosts=hosts)
        if not hosts:
            raise AnsibleError("The inventory names no hosts.")
        events.inventory = inventory
        return loader, inventory, variables


def run(spec: protocol.JobSpec, channels: protocol.JobChannels) -> NoReturn:
    """Becomes the job: its streams, environment, folder and configuration; then runs and exits."""
    status = 250
    try:
        _take_streams(channels)
        _take_environment(spec)
        configuration.rebind()
        events.install(channels.events, spec.nonce)
        configuration.use_events_callback(spec.color)
        JobCLI.cli_executor(list(sys.argv))
    except SystemExit as exit_:
        status = exit_.code if isinstance(exit_.code, int) else 1
    except BaseException as error:
        sys.stderr.write(f"ERROR: {error}\n")
        events.tell("ansible_error", message=str(error))
    finally:
        _finish(status)


def _take_streams(channels: protocol.JobChannels) -> None:
    os.setsid()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.dup2(channels.output, 1)
    os.dup2(channels.output, 2)
    os.close(channels.output)


def _take_environment(spec: protocol.JobSpec) -> None:
    os.environ.clear()
    os.environ.update(spec.env)
    os.chdir(spec.cwd)
    sys.argv = list(spec.argv)
    configuration.forget_inheritance()


def _finish(status: int) -> NoReturn:
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)
