"""OpenSSH's server on this machine, with a user that only it knows: others see no change of /etc/passwd."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import rie
from image import Unavailable

USER = "deploy"
UID = 64321
PASSWORD = "correct horse"
# `openssl passwd -6 -salt callboard 'correct horse'`
HASH = "$6$callboard$WB0yi57C2TxAkW4y1vaLfCRFNV7qXN5ys/0lQzUbg4Ao/Mt0JHWkOyysKMMkc6DQBwF1eHRasNTYZ3yg1gTlu0"
CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
PasswordAuthentication yes
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PermitUserEnvironment no
MaxStartups 100
Subsystem sftp internal-sftp
"""
# In a mount namespace of its own, with its own user database
SCRIPT = """
set -eu
folder=$1
mount --make-rprivate /
for name in passwd shadow group; do
    cp -p /etc/$name $folder/$name
done
echo "$3:x:$4:$4::$folder/home:/bin/sh" >> $folder/passwd
echo "$3:$5:19000::::::" >> $folder/shadow
echo "$3:x:$4:" >> $folder/group
for name in passwd shadow group; do
    mount --bind $folder/$name /etc/$name
done
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -m 755 /run/sshd
exec "$2" -D -e -f $folder/sshd_config
"""


class Server:
    """A running server, its port, its host key and the private key that it takes."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="callboard-sshd-"))
        self.folder.chmod(0o755)
        self.port = rie.free_ports()[0]
        (self.folder / "home").mkdir()
        os.chown(self.folder / "home", UID, UID)
        for name in ("host_key", "key"):
            command = [tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.folder / name)]
            subprocess.run(command, check=True)
        shutil.copy(self.folder / "key.pub", self.folder / "authorized_keys")
        (self.folder / "sshd_config").write_text(CONFIG.format(port=self.port, folder=self.folder))
        arguments = [str(self.folder), tool("sshd"), USER, str(UID), HASH]
        command = ["unshare", "--mount", "sh", "-c", SCRIPT, "sshd", *arguments]
        self.log = (self.folder / "log").open("w+")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self._wait()

    def variables(self) -> dict[str, str]:
        """Returns the extra variables with which a playbook reaches the server."""
        host_key = (self.folder / "host_key.pub").read_text()
        return {
            "ssh_port": str(self.port),
            "ssh_user": USER,
            "ssh_password": PASSWORD,
            "ssh_key": (self.folder / "key").read_text(),
            "ssh_known_host": f"[127.0.0.1]:{self.port} {host_key}",
        }

    def stop(self) -> None:
        """Stops the server and removes its files."""
        self.process.terminate()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder)

    def _wait(self) -> None:
        deadline = time.monotonic() + rie.LIMIT
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"sshd does not start:\n{(self.folder / 'log').read_text()}") from None
                time.sleep(0.05)


def tool(name: str) -> str:
    """Returns the path of one of OpenSSH's programs, which sshd wants to be started by."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if not path:
        raise Unavailable(f"`{name}` is not there; install OpenSSH's server (apt install openssh-server)")
    return path
