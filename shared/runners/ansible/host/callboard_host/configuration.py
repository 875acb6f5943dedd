"""Lets a job's own configuration take effect in a process that has already imported Ansible.

Ansible reads ``ANSIBLE_*`` variables and ``ansible.cfg`` when ``ansible.constants`` is imported, and some
modules copy what they find there. The host imports all of that before it knows any job, so the job's child
reads the configuration again, in place, and renews those copies. ``tests/test_configuration.py`` reads
Ansible's source and fails when a release copies a setting that is not listed here.
"""

from __future__ import annotations

import atexit
import os
import re
import secrets
import tempfile
from typing import Any

from ansible import constants as C
from ansible.config import manager as config_manager
from ansible.inventory import manager as inventory_manager
from ansible.playbook.base import Base
from ansible.playbook.play import Play
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins import loader as plugin_loader
from ansible.utils import color, display
from ansible.utils import vars as ansible_vars
from ansible.utils.path import cleanup_tmp_file

FIELD_DEFAULTS: dict[tuple[type, str], str] = {
    (Base, "no_log"): "DEFAULT_NO_LOG",
    (Base, "any_errors_fatal"): "ANY_ERRORS_FATAL",
    (Base, "timeout"): "TASK_TIMEOUT",
    (Play, "strategy"): "DEFAULT_STRATEGY",
    (PlayContext, "module_compression"): "DEFAULT_MODULE_COMPRESSION",
    (PlayContext, "executable"): "DEFAULT_EXECUTABLE",
    (PlayContext, "timeout"): "DEFAULT_TIMEOUT",
    (PlayContext, "private_key_file"): "DEFAULT_PRIVATE_KEY_FILE",
    (PlayContext, "pipelining"): "ANSIBLE_PIPELINING",
    (PlayContext, "become_exe"): "DEFAULT_BECOME_EXE",
    (PlayContext, "become_flags"): "DEFAULT_BECOME_FLAGS",
    (Task, "poll"): "DEFAULT_POLL_INTERVAL",
}

LOADER_PATHS: dict[str, str] = {
    "fragment_loader": "DOC_FRAGMENT_PLUGIN_PATH",
    "action_loader": "DEFAULT_ACTION_PLUGIN_PATH",
    "cache_loader": "DEFAULT_CACHE_PLUGIN_PATH",
    "callback_loader": "DEFAULT_CALLBACK_PLUGIN_PATH",
    "connection_loader": "DEFAULT_CONNECTION_PLUGIN_PATH",
    "module_loader": "DEFAULT_MODULE_PATH",
    "module_utils_loader": "DEFAULT_MODULE_UTILS_PATH",
    "ps_module_utils_loader": "DEFAULT_MODULE_UTILS_PATH",
    "lookup_loader": "DEFAULT_LOOKUP_PLUGIN_PATH",
    "filter_loader": "DEFAULT_FILTER_PLUGIN_PATH",
    "test_loader": "DEFAULT_TEST_PLUGIN_PATH",
    "strategy_loader": "DEFAULT_STRATEGY_PLUGIN_PATH",
    "terminal_loader": "DEFAULT_TERMINAL_PLUGIN_PATH",
    "vars_loader": "DEFAULT_VARS_PLUGIN_PATH",
    "cliconf_loader": "DEFAULT_CLICONF_PLUGIN_PATH",
    "netconf_loader": "DEFAULT_NETCONF_PLUGIN_PATH",
    "inventory_loader": "DEFAULT_INVENTORY_PLUGIN_PATH",
    "httpapi_loader": "DEFAULT_HTTPAPI_PLUGIN_PATH",
    "become_loader": "BECOME_PLUGIN_PATH",
}

LOG_LEVELS = {
    "COLOR_DEBUG": "DEBUG",
    "COLOR_VERBOSE": "INFO",
    "COLOR_OK": "INFO",
    "COLOR_INCLUDED": "INFO",
    "COLOR_CHANGED": "INFO",
    "COLOR_SKIP": "WARNING",
    "COLOR_DEPRECATE": "WARNING",
    "COLOR_WARN": "WARNING",
    "COLOR_UNREACHABLE": "ERROR",
    "COLOR_ERROR": "ERROR",
}

INVENTORY_SETTINGS = ("INVENTORY_IGNORE_PATTERNS", "INVENTORY_IGNORE_EXTS")
COLOR_SETTINGS = ("ANSIBLE_NOCOLOR", "ANSIBLE_FORCE_COLOR")
LOG_SETTINGS = ("DEFAULT_LOG_PATH",)


def forget_inheritance() -> None:
    """Drops what must not be shared with the host's other jobs: its temporary folder, its share of play ids."""
    tempfile.tempdir = None
    atexit.unregister(cleanup_tmp_file)
    ansible_vars.random_int = secrets.token_hex(4)


def rebind() -> None:
    """Reads the configuration anew from this process's environment and folder, and renews every copy."""
    config: Any = C.config
    config._get_ini_config_value.cache_clear()
    config._parsers.clear()
    config._config_file = config_manager.find_ini_config_file(config.WARNINGS)
    if config._config_file:
        config._parse_config_file()
    constants = vars(C)
    for setting in config.get_configuration_definitions():
        C.set_constant(setting, config.get_config_value(setting, variables=constants))
    _renew_copies()


def use_events_callback(force_color: bool) -> None:
    """Puts the events callback around the stdout callback that the job's configuration names."""
    os.environ["ORIGINAL_STDOUT_CALLBACK"] = C.DEFAULT_STDOUT_CALLBACK
    C.set_constant("DEFAULT_STDOUT_CALLBACK", "callboard")
    color.ANSIBLE_COLOR = not C.ANSIBLE_NOCOLOR and (force_color or bool(C.ANSIBLE_FORCE_COLOR))


def _renew_copies() -> None:
    for (owner, attribute), setting in FIELD_DEFAULTS.items():
        vars(owner)[attribute].default = getattr(C, setting)
    for name, setting in LOADER_PATHS.items():
        _renew_loader(getattr(plugin_loader, name), getattr(C, setting))
    inventory_manager.IGNORED_PATTERNS = [pattern.encode() for pattern in C.INVENTORY_IGNORE_PATTERNS]
    inventory_manager.IGNORED_EXTS = [b"%s$" % re.escape(ext).encode() for ext in C.INVENTORY_IGNORE_EXTS]
    _renew_log()


def _renew_loader(loader: Any, paths: Any) -> None:
    paths = [paths] if paths and not isinstance(paths, list) else paths or []
    if loader.config != paths:
        loader.config = paths
        loader._clear_caches()


def _renew_log() -> None:
    import logging

    display.color_to_log_level = {
        getattr(C, setting): getattr(logging, level) for setting, level in LOG_LEVELS.items()
    }
    display.logger = None
    if not C.DEFAULT_LOG_PATH:
        return
    logging.basicConfig(
        filename=C.DEFAULT_LOG_PATH,
        level=logging.INFO,
        format="%(asctime)s p=%(process)d u=%(user)s n=%(name)s %(levelname)s| %(message)s",
    )
    display.logger = logging.getLogger("ansible")
    for handler in logging.root.handlers:
        handler.addFilter(display.FilterDenyList(C.DEFAULT_LOG_FILTER or []))
        handler.addFilter(display.FilterUserInjector())
