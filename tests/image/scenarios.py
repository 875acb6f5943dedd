"""What the worker's image must be able to do: a playbook each, which checks itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TEMPLATED = {"template_extra_vars": True}
HOME = {"dir": "{{ lookup('env', 'HOME') }}"}
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "/opt/callboard/python/bin/python3"}
EIGHT_HOSTS = {"type": "inline", "data": {"all": {"hosts": {f"host{n}": LOCAL for n in range(8)}}}}


@dataclass(frozen=True)
class Scenario:
    """A job that must be successful, and a text that its output must hold."""

    name: str
    request: dict[str, Any]
    output: str = ""


def playbook(path: str, **fields: Any) -> dict[str, Any]:
    """Returns a job request."""
    return {"playbook": path, **fields}


def in_home(path: str, **options: Any) -> dict[str, Any]:
    """Returns a request for a playbook that works in the folder that ``dir`` names."""
    return playbook(path, extra_vars=HOME, options={**TEMPLATED, **options})


def scenarios(variables: dict[str, str]) -> list[Scenario]:
    """Lists all, with the variables that lead some of them to servers of the tests."""
    ssh = {name: value for name, value in variables.items() if name.startswith("ssh_")}
    aws = {name: variables[name] for name in ("endpoint_url", "bucket")}
    forks = {**in_home("features/forks.yml", forks=8, timeout=60), "inventory": EIGHT_HOSTS}
    return [
        Scenario("the sandbox is Lambda's", playbook("image/sandbox.yml", extra_vars={"uid": variables["uid"]})),
        Scenario("facts", playbook("features/facts.yml")),
        Scenario("8 hosts at once", forks, "host7"),
        Scenario("loops", in_home("features/loops.yml")),
        Scenario("asynchronous tasks", in_home("features/async.yml")),
        Scenario("roles", in_home("features/roles_play/site.yml")),
        Scenario("plugins of a playbook", playbook("features/plugins/site.yml")),
        Scenario("copy and template", playbook("image/copy_template.yml")),
        Scenario("collections and boto3", playbook("image/collections.yml", extra_vars=aws)),
        Scenario("git", playbook("image/git.yml")),
        Scenario("ssh by key and by password, git over ssh", playbook("image/ssh.yml", extra_vars=ssh)),
        Scenario("a job that leaves things behind", playbook("image/leave.yml")),
        Scenario("the next job finds nothing of it", playbook("image/look.yml")),
    ]
