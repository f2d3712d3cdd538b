"""An identity provider behind TLS, as production wants it, with a certificate of the tests' own."""

import ipaddress
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.web.organisation import Organisation


@dataclass(frozen=True)
class Certificate:
    """A certificate for 127.0.0.1 that vouches for itself.

    Attributes:
        key: The private key's file.
        chain: The certificate's file, which is what to trust, too.
    """

    key: Path
    chain: Path

    @classmethod
    def make(cls, folder: Path) -> "Certificate":
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a provider of the tests")])
        here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        made = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(here, critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        found = cls(folder / "provider.key", folder / "provider.pem")
        pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
        found.key.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
        found.chain.write_bytes(made.public_bytes(pem))
        return found


@contextmanager
def provider(certificate: Certificate) -> Iterator[Organisation]:
    """An organisation whose provider answers for as long as the block lasts."""
    organisation = Organisation()
    config = uvicorn.Config(
        organisation.app, port=0, log_level="error", lifespan="off",
        ssl_keyfile=str(certificate.key), ssl_certfile=str(certificate.chain),
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the provider did not start"
        time.sleep(0.01)
    organisation.url = f"https://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield organisation
    finally:
        server.should_exit = True
        thread.join(20)
