"""``ansible-playbook`` for what only shows: its own program, with the inventory that a run has."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, ClassVar

from ansible.cli.playbook import PlaybookCLI

from callboard_host import configuration


class FallbackCLI(PlaybookCLI):  # type: ignore[misc]
    """``ansible-playbook`` with an inventory for when nothing names one."""

    fallback_inventory: ClassVar[list[str]] = []

    def post_process_args(self, options: Any) -> Any:
        """Takes the fallback where neither the arguments nor the configuration name an inventory."""
        if not options.inventory and self.fallback_inventory and not configuration.names_inventory():
            options.inventory = list(self.fallback_inventory)
        return super().post_process_args(options)


def main(fallback: str, argv: Sequence[str]) -> None:
    """Runs with arguments, of which the first is the program."""
    sys.argv = list(argv)
    FallbackCLI.fallback_inventory = [fallback]
    FallbackCLI.cli_executor(sys.argv)
