"""The settings that Ansible's modules copy while they are imported, and where each copy is.

``tests/test_settings.py`` reads Ansible's source and fails when a release copies a setting that is not listed here.
"""

from __future__ import annotations

import logging

from ansible._internal._templating._jinja_common import _TemplateConfig
from ansible.cli import CLI
from ansible.executor.task_queue_manager import TaskQueueManager
from ansible.playbook.base import Base
from ansible.playbook.play import Play
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task

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
    "COLOR_DEBUG": logging.DEBUG,
    "COLOR_VERBOSE": logging.INFO,
    "COLOR_OK": logging.INFO,
    "COLOR_INCLUDED": logging.INFO,
    "COLOR_CHANGED": logging.INFO,
    "COLOR_SKIP": logging.WARNING,
    "COLOR_DEPRECATE": logging.WARNING,
    "COLOR_WARN": logging.WARNING,
    "COLOR_UNREACHABLE": logging.ERROR,
    "COLOR_ERROR": logging.ERROR,
}

CLASS_ATTRIBUTES: dict[tuple[type, str], str] = {
    (CLI, "PAGER"): "PAGER",
    (_TemplateConfig, "allow_embedded_templates"): "ALLOW_EMBEDDED_TEMPLATES",
    (_TemplateConfig, "allow_broken_conditionals"): "ALLOW_BROKEN_CONDITIONALS",
    (_TemplateConfig, "jinja_extensions"): "DEFAULT_JINJA2_EXTENSIONS",
}

ERROR_HANDLERS: dict[tuple[type, str], str] = {
    (TaskQueueManager, "_callback_dispatch_error_handler"): "_CALLBACK_DISPATCH_ERROR_BEHAVIOR",
    (_TemplateConfig, "unknown_type_encountered_handler"): "_TEMPLAR_UNKNOWN_TYPE_ENCOUNTERED",
    (_TemplateConfig, "unknown_type_conversion_handler"): "_TEMPLAR_UNKNOWN_TYPE_CONVERSION",
    (_TemplateConfig, "untrusted_template_handler"): "_TEMPLAR_UNTRUSTED_TEMPLATE_BEHAVIOR",
}

OTHER_COPIES = {
    "ansible.inventory.manager": ("INVENTORY_IGNORE_PATTERNS", "INVENTORY_IGNORE_EXTS"),
    "ansible.plugins.callback": ("COLOR_DEBUG",),
    "ansible.utils.color": ("ANSIBLE_NOCOLOR", "ANSIBLE_FORCE_COLOR"),
    "ansible.utils.display": ("DEFAULT_LOG_PATH", "DEFAULT_LOG_FILTER", *LOG_LEVELS),
    "ansible.vars.manager": ("INJECT_FACTS_AS_VARS",),
    _TemplateConfig.__module__: ("_TEMPLAR_SANDBOX_MODE",),
}


def covered() -> set[tuple[str, str]]:
    """Names each module and each setting of which ``configuration`` renews that module's copy."""
    tables = (FIELD_DEFAULTS, CLASS_ATTRIBUTES, ERROR_HANDLERS)
    attributes = {(owner.__module__, setting) for table in tables for (owner, _), setting in table.items()}
    loaders = {("ansible.plugins.loader", setting) for setting in LOADER_PATHS.values()}
    others = {(module, setting) for module, settings in OTHER_COPIES.items() for setting in settings}
    return attributes | loaders | others
