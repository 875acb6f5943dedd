"""A callback plugin that writes down what Ansible's modules hold, so that two processes can be compared."""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
from typing import Any

from ansible.plugins.callback import CallbackBase

PLAIN = (str, bytes, int, float, bool, type(None), re.Pattern)


def describe(value: Any, depth: int = 3) -> Any:
    """Returns what can be compared of a value: plain things, and what plain things are inside others."""
    if isinstance(value, PLAIN):
        return re.sub("0x[0-9a-f]+", "0x", repr(value))
    if not depth:
        return None
    if isinstance(value, dict):
        return {str(key): describe(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return sorted(str(describe(item, depth - 1)) for item in value)
    if inspect.isfunction(value):
        value = inspect.unwrap(value)  # what wraps a function of Ansible's passes its defaults on
        return describe([*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()], depth - 1)
    if type(value).__name__ in ("PluginLoader", "Jinja2Loader"):
        return describe([value.config, value._extra_dirs], depth)
    if type(value).__name__ in ("ErrorHandler", "Display"):
        return {name: str(item) for name, item in vars(value).items() if isinstance(item, PLAIN) or name == "action"}
    if type(value).__name__.endswith("FieldAttribute"):
        return describe(value.default, depth - 1)
    return None


def state() -> dict[str, Any]:
    """Returns the state of every module of Ansible's and of every class in them."""
    found: dict[str, Any] = {}
    for name, module in list(sys.modules.items()):
        if not name.startswith("ansible.") or not module:
            continue
        for key, value in list(vars(module).items()):
            if inspect.isclass(value) and value.__module__ == name:
                found |= {f"{name}.{key}.{attribute}": describe(item) for attribute, item in vars(value).items()}
            elif not key.startswith("__"):
                found[f"{name}.{key}"] = describe(value)
    return {key: value for key, value in found.items() if value is not None}


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Ansible finds a callback plugin by this name."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "state"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Writes the state when all has run."""
        with open(os.environ["STATE"], "w") as file:
            json.dump(state(), file)
