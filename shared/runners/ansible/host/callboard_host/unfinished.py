"""On which hosts a playbook has not come to its end: what a job that is repeated where it failed is limited to."""

from __future__ import annotations

from typing import Any

from callboard_host import events


class Unfinished:
    """Follows the plays of a playbook, and knows what they have left out."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._ahead: dict[str, Any] = {}
        self._play = ""
        self._left: set[str] = set()
        self._known: set[str] = set()

    def begin(self, playbook: Any) -> None:
        """Notes the plays that are to come, and the hosts that there are before any is added."""
        self._ahead = {play._uuid: play.hosts for play in playbook.get_plays()}
        self._known = set(events.inventory.hosts) if events.inventory else set()

    def play(self, play: Any) -> None:
        """Notes the hosts of a play, less those of the batch that begins."""
        hosts, batch = events.begin_play(play.hosts)
        self._ahead.pop(play._uuid, None)
        if play._uuid != self._play:
            self._play, self._left = play._uuid, hosts
        self._left -= batch

    def tell(self) -> None:
        """Names the hosts; none if not all are known, or one is not in the inventory, so that no limit can name it."""
        hosts = self._left | set(self._manager._failed_hosts) | set(self._manager._unreachable_hosts)
        ahead = [events.hosts_of_names(pattern) for pattern in self._ahead.values()]
        hosts.update(*(known for known in ahead if known is not None))
        is_known = all(known is not None for known in ahead) and hosts <= self._known
        events.tell("unfinished", names=sorted(hosts) if is_known else None)
