"""Entry point: ``python -m callboard_host`` with the service's socket as standard input."""

from callboard_host.host import main

main()
