"""What the transports make of a server whose certificate they do not trust: nothing was sent."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest
from cryptography import x509

from api.conftest import Ask, make_config
from fixtures.certificates import self_signed
from fixtures.listeners import accepting
from fixtures.pulls import IMPATIENT
from syrve.api.client import SyrveClient
from syrve.api.errors import Effect, UntrustedCertificate
from syrve.api.models import Lookup
from syrve.api.money_answers import effect_of

ID = "5f4e0001-0000-4000-8000-000000000001"


@pytest.fixture
def untrusted_url(tmp_path: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed(tmp_path, [x509.DNSName("localhost")]))
    listening = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with suppress(OSError), connection, context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(1)

    with accepting(listening, serve):
        yield f"https://localhost:{listening.getsockname()[1]}"


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
