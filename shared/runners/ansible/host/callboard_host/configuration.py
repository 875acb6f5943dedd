"""Lets a job's own configuration take effect in a process that has already imported Ansible.

Ansible reads ``ANSIBLE_*`` variables and ``ansible.cfg`` when ``ansible.constants`` is imported, and some
modules copy what they find there (``settings.py``). The host imports all of that before it knows any job, so
the job's child reads the configuration again, in place, and renews those copies.
"""

from __future__ import annotations

import atexit
import contextlib
import getpass
import logging
import multiprocessing
import os
import re
import secrets
import sys
import tempfile
from typing import Any

from ansible import constants as C
from ansible._internal._errors._handler import ErrorHandler
from ansible._internal._templating._jinja_common import _SandboxMode, _TemplateConfig
from ansible.config import manager as config_manager
from ansible.executor import task_executor
from ansible.inventory import manager as inventory_manager
from ansible.module_utils.common.text.converters import to_bytes
from ansible.plugins import loader as plugin_loader
from ansible.plugins.callback import CallbackBase
from ansible.utils import color, display
from ansible.utils import vars as ansible_vars
from ansible.utils.path import cleanup_tmp_file
from ansible.vars import manager as vars_manager

from callboard_host import settings


def forget_inheritance() -> None:
    """Drops what must not be shared with the host's other jobs: its temporary folder, its keys and ids."""
    tempfile.tempdir = None
    multiprocessing.current_process().authkey = os.urandom(32)
    atexit.unregister(cleanup_tmp_file)
    ansible_vars.random_int = secrets.token_hex(4)
    with contextlib.suppress(KeyError, OSError, ImportError):
        display.FilterUserInjector.username = getpass.getuser()


def rebind(collections: list[str], roles: list[str]) -> None:
    """Reads the configuration anew from this process's environment and folder, and renews every copy.

    The folders of collections and roles that a source brings go before those that the configuration names.
    """
    config: Any = C.config
    config._get_ini_config_value.cache_clear()
    config._parsers.clear()
    for told in (config.WARNINGS, config.DEPRECATED, config._errors):
        told.clear()
    config._config_file = config_manager.find_ini_config_file(config.WARNINGS)
    if config._config_file:
        config._parse_config_file()
    _keep_home()
    _prepend("COLLECTIONS_PATHS", "ANSIBLE_COLLECTIONS_PATH", collections)
    _prepend("DEFAULT_ROLES_PATH", "ANSIBLE_ROLES_PATH", roles)
    constants = vars(C)
    for setting in config.get_configuration_definitions():
        C.set_constant(setting, config.get_config_value(setting, variables=constants))
    _renew_copies()
    _renew_log()
    _renew_display()


def _keep_home() -> None:
    """Ansible's own folder is below the job's home, unless a setting names another; its default is no such setting."""
    C.config._base_defs["ANSIBLE_HOME"]["default"] = os.path.join(os.environ.get("HOME", "~"), ".ansible")


def _prepend(setting: str, variable: str, folders: list[str]) -> None:
    if folders:
        configured = C.config.get_config_value(setting, variables=vars(C)) or []
        os.environ[variable] = os.pathsep.join([*folders, *configured])


def names_inventory() -> bool:
    """Tells whether the job's configuration names an inventory, or the one that is named by default is there."""
    sources, origin = C.config.get_config_value_and_origin("DEFAULT_HOST_LIST", variables=vars(C))
    return origin != "default" or any(os.path.exists(source) for source in sources)


def use_color(force: bool) -> None:
    """Has Ansible print in colour where the service wants that and the job's configuration does not forbid it."""
    color.ANSIBLE_COLOR = bool(C.ANSIBLE_FORCE_COLOR) or (force and not C.ANSIBLE_NOCOLOR)


def _renew_copies() -> None:
    for (owner, attribute), setting in settings.FIELD_DEFAULTS.items():
        vars(owner)[attribute].default = getattr(C, setting)
    for name, setting in settings.LOADER_PATHS.items():
        _renew_loader(getattr(plugin_loader, name), getattr(C, setting))
    for (owner, attribute), setting in settings.CLASS_ATTRIBUTES.items():
        setattr(owner, attribute, getattr(C, setting))
    for (owner, attribute), setting in settings.ERROR_HANDLERS.items():
        setattr(owner, attribute, ErrorHandler.from_config(setting))
    _TemplateConfig.sandbox_mode = _SandboxMode[C._TEMPLAR_SANDBOX_MODE.upper()]
    _renew_inventory_patterns()
    facts: tuple[Any, ...] = (vars_manager, task_executor)  # the second has a copy of the first's copy
    for module in facts:
        module._INJECT_FACTS, module._INJECT_FACTS_ORIGIN = C.config.get_config_value_and_origin("INJECT_FACTS_AS_VARS")
    CallbackBase._print_task_path.__defaults__ = (C.COLOR_DEBUG,)


def _renew_loader(loader: Any, paths: Any) -> None:
    loader.config = [paths] if paths and not isinstance(paths, list) else paths or []
    loader._clear_caches()


def _renew_inventory_patterns() -> None:
    module: Any = inventory_manager
    module.IGNORED_PATTERNS = [to_bytes(pattern) for pattern in C.INVENTORY_IGNORE_PATTERNS]
    module.IGNORED_EXTS = [b"%s$" % to_bytes(re.escape(ext)) for ext in C.INVENTORY_IGNORE_EXTS]
    module.IGNORED = re.compile(b"|".join(module.IGNORED_ALWAYS + module.IGNORED_PATTERNS + module.IGNORED_EXTS))


def _renew_log() -> None:
    module: Any = display
    module.color_to_log_level = {getattr(C, name): level for name, level in settings.LOG_LEVELS.items()}
    module.logger = _open_log(C.DEFAULT_LOG_PATH) if C.DEFAULT_LOG_PATH else None


def _open_log(path: str) -> logging.Logger | None:
    if os.path.isdir(path):
        sys.stderr.write(f"[WARNING]: DEFAULT_LOG_PATH can not be a directory '{path}', aborting\n")
        return None
    if not os.access(path if os.path.exists(path) else os.path.dirname(path), os.W_OK):
        sys.stderr.write(f"[WARNING]: log file at '{path}' is not writeable and we cannot create it, aborting\n\n")
        return None
    logging.basicConfig(
        filename=path,
        level=logging.INFO,
        format="%(asctime)s p=%(process)d u=%(user)s n=%(name)s %(levelname)s| %(message)s",
        force=True,
    )
    denied = [logging.Filter(name) for name in C.DEFAULT_LOG_FILTER or []]
    for handler in logging.root.handlers:
        handler.addFilter(lambda record: not any(name.filter(record) for name in denied))
        handler.addFilter(display.FilterUserInjector())
    return logging.getLogger("ansible")


def _renew_display() -> None:
    """Starts the display again: it has counted warnings, chosen a cow, and lost its guard of stdout by our fork."""
    display.Display.__init__(display.Display())
