"""Certificates of a test authority, made with the ``openssl`` program."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from programs import program, run

AUTHORITY = """[req]
distinguished_name = name
prompt = no
x509_extensions = authority
[name]
CN = Callboard test authority
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""
SERVER = """basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = IP:127.0.0.1, DNS:localhost
"""
EC_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
DAYS = "7"


@dataclass(frozen=True)
class Certificates:
    """What a TLS server needs, and the authority that its clients are to trust."""

    authority: Path
    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """Returns the server's side of TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def make(folder: Path) -> Certificates:
    """Makes an authority and a certificate for this machine, signed by it."""
    openssl = program("openssl", "to make the certificates of the test servers")
    folder.mkdir()
    authority, authority_key = folder / "authority.pem", folder / "authority.key"
    (folder / "authority.cnf").write_text(AUTHORITY)
    request = [openssl, "req", *EC_KEY, "-x509", "-days", DAYS, "-config", str(folder / "authority.cnf")]
    run([*request, "-keyout", str(authority_key), "-out", str(authority)])
    certificate = sign(openssl, folder, authority, authority_key)
    return Certificates(authority, certificate, folder / "server.key")


def sign(openssl: str, folder: Path, authority: Path, authority_key: Path) -> Path:
    """Makes the server's key and certificate; returns the certificate."""
    key, request, certificate = folder / "server.key", folder / "server.csr", folder / "server.pem"
    (folder / "server.cnf").write_text(SERVER)
    config = ["-config", str(folder / "authority.cnf")]
    run([openssl, "req", *EC_KEY, *config, "-subj", "/CN=localhost", "-keyout", str(key), "-out", str(request)])
    by = ["-CA", str(authority), "-CAkey", str(authority_key), "-CAcreateserial", "-days", DAYS]
    run(
        [
            openssl,
            "x509",
            "-req",
            "-in",
            str(request),
            *by,
            "-extfile",
            str(folder / "server.cnf"),
            "-out",
            str(certificate),
        ]
    )
    return certificate
