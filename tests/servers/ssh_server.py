"""A real OpenSSH server, for the user who runs this: a host for Ansible, and a Git server over SSH."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import time
from pathlib import Path

import ssh_keys
from git_server import Folders
from programs import SYSTEM, Unavailable, program, run
from ssh_keys import PASSPHRASE, Keys

INSTALL = "to be a host for Ansible (on Debian and Ubuntu: apt install openssh-server)"
SEPARATION = Path("/run/sshd")
START_LIMIT = 20
ATTEMPTS = 5
CONFIGURATION = """ListenAddress 127.0.0.1:{port}
HostKey "{host}"
AuthorizedKeysFile "{authorised}"
TrustedUserCAKeys "{authority}"
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
StrictModes no
UseDNS no
PidFile none
PrintMotd no
MaxStartups 500
MaxSessions 500
LogLevel VERBOSE
Subsystem sftp internal-sftp
SetEnv "HOME={home}" "PATH={path}"
"""
# Since OpenSSH 9.8; a refused key would keep all further clients waiting, as all have one address.
NO_PENALTIES = "PerSourcePenalties no\n"


def start(folder: Path, folders: Folders, logs: Path) -> dict[str, object]:
    """Starts the server and logs in once; returns what clients must know."""
    sshd = program("sshd", INSTALL)
    user = pwd.getpwuid(os.getuid()).pw_name
    keys = ssh_keys.make(folder / "ssh", user)
    make_separation_folder()
    log = logs / "sshd.log"
    port = serve(sshd, keys, folders, log)
    log_in(keys, user, port, log)
    names = ("plain", "encrypted", "certified", "stranger")
    return {
        "host": "127.0.0.1",
        "port": port,
        "user": user,
        "keys": {name: str(keys.private(name)) for name in names},
        "certificate": str(keys.certificate),
        "passphrase": PASSPHRASE,
        "known_hosts": keys.known_hosts(port, "host"),
        "wrong_known_hosts": keys.known_hosts(port, "stranger"),
        "home": str(folders.home),
        "folder": str(keys.folder),
        "log": str(log),
    }


def make_separation_folder() -> None:
    """Makes the folder that sshd wants when root runs it."""
    if os.getuid() == 0:
        SEPARATION.mkdir(mode=0o755, exist_ok=True)


def serve(sshd: str, keys: Keys, folders: Folders, log: Path) -> int:
    """Starts sshd on a free port and returns that; another program may take it first, so there are several tries."""
    for _attempt in range(ATTEMPTS):
        port = free_port()
        configuration = configure(sshd, keys, folders, port)
        process = subprocess.Popen(
            [sshd, "-D", "-f", str(configuration), "-E", str(log)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        if comes_up(process, port):
            return port
    raise Unavailable(f"sshd does not start; its log:\n{log.read_text()}")


def configure(sshd: str, keys: Keys, folders: Folders, port: int) -> Path:
    """Writes sshd's configuration."""
    git = Path(program("git", "to serve repositories")).parent
    text = CONFIGURATION.format(
        port=port,
        host=keys.private("host"),
        authorised=keys.authorised,
        authority=keys.public("authority"),
        home=folders.home,
        path=f"{git}:/usr/local/bin:/usr/bin:/bin:{SYSTEM}",
    )
    path = keys.folder / "sshd_config"
    path.write_text(text + NO_PENALTIES)
    if subprocess.run([sshd, "-t", "-f", str(path)], capture_output=True, check=False).returncode:
        path.write_text(text)
    return path


def comes_up(process: subprocess.Popen[bytes], port: int) -> bool:
    """Waits until sshd greets a client; tells whether it does."""
    deadline = time.monotonic() + START_LIMIT
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as client:
                if client.recv(4) == b"SSH-" and process.poll() is None:
                    return True
        except OSError:
            time.sleep(0.02)
    process.kill()
    process.wait()
    return False


def log_in(keys: Keys, user: str, port: int, log: Path) -> None:
    """Logs in, to find out now whether the system lets this user in; the log then begins anew."""
    ssh = program("ssh", "to try the SSH server (on Debian and Ubuntu: apt install openssh-client)")
    known = keys.folder / "known_hosts"
    known.write_text(keys.known_hosts(port, "host") + "\n")
    options = ["BatchMode=yes", f"UserKnownHostsFile={known}", "GlobalKnownHostsFile=/dev/null", "IdentityAgent=none"]
    flags = [flag for option in options for flag in ("-o", option)]
    command = [ssh, "-F", "/dev/null", *flags, "-i", str(keys.private("plain")), "-p", str(port), f"{user}@127.0.0.1"]
    try:
        run([*command, "true"])
    except Unavailable as error:
        raise Unavailable(f"the user {user} cannot log in to the SSH server: {error}\n{log.read_text()}") from error
    log.write_text("")


def free_port() -> int:
    """Returns a port of this machine that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
