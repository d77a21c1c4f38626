"""Orders that a till calls by a phone, an e-mail address or a name: an analyst sees that there is an order, and not how it is called."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest

from devstack.postgres import PostgresServer
from fixtures.logins import login_of

ORGANIZATION = "0a000000-0000-4000-8000-0000000000d1"
HIDDEN = (
    "+79161234567",
    "8 (916) 123-45-67",
    "guest 9161234567",
    "７９１６１２３４５６７",
    "guest@example.com",
    "Иванов",
    "9 1 6 1 2 3 4 5 6 7",
)
SHOWN = (
    "order-1",
    "4711",
    "T12/345678",
    "0a000000-0000-4000-8000-000000000001",
    "12345678-1234-4123-8123-123456789012",
)
VIEWS = ("open_hold", "wallet_movement", "order_balance")
PLANT = """
    insert into wallet.payment_order (organization_id, order_id, state, amount, state_at, source)
    select %(o)s, name, 'open', 5, now(), 'till' from unnest(%(names)s) as name;
    insert into wallet.operation (operation_id, kind, organization_id, customer_id, wallet_id, amount, order_id, source, requested_at)
    select gen_random_uuid(), 'hold', %(o)s, %(o)s, %(o)s, 5, name, 'payment', now() from unnest(%(names)s) as name;
    insert into wallet.operation_event (operation_id, sequence, state, occurred_at, basis)
    select operation_id, 1, 'confirmed', now(), 'report' from wallet.operation where organization_id = %(o)s;
    insert into wallet.transaction (organization_id, transaction_id, customer_id, revision, amount, pos_order_id, created_at)
    select %(o)s, gen_random_uuid(), %(o)s, 1, 5, name, now() from unnest(%(names)s) as name
"""


@pytest.fixture(scope="module")
def analyst(postgres_server: PostgresServer, lasting_dsn: str) -> Iterator[Any]:
    with closing(psycopg2.connect(lasting_dsn)) as owner, owner, owner.cursor() as cursor:
        cursor.execute(PLANT, {"o": ORGANIZATION, "names": [*HIDDEN, *SHOWN]})
    with login_of(postgres_server, "syrve_analyst") as name:
        connection = psycopg2.connect(lasting_dsn.replace("postgres@", f"{name}@"))
        connection.autocommit = True
        yield connection
        connection.close()


def rows(connection: Any, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def names(connection: Any, view: str) -> list[str]:
    query = f"select distinct order_id from analytics.{view} where organization_id = %s order by order_id"
    return [name for (name,) in rows(connection, query, ORGANIZATION)]


@pytest.mark.parametrize("view", VIEWS)
def test_names_that_may_be_a_persons_are_hidden(analyst: Any, view: str) -> None:
    shown = [name for name in names(analyst, view) if not name.startswith("hidden ")]

    assert sorted(shown) == sorted(SHOWN)
    assert len(names(analyst, view)) == len(SHOWN) + len(HIDDEN), "each order is told from the others"


def test_hidden_name_is_the_same_in_every_view(analyst: Any) -> None:
    assert names(analyst, "open_hold") == names(analyst, "order_balance") == names(analyst, "wallet_movement")


@pytest.mark.parametrize("order_id", ["order-1", SHOWN[-1]])
def test_order_is_found_by_a_shown_name(analyst: Any, order_id: str) -> None:
    query = "select held, open_amount from analytics.order_balance where organization_id = %s and order_id = %s"

    assert rows(analyst, query, ORGANIZATION, order_id) == [(5, 5)]


@pytest.mark.parametrize("order_id", [HIDDEN[0], "order-1"])
def test_analyst_can_not_ask_for_an_order_by_a_known_phone(analyst: Any, order_id: str) -> None:
    hidden = rows(analyst, "select order_id from analytics.order_balance where order_id like 'hidden %%' limit 1")

    for proof in (None, "", order_id, hidden[0][0], hidden[0][0].removeprefix("hidden ")):
        asked = "select * from analytics.order_balance_of(%s, %s, %s)"
        assert rows(analyst, asked, ORGANIZATION, order_id, proof) == []
    assert rows(analyst, "select * from analytics.order_balance where order_id = %s", HIDDEN[0]) == []
