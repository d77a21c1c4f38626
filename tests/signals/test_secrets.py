"""Secrets of senders: each use has its own newest one, and a sender of the other use loses nothing."""

import io
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg2
import psycopg2.errors
import pytest
from starlette.testclient import TestClient

from signals.conftest import SECRETS
from signals.shapes import ONE, TWO, balance_notification
from syrve.signals.__main__ import main
from syrve.signals.keeping import Received
from syrve.signals.limits import ReceiverLimits
from syrve.signals.receiver import Receiver, create_app
from syrve.signals.secret_book import add_secret, hashes_of, retire_secrets
from syrve.signals.secrets import hash_of
from syrve.warehouse.database import Warehouse

OLD, NEW, OTHER = (f"{name}-secret-of-an-organization" for name in ("old", "new", "other"))


def good(warehouse: Warehouse, organization_id: str = ONE) -> set[str]:
    hashes = hashes_of(warehouse, organization_id)
    return {secret for secret in (OLD, NEW, OTHER) if hash_of(secret) in hashes}


def test_retiring_webhooks_leaves_notifications(warehouse: Warehouse) -> None:
    add_secret(warehouse, ONE, OTHER, used_for="notifications")
    add_secret(warehouse, ONE, OLD)
    add_secret(warehouse, TWO, OLD)
    add_secret(warehouse, ONE, NEW)

    assert retire_secrets(warehouse, ONE) == 1
    assert good(warehouse) == {NEW, OTHER}
    assert good(warehouse, TWO) == {OLD}
    assert retire_secrets(warehouse, ONE, used_for="notifications") == 0
    assert good(warehouse) == {NEW, OTHER}


def test_secret_that_comes_into_force_again_is_the_newest(warehouse: Warehouse) -> None:
    add_secret(warehouse, ONE, OLD)
    add_secret(warehouse, ONE, NEW)
    retire_secrets(warehouse, ONE)
    add_secret(warehouse, ONE, OLD)

    assert retire_secrets(warehouse, ONE) == 1
    assert good(warehouse) == {OLD}


def test_retired_secret_stays_good_for_the_time_that_is_given(warehouse: Warehouse) -> None:
    add_secret(warehouse, ONE, OLD)
    add_secret(warehouse, ONE, NEW)

    assert retire_secrets(warehouse, ONE, in_seconds=600) == 1
    assert good(warehouse) == {OLD, NEW}
    assert retire_secrets(warehouse, ONE) == 1
    assert good(warehouse) == {NEW}


def test_commands_say_what_a_secret_is_for(
    warehouse: Warehouse,
    make_login: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    loader = warehouse.url.set(username=make_login("syrve_loader"), drivername="postgresql")
    monkeypatch.setenv("SYRVE_SIGNALS_DSN", loader.render_as_string(hide_password=False))

    def run(*arguments: str) -> str:
        assert main(arguments) == 0
        return capsys.readouterr().out.strip()

    secrets = {run("secret", ONE, "--for", "notifications"), run("secret", ONE)}
    newest = run("secret", ONE)

    assert run("retire", ONE) == "1 secret(s) are refused from then on"
    hashes = hashes_of(warehouse, ONE)
    assert len(hashes) == 2
    assert hash_of(newest) in hashes
    assert len(hashes & {hash_of(each) for each in secrets}) == 1


def test_nobody_states_when_a_secret_was_made(
    warehouse_dsn: str, make_login: Callable[[str], str], warehouse: Warehouse
) -> None:
    add_secret(warehouse, ONE, OLD)
    login: Any = warehouse.url.set(username=make_login("syrve_loader"), drivername="postgresql")
    with (
        closing(psycopg2.connect(login.render_as_string(hide_password=False))) as connection,
        connection.cursor() as cursor,
        pytest.raises(psycopg2.errors.InsufficientPrivilege),
    ):
        cursor.execute("update sync.signal_secret set made_at = now()")


@pytest.mark.parametrize("secret", ["пароль-пароль-пароль-пароль", "a secret of several words 1", "a" * 513])
def test_secret_that_no_header_carries_is_refused(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], secret: str
) -> None:
    monkeypatch.setenv("SYRVE_SIGNALS_DSN", warehouse.url.render_as_string(hide_password=False))
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{secret}\n"))

    assert main(["secret", ONE, "--stdin"]) == 2

    assert "no space" in capsys.readouterr().err
    assert hashes_of(warehouse, ONE) == frozenset()


class Book:
    """Secrets that may change, and how often they were read."""

    def __init__(self) -> None:
        self.known: list[tuple[str, bytes]] = []
        self.reads = 0
        self.kept = 0

    async def keep(self, events: Received) -> None:
        self.kept += len(events)

    async def secrets(self) -> list[tuple[str, bytes]]:
        self.reads += 1
        return list(self.known)


@pytest.mark.parametrize("in_body", [False, True], ids=["header", "body"])
def test_new_secret_counts_within_a_second(in_body: bool) -> None:
    book, now = Book(), [100.0]
    client = TestClient(create_app(Receiver(book, region="RU", clock=lambda: now[0])))

    def post(secret: str) -> int:
        body = balance_notification(password=secret if in_body else None)
        return client.post("/events", json=body, headers={} if in_body else {"Authorization": secret}).status_code

    assert {post(f"guess-{number}") for number in range(20)} == {401}
    assert book.reads == 1, "strangers do not have it read more often"
    book.known.append((ONE, hash_of(SECRETS[ONE])))
    now[0] += ReceiverLimits().new_secrets_seconds
    assert post(SECRETS[ONE]) == 200
    assert (book.reads, book.kept) == (2, 1)

    book.known.clear()
    now[0] += ReceiverLimits().secrets_seconds
    assert post(SECRETS[ONE]) == 401
