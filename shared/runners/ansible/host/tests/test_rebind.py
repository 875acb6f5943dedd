"""A job's process holds the same state as ``ansible-playbook`` would, whatever the job configures."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from ansible import constants as C

from callboard_host import settings
from tests.client import BIN, Host, environment
from tests.conftest import LOCAL, play, write

OURS = (
    "DEFAULT_STDOUT_CALLBACK",  # the events callback is around the job's own
    "DEFAULT_LOCAL_TMP",  # unique, as are the ids of plays
    "random_int",
    "set_constant",  # holds all of the above
    "ansible.utils.color.ANSIBLE_COLOR",  # the job decides
    "callback_loader",  # knows the events callback's folder
    "PluginLoader._load_module_source",
    "_meta_yml_to_dict",
    "_CACHE",  # what a process has happened to load
    "_v2_v1_method_map",
    "ansible.utils.display.Display.",  # wrapped by ansible-runner
)

CHOSEN = {
    "DEFAULT_STRATEGY": "free",
    "DEFAULT_MODULE_COMPRESSION": "ZIP_STORED",
    "DEFAULT_EXECUTABLE": "/bin/bash",
    "DEFAULT_JINJA2_EXTENSIONS": "jinja2.ext.do",
    "_TEMPLAR_SANDBOX_MODE": "allow_unsafe_attributes",
}


def another(setting: str, folder: Path) -> str:
    """Returns a valid value that is not the default."""
    definition = C.config.get_configuration_definitions()[setting]
    kind = definition.get("type", "string")
    choices = [choice for choice in definition.get("choices", ()) if choice != definition.get("default")]
    if setting in CHOSEN:
        return CHOSEN[setting]
    if setting.startswith("COLOR_"):
        return str(list(C.COLOR_CODES)[list(settings.LOG_LEVELS).index(setting)])
    if choices:
        return str(choices[0])
    if kind in ("bool", "boolean"):
        return str(not definition["default"])
    if kind in ("int", "integer", "float"):
        return str(int(definition["default"]) + 1)
    return str(folder / setting)


def environment_of_changes(folder: Path) -> dict[str, str]:
    """Returns an environment that changes each setting that a module of Ansible's copies."""
    env = {}
    for _, setting in sorted(settings.covered()):
        for source in C.config.get_configuration_definitions()[setting].get("env", ())[:1]:
            env[source["name"]] = another(setting, folder)
    return env


def differences(real: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """Returns what is in both and not the same."""
    return {
        name: (real[name], ours[name])
        for name in sorted(real.keys() & ours.keys())
        if real[name] != ours[name] and not any(name.endswith(our) or our in name for our in OURS)
    }


def states(host: Host, folder: Path, env: dict[str, str]) -> list[dict[str, Any]]:
    """Returns the state of ``ansible-playbook`` and that of a job, in the same environment."""
    write(folder, {"site.yml": play("debug: msg=hello")})
    (folder / "callback_plugins").mkdir()
    shutil.copy(Path(__file__).parent / "state_callback.py", folder / "callback_plugins/state.py")
    env = {**environment(folder / "home"), "ANSIBLE_CALLBACKS_ENABLED": "state", "LOGNAME": "somebody", **env}
    command = [str(BIN / "ansible-playbook"), *LOCAL, "site.yml"]
    subprocess.run(command, env={**env, "STATE": "real"}, cwd=folder, check=True, capture_output=True)
    assert host.run(*LOCAL, "site.yml", cwd=folder, env={**env, "STATE": "ours"}).rc == 0
    written = [(folder / name).read_text() for name in ("real", "ours")]
    return [json.loads(re.sub(r"ansible-local-\w+", "", text)) for text in written]


def test_every_copy_holds_what_the_job_configures(host: Host, folder: Path) -> None:
    assert differences(*states(host, folder, environment_of_changes(folder))) == {}


def test_no_copy_holds_what_the_host_was_started_with(folder: Path) -> None:
    host = Host(folder / "host", environment_of_changes(folder))
    try:
        assert differences(*states(host, folder, {})) == {}
    finally:
        host.close()
