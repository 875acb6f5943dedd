"""What a job configures takes effect: its output is that of ``ansible-playbook`` in the same environment."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.client import BIN, Host, Job, environment
from tests.conftest import LOCAL, play, write

HELLO = play("debug: msg=hello")
CALLBACK = """
from ansible.plugins.callback import CallbackBase
class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = {type!r}
    CALLBACK_NAME = {name!r}
    CALLBACK_NEEDS_ENABLED = True
    def v2_playbook_on_stats(self, stats):
        self._display.display("said by " + self.CALLBACK_NAME)
"""
OPTIONS = '''
DOCUMENTATION = """
name: shout
type: stdout
short_description: a stdout callback with an option of its own
description: [none]
options:
  word: {description: what to say, default: quiet, env: [{name: SHOUT}]}
"""
from ansible.plugins.callback import CallbackBase
class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "shout"
    def v2_playbook_on_stats(self, stats):
        self._display.display(self.get_option("word"))
'''
LATE = """
import os, threading, time
from ansible.plugins.callback import CallbackBase
class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "late"
    def v2_playbook_on_stats(self, stats):
        threading.Thread(target=lambda: time.sleep(0.3) or os.write(1, b"late")).start()
"""
FILTER = "class FilterModule:\n    def filters(self):\n        return {'twice': lambda value: value * 2}\n"
LOOKUP = """
from ansible.plugins.lookup import LookupBase
class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        return ["the job's own"]
"""
ACTION = """
from ansible.plugins.action import ActionBase
class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        return {"msg": "the job's own"}
"""

CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "ansible.cfg": (
        {
            "ansible.cfg": "[defaults]\nroles_path=elsewhere\nstdout_callback=minimal\ntimeout=77\nforks=3\n",
            "elsewhere/r/tasks/main.yml": "- debug: msg=\"role {{ lookup('config', 'DEFAULT_TIMEOUT') }}\"\n",
            "site.yml": play("debug: msg={{ ansible_forks }}", extra="  roles: [r]\n"),
        },
        {},
    ),
    "ANSIBLE_CONFIG": (
        {"conf/other.cfg": "[defaults]\nnocows=true\nverbosity=1\n", "site.yml": HELLO},
        {"ANSIBLE_CONFIG": "conf/other.cfg"},
    ),
    "strategy": ({"site.yml": HELLO}, {"ANSIBLE_STRATEGY": "free"}),
    "no_log": ({"site.yml": HELLO}, {"ANSIBLE_NO_LOG": "true"}),
    "color": ({"site.yml": HELLO}, {"ANSIBLE_FORCE_COLOR": "1", "ANSIBLE_COLOR_OK": "purple", "ANSIBLE_NOCOLOR": "1"}),
    "callback beside the playbook": (
        {"site.yml": HELLO, "callback_plugins/mine.py": CALLBACK.format(type="notification", name="mine")},
        {"ANSIBLE_CALLBACKS_ENABLED": "mine"},
    ),
    "stdout callback with options": (
        {"site.yml": HELLO, "callback_plugins/shout.py": OPTIONS},
        {"ANSIBLE_STDOUT_CALLBACK": "shout", "SHOUT": "LOUD"},
    ),
    "stdout callback without documentation": (
        {"site.yml": HELLO, "callback_plugins/bare.py": CALLBACK.format(type="stdout", name="bare")},
        {"ANSIBLE_STDOUT_CALLBACK": "bare"},
    ),
    "stdout callback by its full name": ({"site.yml": HELLO}, {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal"}),
    "callback with a thread": ({"site.yml": HELLO, "callback_plugins/late.py": LATE}, {}),
    "absent stdout callback": ({"site.yml": HELLO}, {"ANSIBLE_STDOUT_CALLBACK": "nowhere"}),
    "plugins named like Ansible's": (
        {
            "site.yml": play("debug: msg=hello", "fail: msg={{ lookup('env', 'HOME') }}"),
            "action_plugins/debug.py": ACTION,
            "lookup_plugins/env.py": LOOKUP,
            "callback_plugins/minimal.py": CALLBACK.format(type="stdout", name="minimal"),
        },
        {"ANSIBLE_STDOUT_CALLBACK": "minimal"},
    ),
    "filter plugins": (
        {"site.yml": play("debug: msg={{ 'ab' | twice }}"), "plugins/mine.py": FILTER},
        {"ANSIBLE_FILTER_PLUGINS": "plugins"},
    ),
    "collections": (
        {
            "c/ansible_collections/my/own/plugins/filter/mine.py": FILTER,
            "c/ansible_collections/my/own/roles/r/tasks/main.yml": "- debug: msg={{ 'ab' | my.own.twice }}\n",
            "site.yml": play("include_role: name=my.own.r"),
        },
        {"ANSIBLE_COLLECTIONS_PATH": "c"},
    ),
    "inventory": (
        {
            "ansible.cfg": "[defaults]\ninventory=hosts\ninventory_ignore_patterns=skipped\n",
            "hosts/a.ini": "one ansible_connection=local\n",
            "hosts/skipped": "two ansible_connection=local\n",
            "site.yml": HELLO,
        },
        {},
    ),
    "templating, with a warning": (
        {"site.yml": play('debug: msg="{% do [].append(1) %}done"')},
        {"ANSIBLE_JINJA2_EXTENSIONS": "jinja2.ext.do"},
    ),
    "conditionals": (
        {"site.yml": play("{debug: msg=shown, when: \"'text'\"}")},
        {"ANSIBLE_ALLOW_BROKEN_CONDITIONALS": "true", "ANSIBLE_DEPRECATION_WARNINGS": "false"},
    ),
    "time zone": ({"site.yml": play("debug: msg={{ '%H %Z' | strftime(0) }}")}, {"TZ": "XYZ-5"}),
    "no locale": ({"site.yml": HELLO}, {"LC_ALL": "xx_XX.UTF-8"}),
}


def compare(host: Host, folder: Path, files: dict[str, str], env: dict[str, str], *arguments: str) -> Job:
    """Runs a playbook by ``ansible-playbook`` and by the host, and asserts that they say and return the same."""
    write(folder, files)
    env = {**environment(folder / "home"), "PYTHONUNBUFFERED": "1", "ANSIBLE_RETRY_FILES_ENABLED": "0", **env}
    target = () if "hosts/a.ini" in files else LOCAL
    arguments = (*target, *arguments, "site.yml")
    command = [str(BIN / "ansible-playbook"), *arguments]
    real = subprocess.run(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    job = host.run(*arguments, cwd=folder, env=env)
    assert (job.output, job.rc) == (real.stdout, real.returncode)
    return job


@pytest.mark.parametrize("case", CASES)
def test_a_setting_takes_effect(host: Host, folder: Path, case: str) -> None:
    compare(host, folder, *CASES[case])


def test_a_configuration_that_anyone_can_write_is_refused(host: Host, folder: Path) -> None:
    folder.chmod(0o777)
    job = compare(host, folder, {"site.yml": HELLO, "ansible.cfg": "[defaults]\nstdout_callback=minimal\n"}, {})
    assert "world writable directory" in job.output


def test_a_log_is_written(host: Host, folder: Path) -> None:
    compare(host, folder, {"site.yml": HELLO}, {"ANSIBLE_LOG_PATH": "log", "LOGNAME": "somebody"})
    lines = [re.sub(r"^\S+ \S+ p=\d+", "", line) for line in (folder / "log").read_text().splitlines()]
    assert " u=somebody n=ansible INFO| PLAY RECAP" in "\n".join(lines)
    assert lines[: len(lines) // 2] == lines[len(lines) // 2 :]


@pytest.mark.parametrize("setting", ["ANSIBLE_VAULT_PASSWORD_FILE", "ANSIBLE_VAULT_IDENTITY_LIST"])
def test_a_vault_opens(host: Host, folder: Path, setting: str) -> None:
    site = play("debug: msg={{ greeting }}", extra="  vars_files: [vars.yml]\n")
    write(folder, {"password": "one\n", "vars.yml": "greeting: hidden\n", "site.yml": site})
    encrypt = [str(BIN / "ansible-vault"), "encrypt", "--vault-id", "me@password", "vars.yml"]
    subprocess.run(encrypt, cwd=folder, env=environment(folder / "home"), check=True, capture_output=True)
    job = compare(host, folder, {}, {setting: "password" if "FILE" in setting else "me@password"})
    assert job.events("runner_on_ok")[0]["event_data"]["res"]["msg"] == "hidden"


def test_a_bad_setting_ends_the_job_as_it_ends_ansible(host: Host, folder: Path) -> None:
    write(folder, {"site.yml": HELLO})
    env = {**environment(folder / "home"), "ANSIBLE_TIMEOUT": "soon"}
    job = host.run(*LOCAL, "site.yml", cwd=folder, env=env)
    assert job.rc == 5
    assert job.output.startswith("ERROR: Config 'DEFAULT_TIMEOUT' from 'env: ANSIBLE_TIMEOUT' has an invalid value")
    assert len(job.told("ansible_error")) == 1


def test_the_environment_and_descriptors_of_tasks_are_ansibles(host: Host, folder: Path) -> None:
    look = "debug: msg={{ lookup('pipe', 'env | grep -v ^_ | sort; umask; ulimit -a; ls /proc/self/fd | wc -l') }}"
    compare(host, folder, {"site.yml": play(look)}, {}, "-v")
