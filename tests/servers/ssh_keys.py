"""Keys and certificates of SSH, made with ``ssh-keygen``."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from programs import program, run

PASSPHRASE = "correct horse battery staple"
KINDS = {
    "host": ("ed25519",),
    "authority": ("ed25519",),
    "plain": ("ed25519",),
    "encrypted": ("rsa", "-b", "2048"),
    "certified": ("ed25519",),
    "stranger": ("ed25519",),
}
# The keys that need no certificate.
AUTHORISED = ("plain", "encrypted")


@dataclass(frozen=True)
class Keys:
    """A folder of key pairs."""

    folder: Path

    def private(self, name: str) -> Path:
        """Returns the file of a private key."""
        return self.folder / name

    def public(self, name: str) -> Path:
        """Returns the file of a public key."""
        return self.folder / f"{name}.pub"

    @property
    def certificate(self) -> Path:
        """Returns the file of the certificate for the key that is accepted only with it."""
        return self.folder / "certified-cert.pub"

    @property
    def authorised(self) -> Path:
        """Returns the file that lists the keys that need no certificate."""
        return self.folder / "authorized_keys"

    def known_hosts(self, port: int, name: str) -> str:
        """Returns the line that tells clients which key the host has."""
        kind, key = self.public(name).read_text().split()[:2]
        return f"[127.0.0.1]:{port} {kind} {key}"


def make(folder: Path, user: str) -> Keys:
    """Makes all keys, and a certificate that lets a user in."""
    keygen = program(
        "ssh-keygen", "to make the keys of the SSH server (on Debian and Ubuntu: apt install openssh-client)"
    )
    folder.mkdir(mode=0o700)
    keys = Keys(folder)
    with ThreadPoolExecutor() as pool:
        list(pool.map(partial(generate, keygen, keys), KINDS, KINDS.values()))
    keys.authorised.write_text("".join(keys.public(name).read_text() for name in AUTHORISED))
    sign = [keygen, "-q", "-s", str(keys.private("authority")), "-I", "callboard-tests", "-n", user, "-V", "-1d:+7d"]
    run([*sign, str(keys.public("certified"))])
    return keys


def generate(keygen: str, keys: Keys, name: str, kind: Sequence[str]) -> None:
    """Makes a key pair."""
    passphrase = PASSPHRASE if name == "encrypted" else ""
    run([keygen, "-q", "-t", *kind, "-C", name, "-N", passphrase, "-f", str(keys.private(name))])
