"""What comes out of a job: every event parses, no secret is in any byte, nothing can pass for a marker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.client import Host, Job, environment
from tests.conftest import LOCAL, play, write

SECRET = "xyzzy-swordfish"
ODD = """
from ansible.plugins.action import ActionBase
class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        return {self._task.args["key"]: eval(self._task.args["value"])}
"""
FILTERS = """
import signal
class FilterModule:
    def filters(self):
        return {"sigpipe": lambda _: signal.getsignal(signal.SIGPIPE).name}
"""
GUARD = """
import sys
from ansible.plugins.callback import CallbackBase
class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "guard"
    def v2_playbook_on_stats(self, stats):
        cells = [cell.cell_contents for cell in sys.stdout.buffer.write.__closure__]
        self._display.display("guarded" if any(cell is self._display._lock for cell in cells) else "not guarded")
"""
SSH = """#!/bin/sh
"$SSH_ASKPASS" "me@localhost's password: " > "$HOME/answer"
exit 255
"""


def run(host: Host, folder: Path, *tasks: str, arguments: tuple[str, ...] = ()) -> Job:
    """Runs tasks and expects them to succeed."""
    write(folder, {"site.yml": play(*tasks), "action_plugins/odd.py": ODD})
    job = host.run(*LOCAL, *arguments, "site.yml", cwd=folder)
    assert job.rc == 0, job.output
    return job


def result(job: Job) -> object:
    """Returns the result of the only task."""
    [event] = job.events("runner_on_ok")
    return event["event_data"]["res"]


def test_events_and_output_belong_together(host: Host, folder: Path) -> None:
    job = run(host, folder, "debug: msg=hello")
    markers = [f"\x1b]{job.nonce};{kind}\x07".encode() for kind in "BE"]
    printed = [piece.partition(markers[1])[0] for piece in job.raw_output.split(markers[0])[1:]]
    texts = dict(zip([event["event"] for event in job.events()], printed, strict=True))
    assert b"ok: [localhost]" in texts["runner_on_ok"]
    assert b"PLAY RECAP" in texts["playbook_on_stats"]


@pytest.mark.parametrize("arguments", [(), ("-vvv", "--diff")], ids=["plain", "verbose"])
def test_no_log_keeps_a_secret_out_of_every_byte(host: Host, folder: Path, arguments: tuple[str, ...]) -> None:
    secret = ("-e", "@secret.yml", *arguments)
    write(folder, {"secret.yml": f"secret: {SECRET}\n", "ansible.cfg": "[defaults]\ndisplay_traceback=always\n"})
    job = run(
        host,
        folder,
        "{shell: 'echo {{ secret }}', no_log: true}",
        "{command: 'echo {{ item }}', loop: ['{{ secret }}'], no_log: true}",
        "{copy: {content: '{{ secret }}', dest: copied}, no_log: true}",
        "{debug: {msg: '{{ secret }}'}, no_log: true, loop: [1], loop_control: {label: '{{ secret }}'}}",
        "{fail: {msg: '{{ secret }}'}, no_log: true, ignore_errors: true}",
        "{shell: 'echo {{ secret }}; exit 1', no_log: true, until: false, retries: 1, delay: 0, ignore_errors: true}",
        arguments=secret,
    )
    assert (folder / "copied").read_text() == SECRET
    assert SECRET.encode() not in job.raw_output + job.raw_events


def test_no_log_keeps_out_what_set_stats_sets_for_the_run_and_for_hosts(host: Host, folder: Path) -> None:
    write(folder, {"secret.yml": f"secret: {SECRET}\n", "ansible.cfg": "[defaults]\nshow_custom_stats=true\n"})
    job = run(
        host,
        folder,
        "set_stats: {data: {open: 1}}",
        "{set_stats: {data: {hidden: '{{ secret }}'}}, no_log: true}",
        "{set_stats: {data: {mine: '{{ secret }}'}, per_host: true}, no_log: '{{ 1 == 1 }}'}",
        "{set_stats: {data: {item: '{{ item }}'}}, loop: ['{{ secret }}'], no_log: true}",
        "set_stats: {data: {open: 2}}",
        arguments=("-e", "@secret.yml"),
    )
    [event] = job.events("playbook_on_stats")
    assert event["event_data"]["artifact_data"] == {"open": 3}
    assert "CUSTOM STATS" in job.output
    assert SECRET.encode() not in job.raw_output + job.raw_events


def test_a_failure_has_the_last_whole_lines_of_standard_error_unless_they_are_hidden(host: Host, folder: Path) -> None:
    def failing(task: str) -> dict[str, Any]:
        write(folder, {"site.yml": play(task)})
        [failure] = host.run(*LOCAL, "site.yml", cwd=folder).told("failure")
        return failure

    failure = failing("shell: seq 1 2000 >&2; exit 3")
    lines = failure["stderr_tail"].splitlines()
    assert lines == [str(number) for number in range(2001 - len(lines), 2001)]
    assert 2000 < len(failure["stderr_tail"]) <= 2048 and failure["rc"] == 3
    assert "stderr_tail" not in failing("{shell: 'echo here >&2; exit 3', no_log: true}")


def test_each_warning_that_is_displayed_is_told_once(host: Host, folder: Path) -> None:
    warn = "{odd: {key: warnings, value: \"['careful']\"}, loop: [1, 2]}"
    told = run(host, folder, warn).told("warning")
    assert [note["message"] for note in told if "careful" in note["message"]] == ["careful"], told


@pytest.mark.parametrize(
    ("key", "value", "seen"),
    [
        ("number", "float('nan')", "nan"),
        ("numbers", "[float('inf'), 1.5]", ["inf", 1.5]),
        ("nested", "{'a': {'b': -float('inf')}}", {"a": {"b": "-inf"}}),
        ("text", "'a' + chr(0xdcff) + 'b'", "a?b"),
        ("unicode", "'\\u2028 \\U0001f600'", "\u2028 \U0001f600"),
        ("date", "__import__('datetime').date(2024, 1, 2)", "2024-01-02"),
    ],
)
def test_any_result_is_strict_json(host: Host, folder: Path, key: str, value: str, seen: object) -> None:
    res = result(run(host, folder, f'{{odd: {{key: {key}, value: "{value}"}}}}'))
    assert isinstance(res, dict)
    assert res[key] == seen


def test_a_large_result_leaves_the_event_small(host: Host, folder: Path) -> None:
    job = run(host, folder, "odd: {key: large, value: \"'x' * 800000\"}")
    assert result(job) == {}
    assert "x" * 800_000 in job.output or "ok: [localhost]" in job.output


def test_a_large_event_keeps_what_is_small(host: Host, folder: Path) -> None:
    job = run(host, folder, "set_stats: {data: {large: \"{{ 'x' * 2000000 }}\"}}")
    [event] = job.events("playbook_on_stats")
    assert event["event_data"]["artifact_data"] == {}
    [dropped] = job.told("stats_dropped")
    assert dropped["names"] == ["artifact_data"]
    assert event["event_data"]["ok"] == {"localhost": 1}
    assert max(len(line) for line in job.raw_events.splitlines()) <= 1 << 20


def test_text_that_looks_like_a_marker_stays_text(host: Host, folder: Path) -> None:
    write(folder, {"fake": f"\x1b]{'0' * 32};B\x07{{}}\x1b]{'0' * 32};E\x07\n"})
    job = run(host, folder, "shell: cat fake", "debug: msg=\"{{ lookup('file', 'fake') }}\"")
    assert job.raw_output.count(b";B\x07") == len(job.events())
    assert all(event["event"] for event in job.events())


def test_bytes_that_are_no_text_do_no_harm(host: Host, folder: Path) -> None:
    write(folder, {"ansible.cfg": "[defaults]\nmodule_strict_utf8_response=false\n"})
    job = run(host, folder, "{command: printf 'caf\\351', changed_when: false}", arguments=("-v",))
    res = result(job)
    assert isinstance(res, dict)
    assert (res["rc"], res["stdout"]) == (0, "caf?")
    assert "caf" in job.output


def test_color_is_the_jobs_choice(host: Host, folder: Path) -> None:
    write(folder, {"site.yml": play("debug: msg=hello")})
    assert "\x1b[0;32mok" in host.run(*LOCAL, "site.yml", cwd=folder, color=True).output
    assert "\x1b[" not in host.run(*LOCAL, "site.yml", cwd=folder, color=False).output


def test_a_broken_pipe_is_an_error_and_no_death(host: Host, folder: Path) -> None:
    write(folder, {"filter_plugins/mine.py": FILTERS})
    assert "SIG_IGN" in run(host, folder, "debug: msg={{ 1 | sigpipe }}").output


def test_a_fork_finds_nobody_writing_to_stdout(host: Host, folder: Path) -> None:
    write(folder, {"callback_plugins/guard.py": GUARD})
    assert run(host, folder, "debug: msg=hello").output.endswith("\nguarded\n")


def test_ssh_gets_its_password(host: Host, folder: Path) -> None:
    write(folder, {"site.yml": play("raw: 'true'"), "ssh": SSH})
    (folder / "ssh").chmod(0o700)
    variables = f"ansible_password={SECRET} ansible_ssh_executable={folder / 'ssh'}"
    env = {**environment(folder / "home"), "ANSIBLE_SSH_PASSWORD_MECHANISM": "ssh_askpass"}
    job = host.run("-i", "localhost,", "-e", variables, "site.yml", cwd=folder, env=env)
    assert job.rc == 4
    assert (folder / "home/answer").read_text() == SECRET
    assert SECRET.encode() not in job.raw_output + job.raw_events
    assert list((folder / "home/tmp").iterdir()) == []


def test_a_tilde_is_the_jobs_home(host: Host, folder: Path) -> None:
    run(host, folder, "{copy: {content: text, dest: ~/copied}}")
    assert (folder / "home/copied").read_text() == "text"
    assert (folder / "home/.ansible/tmp").is_dir()


def test_a_setting_and_a_file_that_is_read_are_the_users_and_what_is_written_is_the_jobs(
    host: Host, folder: Path
) -> None:
    users, own = folder / "user", folder / "home"
    write(
        folder,
        {
            "user/vault": "secret\n",
            "user/both": "the user's",
            "user/users": "the user's",
            "user/facts/kept": "",
            "home/both": "the job's",
            "ansible.cfg": "[defaults]\nvault_password_file=~/vault\n"
            "fact_caching=jsonfile\nfact_caching_connection=~/cache\n",
            "site.yml": play(
                "debug: msg={{ lookup('file', '~/both') }}-{{ lookup('file', '~/users') }}",
                "copy: {src: ~/users, dest: ~/copied}",
                "fetch: {src: ~/copied, dest: ~/facts/, flat: true}",
                "set_fact: {remembered: 1, cacheable: true}",
                "debug: msg={{ lookup('password', '~/users') }}",
            ),
        },
    )
    job = host.run(*LOCAL, "site.yml", cwd=folder, users_home=str(users))
    assert job.rc == 0, job.output
    assert "the job's-the user's" in job.output
    assert (own / "copied").read_text() == "the user's"
    assert (own / "facts/copied").exists()
    assert [path.name for path in (users / "facts").iterdir()] == ["kept"]
    assert list((users / "cache").iterdir()) != []
    assert (users / "users").read_text() == "the user's"
    assert (own / "users").exists()
    assert (own / ".ansible").is_dir()
    assert not (users / ".ansible").exists()
