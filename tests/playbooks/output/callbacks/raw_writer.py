"""Writes bytes to the playbook's own standard output, past Ansible: what a job asks for by `kind` and `size`."""

import itertools
import os
import signal
import sys

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: raw_writer
    type: aggregate
    short_description: writes bytes
    description: Writes bytes.
"""

COLOURS = "\x1b[0;32mok: [hôst] 🦀\x1b[0m\r\n\x1b]8;;file\x07\x1b[1;3".encode()


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "raw_writer"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_play_start(self, play):
        wanted = play.get_variable_manager().extra_vars
        if "kind" in wanted:
            sys.stdout.flush()
            getattr(self, wanted["kind"])(wanted["size"])

    def one_line(self, size):
        write(b"a" * size + b"\n", itertools.repeat(1 << 20))

    def every_byte(self, size):
        write(bytes(range(256)) * (size // 256) + b"\n", itertools.cycle(range(1, 2000, 2)))

    def colours(self, size):
        write(COLOURS * (size // len(COLOURS)) + b"\n", itertools.cycle(range(1, 98, 2)))

    def last_words(self, size):
        write(b"last words " * (size // 11), itertools.repeat(size))
        os.kill(os.getpid(), signal.SIGKILL)


def write(data, lengths):
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(1, rest[: next(lengths)]) :]
