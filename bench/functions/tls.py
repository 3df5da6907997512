"""An AWS on loopback that speaks TLS, as AWS does, and the lists of authorities with which functions trust it.

Its certificate is signed by an authority of its own, which is added to both lists: Amazon's roots, which functions
trust on AWS, and botocore's list.
"""

import contextlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import botocore
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bench.probing import Answers, AnyAws
from infra.trust import amazon_roots

HOST: Final = "127.0.0.1"
KEY_BITS: Final = 2_048
"""AWS's endpoints have RSA keys of this size."""


class _Counted(Answers):
    server: "SecureAws"

    def do_POST(self) -> None:  # noqa: N802 -- http.server's name
        self.server.calls += 1
        super().do_POST()


class SecureAws(AnyAws):
    """The loopback AWS behind TLS. `calls` counts the requests; `drop` closes the connections, as AWS does.

    `amazons` and `botocores` are the files of authorities.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(_Counted)
        self.calls = 0
        self._open: set[socket.socket] = set()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate, listed = _certified()
        file = folder / "endpoint.pem"
        file.write_bytes(certificate)
        self._context.load_cert_chain(file)
        everyone = (Path(botocore.__file__).parent / "cacert.pem").read_text("utf-8")
        self.amazons, self.botocores = folder / "amazons.pem", folder / "botocores.pem"
        self.amazons.write_text(amazon_roots(everyone) + listed, "utf-8")
        self.botocores.write_text(everyone + listed, "utf-8")

    @property
    def endpoint(self) -> str:
        return f"https://{HOST}:{self.server_port}"

    def get_request(self) -> tuple[ssl.SSLSocket, Any]:
        plain, address = super().get_request()
        # The handshake is the connection's thread's work, so that no connection waits for another's.
        secure = self._context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        self._open.add(secure)
        return secure, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def drop(self) -> None:
        """Close all connections."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def handle_error(self, *_: object) -> None:
        """Print nothing about a connection that a function's end has cut."""


@contextmanager
def answering(folder: Path) -> Iterator[SecureAws]:
    server = SecureAws(folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _certified() -> tuple[bytes, str]:
    """Return an endpoint's key and certificate, and the certificate of the authority that signed it."""
    authority_key, key = (
        rsa.generate_private_key(public_exponent=65_537, key_size=KEY_BITS) for _ in range(2)
    )
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of the benchmarks")])
    yesterday = datetime.now(UTC) - timedelta(days=1)

    def builder(name: x509.Name, public_key: rsa.RSAPublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(authority_name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(yesterday)
            .not_valid_after(yesterday + timedelta(days=7))
        )

    authority = (
        builder(authority_name, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    certificate = (
        builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)]), key.public_key())
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM), authority.public_bytes(Encoding.PEM).decode()
