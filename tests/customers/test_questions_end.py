"""Every question about customers who may be gone comes to an end: by an answer, by a person, or because nobody looks any more."""

from contextlib import suppress
from dataclasses import replace

import pytest

from fixtures.chains import Chain, by_card, by_id, by_phone, card, customer
from syrve.api.models import Lookup
from syrve.customers.holding import CustomersHeldBack
from syrve.warehouse.limits import BreakerSettings

ANNA, BORIS = 1, 2
TRACK = "track0"
HELD = "select identity_kind, answer, let_through_at is not null from sync.held_back"


@pytest.fixture
def asking(chain: Chain) -> Chain:
    """Anna's card is Boris's now, and a breaker that lets nothing pass has asked about it."""
    chain.settings = replace(chain.settings, batch_size=2, breaker=BreakerSettings(0.0, 0))
    chain.know([by_phone(ANNA), by_id(ANNA), by_card(TRACK)], customer(ANNA, cards=(card(0),)))
    chain.know([by_phone(BORIS)], customer(BORIS))
    for _ in range(2):
        chain.pull()
    chain.know([by_phone(ANNA), by_id(ANNA)], customer(ANNA))
    chain.know([by_phone(BORIS), by_card(TRACK)], customer(BORIS, cards=(card(0),)))
    for _ in range(2):
        with suppress(CustomersHeldBack):
            chain.pull()
    assert chain.rows(HELD) == [("card", "other_customer", False)]
    return chain


def let_through(chain: Chain) -> None:
    chain.value("select sync.let_through((select breaker_id from sync.breaker where decision is null))")


def due(chain: Chain, *lookups: Lookup) -> None:
    """Let nothing be due but these, the first of them first."""
    chain.execute("update sync.roster set due_at = now() + interval '1 day' where due_at < 'infinity'")
    for hours, each in zip(range(len(lookups), 0, -1), lookups, strict=True):
        chain.execute(
            "update sync.roster set due_at = now() - interval '1 hour' * %s where (identity_kind, identity_value) = (%s, %s)",
            *(hours, each.kind, each.value),
        )


def test_what_was_let_through_ends_though_the_id_is_covered(asking: Chain) -> None:
    """Anna is found under her phone before her id is asked for, and the id is covered from then on."""
    let_through(asking)
    asking.pull_due()
    assert asking.rows(HELD) == [("card", "other_customer", True)]
    due(asking, by_phone(ANNA), by_phone(BORIS), by_id(ANNA))

    asking.now = asking.value("select clock_timestamp()")
    asking.pull_due()

    assert asking.value(
        "select due_at = 'infinity' from sync.roster where (identity_kind, customer_id::text) = ('id', identity_value)"
    )
    assert asking.rows(HELD) == []


def test_what_was_let_through_waits_for_its_own_look_up(asking: Chain) -> None:
    """Anna's phone says nothing of the card: the person's word still counts when the card is asked for."""
    let_through(asking)
    due(asking, by_phone(ANNA), by_card(TRACK))

    asking.pull_due()

    assert asking.rows("select decision from sync.breaker where kind = 'customers_gone'") == [("let_through",)]
    assert (
        asking.value("select customer_id::text from sync.roster where identity_kind = 'card'")
        == customer(BORIS).customer_id
    )


def test_identity_taken_off_the_roster_takes_its_question_along(asking: Chain) -> None:
    asking.execute("delete from sync.roster where identity_kind = 'card'")

    asking.pull()

    assert asking.rows(HELD) == []
    assert asking.rows("select decision from sync.breaker where kind = 'customers_gone'") == [("recovered",)]
