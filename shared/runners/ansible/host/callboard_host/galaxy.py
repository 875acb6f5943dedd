"""Runs ansible-galaxy, which asks no Galaxy servers but those that the operator's policy lists.

Where Ansible's configuration names no server, those of the policy are asked, in its order.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from callboard_host import semaphores

# The variable with the servers, as a list in JSON.
SERVERS = "CALLBOARD_GALAXY_SERVERS"
# What is printed before the address of a server that is not listed.
REFUSED = "callboard: refused server "


class Refused(SystemExit):
    """Ends the program: a server is not listed."""

    def __init__(self, address: str) -> None:
        print(f"{REFUSED}{address}", file=sys.stderr)
        super().__init__(1)


def main() -> None:
    """Runs ansible-galaxy with the arguments of this program."""
    servers = json.loads(os.environ.pop(SERVERS))
    # before Ansible's first import
    semaphores.install()
    program(servers).cli_executor(["ansible-galaxy", *sys.argv[1:]])


def program(servers: list[str]) -> Any:
    """Makes the program that asks these servers."""
    from ansible import constants as C
    from ansible.cli.galaxy import GalaxyCLI, RoleDistributionServer
    from ansible.galaxy.api import GalaxyAPI
    from ansible.utils import galaxy as utilities

    find = utilities.get_bin_path

    def find_git(name: str, *arguments: Any, **options: Any) -> Any:
        if name != "git":
            raise ValueError(f"{name} is not used here")
        return find(name, *arguments, **options)

    # what fetches by another way than git knows nothing of the way that git is led
    utilities.get_bin_path = find_git
    listed = {address.rstrip("/") for address in servers}

    def check(server: Any) -> None:
        if isinstance(server, GalaxyAPI) and server.api_server.rstrip("/") not in listed:
            raise Refused(server.api_server)

    class Program(GalaxyCLI):  # type: ignore[misc]
        """``ansible-galaxy`` with the servers that it may ask."""

        def execute_install(self, *arguments: Any, **options: Any) -> Any:
            """Installs, once all servers are known to be listed."""
            named = C.GALAXY_SERVER_LIST or C.config.get_config_value_and_origin("GALAXY_SERVER")[1] != "default"
            if not named:
                self.api_servers = [
                    GalaxyAPI(self.galaxy, f"policy_{number}", address, priority=number)
                    for number, address in enumerate(servers)
                ]
                self.lazy_role_api = RoleDistributionServer(None, self.api_servers)
            for server in self.api_servers:
                check(server)
            return super().execute_install(*arguments, **options)

        def _init_coll_req_dict(self, coll_req: Any) -> Any:
            requirement = super()._init_coll_req_dict(coll_req)
            check(requirement.get("source"))
            return requirement

    return Program


if __name__ == "__main__":
    main()
