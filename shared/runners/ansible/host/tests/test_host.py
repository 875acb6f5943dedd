"""The host's promises: jobs run, end completely, and leave no trace in the host or in each other."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.client import PACKAGE, Host, Job, alive, children, environment, until
from tests.conftest import LOCAL, play, write

HELLO = play("debug: msg=hello")
DAEMON = (
    "shell: setsid sh -c 'trap \"\" TERM; echo $$ > daemon; while :; do sleep 1; done' >/dev/null 2>&1 &"
    " until test -s daemon; do sleep 0.01; done"
)
HANG = "shell: 'echo $$ > hanging; sleep 1000'"


def start_hanging(host: Host, folder: Path) -> tuple[Job, int]:
    """Starts a job and returns it with the process that its task waits for."""
    write(folder, {"site.yml": play(DAEMON, HANG)})
    job = host.start(*LOCAL, "site.yml", cwd=folder)
    return job, int(until(lambda: (folder / "hanging").is_file() and (folder / "hanging").read_text()))


def test_a_job_gives_output_events_and_exit_code(host: Host, folder: Path) -> None:
    write(folder, {"site.yml": HELLO})
    job = host.run(*LOCAL, "site.yml", cwd=folder)
    assert [message["type"] for message in job.messages] == ["started", "exited"]
    used = job.exited.pop("used")
    assert job.exited == {"type": "exited", "rc": 0, "signal": None, "survivors": [], "left": []}
    assert used["cpu_seconds"] > 0 and used["peak_memory_bytes"] > 10_000_000
    assert "PLAY RECAP" in job.output
    assert [event["event"] for event in job.events()] == [
        "playbook_on_start",
        "playbook_on_play_start",
        "playbook_on_task_start",
        "runner_on_start",
        "runner_on_ok",
        "playbook_on_stats",
    ]
    assert job.told("inventory") == [
        {"callboard": "inventory", "hosts": 1, "groups": 0, "group_hosts": {}, "host_names": ["localhost"]}
    ]


@pytest.mark.parametrize(
    ("task", "target", "rc"),
    [
        ("fail: msg=no", LOCAL, 2),
        ("raw: 'true'", ("-i", "localhost,", "--ssh-common-args=-F/nonexistent"), 4),
    ],
)
def test_the_exit_code_is_ansibles(host: Host, folder: Path, task: str, target: tuple[str, ...], rc: int) -> None:
    write(folder, {"site.yml": play(task)})
    assert host.run(*target, "site.yml", cwd=folder).rc == rc


@pytest.mark.parametrize(
    ("text", "arguments", "error"),
    [
        ("- hosts: [", LOCAL, "YAML"),
        (HELLO, ("-i", "empty"), "The inventory names no hosts."),
        (HELLO, (*LOCAL, "absent.yml"), "absent.yml could not be found"),
    ],
)
def test_an_error_is_told(host: Host, folder: Path, text: str, arguments: tuple[str, ...], error: str) -> None:
    write(folder, {"site.yml": text, "empty": ""})
    job = host.run(*arguments, "site.yml", cwd=folder)
    assert job.rc not in (0, None)
    assert [error in line["message"] for line in job.told("ansible_error")] == [True]


def test_a_usage_error_is_ansibles_own(host: Host, folder: Path) -> None:
    job = host.run("--nonsense", cwd=folder)
    assert job.rc == 2
    assert "usage: ansible-playbook" in job.output


def test_two_jobs_run_at_once(host: Host, folder: Path) -> None:
    wait = "shell: 'touch {mine}; until test -e {other}; do sleep 0.01; done'"
    write(folder, {"a.yml": play(wait.format(mine="a", other="b")), "b.yml": play(wait.format(mine="b", other="a"))})
    jobs = [host.start(*LOCAL, name, cwd=folder) for name in ("a.yml", "b.yml")]
    assert [job.wait().rc for job in jobs] == [0, 0]


def test_jobs_share_nothing(host: Host, folder: Path) -> None:
    show = play("debug: msg=\"{{ [lookup('env', 'ONLY_HERE'), lookup('env', 'HOME'), lookup('pipe', 'pwd')] }}\"")
    ids, seen = [], []
    for name in ("first", "second"):
        cwd = folder / name
        write(cwd, {"site.yml": show})
        env = {**environment(cwd / "home"), **({"ONLY_HERE": "secret"} if name == "first" else {})}
        job = host.run(*LOCAL, "site.yml", cwd=cwd, env=env)
        [result] = job.events("runner_on_ok")
        seen.append(result["event_data"]["res"]["msg"])
        ids.append({result["event_data"]["play_uuid"], result["event_data"]["task_uuid"]})
        assert list((cwd / "home/.ansible/tmp").iterdir()) == []
    assert seen == [
        ["secret", str(folder / "first/home"), str(folder / "first")],
        ["", str(folder / "second/home"), str(folder / "second")],
    ]
    assert ids[0].isdisjoint(ids[1])


def test_nothing_of_a_job_outlives_it(host: Host, folder: Path) -> None:
    write(folder, {"site.yml": play(DAEMON)})
    job = host.start(*LOCAL, "site.yml", cwd=folder)
    while job.receive().get("type") != "exited":
        pass
    assert not alive(int((folder / "daemon").read_text()))
    assert job.wait().rc == 0


def test_a_signal_ends_the_playbook(host: Host, folder: Path) -> None:
    job, hanging = start_hanging(host, folder)
    supervisor = int(job.receive()["supervisor"])
    [playbook, *_] = children(supervisor)
    job.signal(signal.SIGTERM)
    until(lambda: not alive(hanging) and not alive(playbook))
    daemon = int((folder / "daemon").read_text())
    assert alive(daemon)  # it ignores SIGTERM, and has the time that the service gives it
    job.signal(signal.SIGKILL)
    assert job.wait().exited["signal"] == signal.SIGTERM
    assert not alive(daemon)


@pytest.mark.parametrize("unread", [False, True], ids=["read", "unread"])
def test_a_job_dies_when_the_service_is_gone(host: Host, folder: Path, unread: bool) -> None:
    job, hanging = start_hanging(host, folder)
    if not unread:
        job.receive()
    job.control.close()
    job.read_pipes()
    until(lambda: not alive(hanging))
    until(lambda: not host.children())


@pytest.mark.parametrize("packet", [b"{", b'{"argv": []}'], ids=["no JSON", "no job"])
def test_a_bad_packet_ends_only_its_job(own_host: Host, folder: Path, packet: bytes) -> None:
    own_host.socket.send(packet)  # without descriptors
    assert own_host.send(packet).wait().messages == []
    write(folder, {"site.yml": HELLO})
    assert own_host.run(*LOCAL, "site.yml", cwd=folder).rc == 0


def test_a_host_whose_service_dies_ends_and_removes_what_that_has_left(own_host: Host, folder: Path) -> None:
    job, hanging = start_hanging(own_host, folder)
    [supervisor] = own_host.children()
    os.kill(supervisor, signal.SIGSTOP)  # as a job may do
    secret, gone = own_host.home / "job/key", own_host.home.parent / "gone/other/key"
    for file in (secret, gone):
        file.parent.mkdir(parents=True)
        file.write_text("secret")
    mark = {**os.environ, "TMPDIR": str(secret.parent)}
    agent = subprocess.Popen(["sleep", "1000"], env=mark, start_new_session=True)
    job.control.close()
    assert own_host.close() == 0
    assert not alive(hanging)
    assert not alive(int((folder / "daemon").read_text()))
    assert agent.wait(30) == -signal.SIGKILL
    assert not own_host.home.exists()
    assert not gone.exists()


def test_a_job_that_nobody_tells_to_begin_does_not(host: Host, folder: Path) -> None:
    write(folder, {"site.yml": play("{command: touch begun}")})
    job = host.start(*LOCAL, "site.yml", cwd=folder, may_begin=False)
    assert job.receive()["type"] == "started"
    job.control.close()
    job.read_pipes()
    until(lambda: not host.children())
    assert not (folder / "begun").exists()


@pytest.mark.parametrize("nth", [1, 2], ids=["supervisor", "playbook"])
def test_a_job_that_cannot_be_forked_says_so(tmp_path: Path, folder: Path, nth: int) -> None:
    # as where the limit of processes is reached, which the superuser has none of
    failing = f"""
