"""A play takes no more forks than there is room for, whoever asks for them, and says so."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from callboard_host import forks
from tests.client import PACKAGE, Host, environment
from tests.conftest import play, write

HOSTS = 60
LIMIT = 300
COUNT = """
import os, time
from callboard_host import semaphores
semaphores.install()
from ansible.executor.process.worker import WorkerQueue
from ansible.utils.multiprocessing import context
before = len(os.listdir("/proc/self/fd"))
queue, process = WorkerQueue(ctx=context), context.Process(target=time.sleep, args=(1,))
process.start()
print(len(os.listdir("/proc/self/fd")) - before)
"""


@pytest.mark.parametrize("asked", ["option", "variable", "file"])
def test_forks_that_open_files_do_not_suffice_for_are_fewer(own_host: Host, folder: Path, asked: str) -> None:
    write(folder, {"site.yml": play("debug: msg=hello"), "hosts": "\n".join(f"host{n}" for n in range(HOSTS))})
    env = environment(folder / "home")
    if asked == "file":
        write(folder, {"ansible.cfg": f"[defaults]\nforks = {HOSTS}\n"})
    if asked == "variable":
        env["ANSIBLE_FORKS"] = str(HOSTS)
    arguments = ["-f", str(HOSTS)] if asked == "option" else []
    resource.prlimit(own_host.process.pid, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
    job = own_host.run("-i", "hosts", "-c", "local", *arguments, "site.yml", cwd=folder, env=env)
    assert job.rc == 0, job.output
    assert len(job.events("runner_on_ok")) == HOSTS
    told = " ".join(job.output.split())
    assert f"forks instead of {HOSTS}: each takes {forks.FILES} open files, and this process may have {LIMIT}." in told


def test_forks_that_there_is_room_for_are_those_that_were_asked_for(host: Host, folder: Path) -> None:
    write(folder, {"site.yml": play("debug: msg=hello")})
    # of a thousand forks, a play takes as many as it has hosts
    job = host.run("-i", "a,b,", "-c", "local", "-f", "1000", "site.yml", cwd=folder)
    assert job.rc == 0 and "forks" not in job.output, job.output


def test_a_fork_takes_the_open_files_that_are_counted_for_it() -> None:
    counted = subprocess.run([sys.executable, "-c", COUNT], cwd=PACKAGE, capture_output=True, text=True, check=True)
    assert int(counted.stdout) == forks.FILES


def test_memory_bounds_no_fewer_forks_than_ansible_s_default() -> None:
    most, why = forks._for_memory()
    assert most >= forks.FEWEST_FOR_MEMORY and "MiB are free" in why
