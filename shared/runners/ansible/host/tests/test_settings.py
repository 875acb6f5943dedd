"""Every copy that Ansible makes of a setting while it is imported must be one that a job renews."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import ansible
from ansible import constants as C

from callboard_host import settings

ROOT = Path(ansible.__file__).parent
ELSEWHERE = ("modules", "module_utils", "galaxy")
PROGRAMS = ("__init__.py", "playbook.py", "arguments")


class ImportTime(ast.NodeVisitor):
    """Collects the settings that a module reads while it is imported."""

    def __init__(self, names: set[str]) -> None:
        self.names = names
        self.found: set[str] = set()

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        now = [*node.args.defaults, *node.args.kw_defaults, *node.decorator_list]
        for expression in filter(None, now):
            self.visit(expression)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for expression in filter(None, [*node.args.defaults, *node.args.kw_defaults]):
            self.visit(expression)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name) and node.value.id in self.names:
            self.found.add(node.attr)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        self.found |= {arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)}
        self.generic_visit(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module == "ansible.constants":
            self.found |= {alias.name for alias in node.names}


def names_of_constants(tree: ast.Module) -> set[str]:
    """Returns the names under which a module knows ``ansible.constants``."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "ansible"]
    return {alias.asname or alias.name for node in imports for alias in node.names if alias.name == "constants"}


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Yields each module that a playbook's process may import."""
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).parts
        if parts[0] in ELSEWHERE or (parts[0] == "cli" and parts[1] not in PROGRAMS):
            continue
        module = ".".join(("ansible", *parts)).removesuffix(".py").removesuffix(".__init__")
        yield module, ast.parse(path.read_text())


def copies() -> set[tuple[str, str]]:
    """Returns each module with each setting that it reads at import, but for the module that defines them."""
    found = set()
    for module, tree in sources():
        visitor = ImportTime(names_of_constants(tree))
        visitor.visit(tree)
        found |= {(module, name) for name in visitor.found & settings_of_ansible()}
    return {copy for copy in found if copy[0] != "ansible.constants"}


def settings_of_ansible() -> set[str]:
    """Returns the names of all settings; other constants are the same for every job."""
    return set(C.config.get_configuration_definitions())


def test_every_copy_of_a_setting_is_renewed() -> None:
    assert copies() - settings.covered() == set()


def test_the_scan_sees_each_way_of_copying() -> None:
    assert {
        ("ansible.playbook.base", "DEFAULT_NO_LOG"),  # in a class
        ("ansible.plugins.callback", "COLOR_DEBUG"),  # as a default argument
        ("ansible.utils.display", "DEFAULT_LOG_PATH"),  # by name
        ("ansible._internal._templating._jinja_common", "_TEMPLAR_UNKNOWN_TYPE_CONVERSION"),  # by a helper
    } <= copies()