import os, itertools
fork, calls = os.fork, itertools.count(1)
def fail():
    if next(calls) == {nth}:
        raise BlockingIOError(11, "Resource temporarily unavailable")
    return fork()
os.fork = fail
"""
    write(tmp_path, {"sitecustomize.py": failing})
    write(folder, {"site.yml": HELLO})
    host = Host(tmp_path / "host", {"PYTHONPATH": f"{tmp_path}:{PACKAGE}"})
    job = host.start(*LOCAL, "site.yml", cwd=folder).wait()
    assert job.messages[-1] == {"type": "not_begun", "errno": errno.EAGAIN}
    # the children of the host have counts of their own
    assert host.run(*LOCAL, "site.yml", cwd=folder).messages[-1]["type"] == ("exited" if nth == 1 else "not_begun")
    host.close()


def test_a_host_answers(host: Host) -> None:
    host.socket.send(b"ping")
    assert json.loads(host.socket.recv(1000)) == {"type": "pong"}


def test_jobs_leave_nothing_in_the_host(own_host: Host, folder: Path) -> None:
    write(folder, {"site.yml": HELLO})
    before = own_host.fds()
    for _ in range(20):
        assert own_host.run(*LOCAL, "site.yml", cwd=folder).rc == 0
    until(lambda: not own_host.children())
    assert own_host.fds() == before


def test_what_a_playbook_leaves_running_is_named_and_ends_with_it_or_lives_on(host: Host, folder: Path) -> None:
    start = "{command: sleep 1000, async: 2000, poll: 0}"
    done = "{command: 'true', async: 2000, poll: 0, register: job}"
    wait = "{async_status: {jid: '{{ job.ansible_job_id }}'}, register: r, until: r.finished, retries: 100, delay: 0.1}"
    write(folder, {"site.yml": play(start, done, wait)})
    job = host.run(*LOCAL, "site.yml", cwd=folder)
    [left] = job.exited["left"]
    assert left.startswith("the asynchronous task j")
    assert not any(alive(pid) for pid in sleeping(folder))

    job = host.run(*LOCAL, "site.yml", cwd=folder, end_background=False)
    assert (job.rc, job.exited["left"]) == (0, [])
    [sleeper] = [pid for pid in sleeping(folder) if alive(pid)]
    os.kill(sleeper, signal.SIGKILL)


def sleeping(folder: Path) -> list[int]:
    """Lists the processes that sleep in a folder."""
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and (process / "cmdline").read_bytes() == b"sleep\0001000\0":
                found += [int(process.name)] if (process / "cwd").resolve() == folder.resolve() else []
    return found
