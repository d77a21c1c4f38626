"""People are told of a breaker once, and again only if no channel took it."""

import pytest

from fixtures.channels import Webhook
from notifications.conftest import CONNECTION, Connecting
from syrve.notifications.breakers import tell_of_breakers
from syrve.warehouse.database import Warehouse

ORGANIZATION = "5f4e0000-0000-4000-8000-000000000001"


@pytest.fixture
def tripped(warehouse: Warehouse) -> Warehouse:
    with warehouse.transaction("test") as cursor:
        cursor.execute(
            "insert into sync.breaker (organization_id, kind, field, run_id, looked, affected, allowed, decision, decided_at) values "
            "(%(id)s, 'customers_gone', '', 'run-1', 2041, 2041, 40, null, null), "
            "(%(id)s, 'field_changed', 'surname', 'run-1', 1000, 900, 20, 'landed', now()), "
            "(%(id)s, 'customers_gone', '', 'run-0', 50, 50, 20, 'recovered', now())",
            {"id": ORGANIZATION},
        )
    return warehouse


def test_tripped_breakers_are_told_once_in_one_message(
    tripped: Warehouse, connecting: Connecting, webhook: Webhook
) -> None:
    connecting(webhook.path)

    for _ in range(3):
        tell_of_breakers(tripped, ORGANIZATION, conn_id=CONNECTION)

    (message,) = webhook.taken
    assert message["title"] == "Syrve: changes held back until a person decides"
    assert (
        "2041 of 2041 customers newly not found, deleted or emptied (up to 40 go without a question)"
        in message["message"]
    )
    assert "900 of 1000 customers whose surname a pull changed" in message["message"]
    assert "sync.let_through(breaker_id)" in message["message"]
    assert "run-0" not in message["message"], "nobody has to know what is over"


def test_breaker_that_no_channel_took_is_told_by_the_next_run(
    tripped: Warehouse, connecting: Connecting, webhook: Webhook
) -> None:
    connecting(webhook.path)
    webhook.status = 500
    tell_of_breakers(tripped, ORGANIZATION, conn_id=CONNECTION)
    webhook.status = 200

    tell_of_breakers(tripped, ORGANIZATION, conn_id=CONNECTION)

    assert len(webhook.taken) == 1
