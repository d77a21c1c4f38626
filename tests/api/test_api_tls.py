"""What the transports make of a server whose certificate they do not trust: nothing was sent."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from api.conftest import Ask, make_config
from fixtures.pulls import IMPATIENT
from syrve.api.client import SyrveClient
from syrve.api.errors import Effect, UntrustedCertificate
from syrve.api.models import Lookup
from syrve.api.money_answers import effect_of

ID = "5f4e0001-0000-4000-8000-000000000001"


def self_signed(folder: Path) -> Path:
    """Write a certificate that nobody vouches for, with its key; returns the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "server.pem"
    path.write_bytes(secret + certificate.public_bytes(pem))
    return path


@pytest.fixture
def untrusted_url(tmp_path: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with suppress(OSError), connection, context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(1)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"https://localhost:{listening.getsockname()[1]}"
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join(5)


def test_untrusted_certificate_means_that_nothing_was_sent(ask: Ask, untrusted_url: str) -> None:
    (error,) = ask(make_config(untrusted_url), [Lookup(ID, "id", ID)])

    assert isinstance(error, UntrustedCertificate)
    assert "is not trusted, so nothing was sent" in str(error)
    assert "REQUESTS_CA_BUNDLE" in str(error)
    assert error.retry_after_seconds is None


def test_money_does_not_move_past_an_untrusted_certificate(untrusted_url: str) -> None:
    config = make_config(untrusted_url, call_deadline_seconds=0.2)
    with SyrveClient(config, backoff=IMPATIENT) as client, pytest.raises(UntrustedCertificate) as caught:
        client.topup(ID, ID, ID, Decimal(1))

    assert effect_of(caught.value) is Effect.NOT_CARRIED_OUT
