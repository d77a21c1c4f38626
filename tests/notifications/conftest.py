"""A ledger that each test writes, what reconciliation finds in it, and servers that are told of it."""

import json
from collections.abc import Callable, Iterator

import pytest

from fixtures.airflow import SetConnection
from fixtures.books import Book, open_book
from fixtures.channels import Mailbox, Webhook, open_mailbox, open_webhook
from syrve.notifications.channels import Channel, open_channels
from syrve.warehouse.database import Warehouse

CONNECTION = "syrve_notifications"
Connecting = Callable[..., list[Channel]]


@pytest.fixture
def warehouse_dsn(emptied_warehouse_dsn: str) -> str:
    return emptied_warehouse_dsn


@pytest.fixture
def book(warehouse: Warehouse, warehouse_dsn: str) -> Iterator[Book]:
    yield from open_book(warehouse, warehouse_dsn)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with open_webhook() as hook:
        yield hook


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with open_mailbox() as box:
        yield box


@pytest.fixture
def connecting(set_connection: SetConnection) -> Connecting:
    """Sets the connection to addresses and opens its channels."""

    def connect(*paths: str) -> list[Channel]:
        config = [{"path": path} for path in paths]
        set_connection(CONNECTION, conn_type="apprise", extra=json.dumps({"config": config}))
        return open_channels(CONNECTION)

    return connect
