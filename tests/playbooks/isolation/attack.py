"""Tries to get at what belongs to others, and prints a line for each thing that worked, never for one that did not."""

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys

PTRACE_ATTACH, PTRACE_DETACH = 16, 17
LIBC = ctypes.CDLL(None, use_errno=True)


class Piece(ctypes.Structure):
    """A piece of memory, as ``process_vm_readv`` takes it."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def main():
    """Tries each way to each target."""
    targets = json.load(sys.stdin)
    look(targets)
    if targets["harmful"]:
        change(targets, os.environ["TMPDIR"])
        signal_all(targets["processes"])


def look(targets):
    """Tries what changes nothing."""
    for folder in targets["hidden"]:
        tried("list", folder, lambda folder: os.listdir(folder))
    for file in targets["files"]:
        tried("read", file, lambda file: read(file))
        tried("read by the root of this process", file, lambda file: read(f"/proc/self/root{file}"))
    for pid in targets["processes"]:
        tried("read the variables of", pid, lambda pid: read(f"/proc/{pid}/environ"))
        tried("open the memory of", pid, lambda pid: os.open(f"/proc/{pid}/mem", os.O_RDONLY))
        tried("copy the memory of", pid, lambda pid: peek(pid))
        tried("see an open file of", pid, lambda pid: os.readlink(f"/proc/{pid}/fd/0"))
        tried("reach the files of", pid, lambda pid: read(f"/proc/{pid}/root{targets['files'][0]}"))
    for name in targets["sockets"]:
        tried("connect to", name, lambda name: socket.socket(socket.AF_UNIX).connect(f"\0{name}"))


def change(targets, own):
    """Tries to change files and folders, and to get at them where this job may make things."""
    for folder in [*targets["hidden"], *targets["read_only"]]:
        tried("make a file in", folder, lambda folder: os.open(f"{folder}/planted", os.O_CREAT | os.O_EXCL))
        tried("make a folder in", folder, lambda folder: os.mkdir(f"{folder}/planted-folder"))
    for folder in targets["hidden"]:
        tried("move", folder, lambda folder: os.rename(folder, f"{own}/moved"))
        tried("mount", folder, lambda folder: mount(folder, own))
    for file in targets["files"]:
        tried("link", file, lambda file: read(linked(file, own)))
        tried("read by a symbolic link", file, lambda file: read(symlinked(file, own)))
    for file in [*targets["files"], *targets["kept"]]:
        tried("write", file, lambda file: os.open(file, os.O_WRONLY | os.O_APPEND))
        tried("truncate", file, lambda file: os.truncate(file, 0))
        tried("remove", file, lambda file: os.remove(file))
        tried("replace", file, lambda file: os.replace(made(own), file))


def signal_all(processes):
    """Tries to trace, stop and kill processes."""
    for pid in processes:
        tried("trace", pid, lambda pid: trace(pid))
        tried("stop", pid, lambda pid: os.kill(pid, signal.SIGSTOP))
        tried("kill", pid, lambda pid: os.kill(pid, signal.SIGKILL))
        tried("kill the handle of", pid, lambda pid: signal.pidfd_send_signal(os.pidfd_open(pid), signal.SIGKILL))


def tried(what, whose, attempt):
    """Prints what worked."""
    with contextlib.suppress(OSError, ValueError):
        attempt(whose)
        print(f"could {what} {whose}")


def read(path):
    """Reads something of a file."""
    with open(path, "rb") as file:
        if not file.read(1):
            raise ValueError("it is empty")


def made(folder):
    """Makes a file."""
    path = f"{folder}/made"
    with open(path, "w") as file:
        file.write("planted")
    return path


def linked(path, folder):
    """Makes a hard link."""
    link = f"{folder}/link"
    os.link(path, link)
    return link


def symlinked(path, folder):
    """Makes a symbolic link."""
    link = f"{folder}/symlink"
    with contextlib.suppress(FileNotFoundError):
        os.remove(link)
    os.symlink(path, link)
    return link


def mount(folder, own):
    """Mounts a folder elsewhere, in namespaces of its own, and lists it there."""
    there = f"{own}/mounted"
    os.makedirs(there, exist_ok=True)
    script = 'mount --bind "$0" "$1" && ls "$1"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, folder, there]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        raise ValueError("it was not mounted")


def peek(pid):
    """Copies memory of a process, from where its program is."""
    with open(f"/proc/{pid}/maps") as maps:
        start = int(maps.read().partition("-")[0], 16)
    space = ctypes.create_string_buffer(8)
    here, there = Piece(ctypes.addressof(space), 8), Piece(start, 8)
    if LIBC.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) < 0:
        raise OSError(ctypes.get_errno(), "it was not copied")


def trace(pid):
    """Attaches to a process, and lets it go."""
    if LIBC.ptrace(PTRACE_ATTACH, pid, None, None) != 0:
        raise OSError(ctypes.get_errno(), "it was not traced")
    os.waitpid(pid, 0)
    LIBC.ptrace(PTRACE_DETACH, pid, None, None)


if __name__ == "__main__":
    main()
