"""Translates the command line of ``ansible-playbook`` to that of ``callboard run``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

VALUES = (
    ("--inventory", "-i", "--inventory-file"),
    ("--extra-vars", "-e"),
    ("--limit", "-l"),
    ("--tags", "-t"),
    ("--skip-tags",),
    ("--forks", "-f"),
    ("--user", "-u"),
    ("--connection", "-c"),
    ("--timeout", "-T"),
    ("--module-path", "-M"),
    ("--private-key", "--key-file"),
    ("--ssh-common-args",),
    ("--sftp-extra-args",),
    ("--scp-extra-args",),
    ("--ssh-extra-args",),
    ("--become-method",),
    ("--become-user",),
    ("--vault-id",),
    ("--vault-password-file", "--vault-pass-file"),
    ("--connection-password-file", "--conn-pass-file"),
    ("--become-password-file", "--become-pass-file"),
    ("--start-at-task",),
)
FLAGS = (
    ("--verbose", "-v"),
    ("--become", "-b"),
    ("--check", "-C"),
    ("--diff", "-D"),
    ("--ask-pass", "-k"),
    ("--ask-become-pass", "-K"),
    ("--ask-vault-password", "-J", "--ask-vault-pass"),
    ("--list-hosts",),
    ("--list-tags",),
    ("--list-tasks",),
    ("--syntax-check",),
    ("--step",),
    ("--flush-cache",),
    ("--force-handlers",),
    ("--version",),
    ("--help", "-h"),
)
NAMES = {name: names[0] for names in (*VALUES, *FLAGS) for name in names}
TAKE_VALUE = {names[0] for names in VALUES}
# `--timeout` of `callboard run` ends the job; that of `ansible-playbook` is for connections
OTHER_MEANING = {"--timeout"}
NO_JOB = ("--list-hosts", "--list-tags", "--list-tasks", "--syntax-check")


class Option(NamedTuple):
    """An option by its first name, or a playbook, which has no name."""

    name: str
    value: str


class Unsupported(Exception):
    """``callboard run`` has nothing for what was asked."""


def translate(arguments: Sequence[str], known: Collection[str], several: bool) -> list[str]:
    """Puts what ``callboard run`` knows first, and the rest behind ``--``."""
    options = list(read(arguments))
    playbooks = [option.value for option in options if not option.name]
    refuse(options, known, several or len(playbooks) == 1)
    front, behind = list[str](), list[str]()
    for name, value in options:
        if name == "--verbose":
            front.append("-v")
        elif name:
            ours = name in known and name not in OTHER_MEANING
            (front if ours else behind).append(f"{name}={value}" if name in TAKE_VALUE else name)
    return [*front, *playbooks, *(["--", *behind] if behind else [])]


def refuse(options: Sequence[Option], known: Collection[str], few: bool) -> None:
    """Raises ``Unsupported`` for what ``callboard run`` has nothing for."""
    names = {option.name for option in options}
    if names & {"--version", "--help"}:
        raise Unsupported("tells about ansible-playbook itself")
    if missing := [name for name in NO_JOB if name in names and name not in known]:
        raise Unsupported(f"callboard run has no {missing[0]}")
    if not few:
        raise Unsupported("callboard run takes one playbook")


def read(arguments: Sequence[str]) -> Iterator[Option]:
    """Reads a command line as ``argparse`` does, with clustered short options and shortened long ones."""
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            yield from (Option("", playbook) for playbook in rest)
            return
        if word.startswith("--"):
            name, given, value = word.partition("=")
            name = full(name)
            if name in TAKE_VALUE and not given:
                value = rest.pop(0) if rest else ""
            yield Option(name, value)
        elif word.startswith("-") and len(word) > 1:
            yield from cluster(word[1:], rest)
        else:
            yield Option("", word)


def cluster(letters: str, rest: list[str]) -> Iterator[Option]:
    """Reads short options that are written together; the last may have its value behind it."""
    while letters:
        name = NAMES.get(f"-{letters[0]}", f"-{letters[0]}")
        letters = letters[1:]
        if name in TAKE_VALUE:
            yield Option(name, letters.removeprefix("=") or (rest.pop(0) if rest else ""))
            return
        yield Option(name, "")


def full(name: str) -> str:
    """Returns the first name of a long option that may be shortened."""
    found = {NAMES[known] for known in NAMES if known.startswith(name)}
    return NAMES.get(name) or (found.pop() if len(found) == 1 else name)
