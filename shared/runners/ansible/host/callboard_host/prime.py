"""What every job would do again, done once: imports, plugin documentation, collection metadata."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import os
import pkgutil
import sys
from typing import Any

import ansible
from ansible import constants as C
from ansible import release
from ansible.cli.playbook import PlaybookCLI
from ansible.config import manager as config_manager
from ansible.plugins import get_plugin_class
from ansible.plugins import loader as plugin_loader
from ansible.utils.collection_loader import _collection_finder

from callboard_host import forks, homes, recorder, secrecy

_IMPORTS = (
    "ansible.cli.playbook",
    "ansible.executor.playbook_executor",
    "ansible.executor.process.worker",
    "ansible.executor.task_executor",
    "ansible.playbook.role_include",
    "ansible.playbook.handler_task_include",
    "ansible.plugins.strategy",
    "ansible_runner",
    "multiprocessing.popen_fork",
    "multiprocessing.synchronize",
    "callboard_host.playbook",
    "callboard_host.supervisor",
)

_LOADERS = (
    "action_loader",
    "become_loader",
    "cache_loader",
    "callback_loader",
    "connection_loader",
    "inventory_loader",
    "lookup_loader",
    "shell_loader",
    "strategy_loader",
    "vars_loader",
)


def prime() -> None:
    """Imports and parses; runs nothing, since Ansible's singletons refuse a second start in the child."""
    for name in _IMPORTS:
        importlib.import_module(name)
    _cache_collection_metadata()
    _cache_default_templates()
    known = set(sys.modules)
    for name in _LOADERS:
        _load_all(getattr(plugin_loader, name))
    _let_jobs_override(set(sys.modules) - known)
    homes.install()
    recorder.install()
    secrecy.install()
    forks.install()
    PlaybookCLI(["ansible-playbook"]).init_parser()  # compiles argparse's patterns


def versions() -> dict[str, str]:
    """Names the versions that this host runs with."""
    return {
        "ansible_core": release.__version__,
        "ansible_runner": importlib.metadata.version("ansible-runner"),
        "python": sys.version.split()[0],
    }


def _cache_collection_metadata() -> None:
    parse: Any = functools.cache(_collection_finder._meta_yml_to_dict)
    _collection_finder._meta_yml_to_dict = parse
    path = os.path.join(os.path.dirname(ansible.__file__), "config", "ansible_builtin_runtime.yml")
    with open(path, "rb") as file:
        parse(file.read(), ("ansible.builtin", "runtime.yml"))


def _cache_default_templates() -> None:
    """Compiles the templates among the configuration's defaults once; they come from Ansible's own file."""
    module: Any = config_manager
    environment = module.NativeEnvironment()
    environment.from_string = functools.cache(environment.from_string)
    module.NativeEnvironment = lambda: environment
    for setting in C.config.get_configuration_definitions():
        C.config.get_config_value(setting, variables=vars(C))


def _load_all(loader: Any) -> None:
    """Loads Ansible's own plugins of one type as the loader would, and the definitions of their options."""
    package = importlib.import_module(loader.package)
    for info in (info for info in pkgutil.iter_modules(package.__path__) if info.name != "base"):
        path = os.path.join(package.__path__[0], f"{info.name}.py")
        try:
            module = loader._load_module_source(python_module_name=f"{loader.package}.{info.name}", path=path)
        except ImportError:
            continue  # a plugin whose library is not installed fails in the job that asks for it
        loader._load_config_defs(info.name, module, path)
        _define(get_plugin_class(loader.class_name), info.name, {})


def _define(plugin_type: str, name: str, options: dict[str, Any]) -> None:
    """Records option definitions, empty ones too, so that no job parses the documentation to learn that."""
    if plugin_type in C.CONFIGURABLE_PLUGINS and not C.config.has_configuration_definition(plugin_type, name):
        C.config.initialize_plugin_configuration_definitions(plugin_type, name, options)


def _let_jobs_override(primed: set[str]) -> None:
    """Keeps a plugin of a job's own first: Ansible takes what is imported under its name, and here all are."""
    load_source = plugin_loader.PluginLoader._load_module_source

    def load(self: Any, *, python_module_name: str, path: str) -> Any:
        if python_module_name in primed:
            primed.remove(python_module_name)
            if sys.modules[python_module_name].__file__ != path:
                del sys.modules[python_module_name]
                name = python_module_name.rpartition(".")[2]
                C.config._plugins.get(get_plugin_class(self.class_name), {}).pop(name, None)
        return load_source(self, python_module_name=python_module_name, path=path)

    plugin_loader.PluginLoader._load_module_source = load
