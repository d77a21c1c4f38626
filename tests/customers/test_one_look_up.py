"""A customer who is known under several identities is looked up under one of them, and none of the others is ever lost."""

from collections import Counter
from collections.abc import Iterator
from itertools import count

import pytest

from fixtures.pulls import Syncing
from syrve.customers.backfill import Backfill, BackfillChoice
from syrve.customers.pull import PullPoint
from syrve.warehouse.runs import TaskKey
from syrve_simulator.control import RawAnswer
from syrve_simulator.process import SimulatorProcess, start_simulator

GUESTS = 30
COVERED = "select identity_kind, count(*) from sync.roster where due_at = 'infinity' group by 1 order by 1"
NOBODY_LOOKS = """
select count(*)
from sync.roster as covered
where
    covered.due_at = 'infinity'
    and not exists (
        select from sync.roster as other
        where other.organization_id = covered.organization_id and other.customer_id = covered.customer_id and other.due_at < 'infinity'
    )
"""


FIRST_GUESTS = count(0, GUESTS)


@pytest.fixture(scope="module")
def shared_simulator() -> Iterator[SimulatorProcess]:
    """One of this module alone: customers change their phones here, get cards and are gone."""
    with start_simulator(customers=1000, seed=7) as process:
        yield process


@pytest.fixture
def known(syncing: Syncing) -> Syncing:
    """Customers under their ids, phones and cards, each of which has been looked up; each test has others."""
    first = next(FIRST_GUESTS)
    guests = syncing.simulator.control.customers_page(syncing.organization_id, offset=first, limit=GUESTS)
    cards = [f"777{first + number:05}" for number in range(GUESTS)]
    with syncing.client() as client:
        for each, card in zip(guests, cards, strict=True):
            client.add_card(syncing.organization_id, each["customer_id"], card, f"N{card}")
    syncing.add(id=[each["customer_id"] for each in guests])
    syncing.add(phone=[each["phone"] for each in guests])
    syncing.add(card=cards)
    syncing.pull()
    syncing.simulator.control.reset_calls()
    return syncing


def one(syncing: Syncing) -> tuple[str, str]:
    """A customer's id and the phone that the roster has."""
    query = "select customer_id::text, identity_value from sync.roster where identity_kind = 'phone' order by 2 limit 1"
    customer_id, phone = syncing.rows(query)[0]
    return customer_id, phone


def asked(syncing: Syncing) -> Counter[str]:
    """Look-ups that the simulator counted, by kind of identity."""
    counts: Counter[str] = Counter()
    for each in syncing.simulator.control.lookups():
        value = each["value"]
        counts["phone" if value.startswith("+") else "id" if len(value) == 36 else "card"] += each["count"]
    return counts


def due(syncing: Syncing) -> list[str]:
    query = "select identity_kind from sync.roster where due_at <= now() order by 1"
    return [kind for (kind,) in syncing.rows(query)]


@pytest.mark.parametrize("batch_size", [7, 20, 500])
def test_customer_of_three_identities_is_looked_up_once(known: Syncing, batch_size: int) -> None:
    for _ in range(3):
        known.make_due()
        counts = known.pull(batch_size=batch_size)

        assert (counts.requested, counts.found) == (GUESTS, GUESTS)
        assert known.rows(COVERED) == [("card", GUESTS), ("id", GUESTS)]
    assert asked(known) == {"phone": 3 * GUESTS}, "which also tells when the phone is another customer's"


def test_covered_identities_are_as_fresh_as_their_customer(known: Syncing) -> None:
    known.make_due()
    before = known.value("select max(checked_at) from sync.roster")

    known.pull()

    assert known.value("select count(*) from sync.roster where checked_at <= %s", before) == 0
    assert known.value("select count(distinct (customer_id, checked_at)) from sync.roster") == GUESTS


def test_customer_whose_phone_moved_is_looked_up_by_id(known: Syncing) -> None:
    customer_id, _ = one(known)
    known.simulator.control.change_customer(known.organization_id, customer_id, fields={"phone": "+79750009911"})
    known.make_due()

    known.pull()
    assert due(known) == ["id"], "the phone leads to nobody"
    known.pull()

    assert known.value("select phone from syrve.customer where customer_id = %s", customer_id) == "+79750009911"
    own = "select identity_kind, due_at = 'infinity' from sync.roster where customer_id = %s order by 1"
    assert known.rows(own, customer_id) == [("card", True), ("id", False), ("phone", False)]
    assert due(known) == []


def test_card_that_the_answer_does_not_name_is_looked_up(known: Syncing) -> None:
    customer_id, _ = one(known)
    with known.client() as client:
        # Guests have cards of their own too, which the roster does not know.
        track = known.value("select track from syrve.card where customer_id = %s and track ~ '^777'", customer_id)
        client.remove_card(known.organization_id, customer_id, track)
    known.make_due()

    known.pull()
    assert due(known) == ["card"]
    known.pull()

    assert known.rows("select outcome from sync.roster where identity_value = %s", track) == [("not_found",)]


def test_identity_made_due_after_the_answer_stays_due(known: Syncing) -> None:
    known.make_due()

    def make_cards_due(point: PullPoint) -> None:
        if point is PullPoint.LOOKED_UP:
            known.execute("update sync.roster set due_at = clock_timestamp() where identity_kind = 'card'")

    known.pull(on_point=make_cards_due, batch_size=500)

    assert due(known) == ["card"] * GUESTS, "the answer may be older than what made them due"
    known.pull()
    assert known.rows(COVERED) == [("card", GUESTS), ("id", GUESTS)]


def test_identity_stands_in_while_the_phone_gets_no_answer(known: Syncing) -> None:
    customer_id, phone = one(known)
    known.execute("update sync.roster set due_at = now() - interval '1 hour' where identity_value = %s", phone)
    known.simulator.control.put_raw_answers([RawAnswer(known.organization_id, phone, b"{}", status=500)])

    known.pull(failed_tolerance_share=1)
    assert due(known) == ["id"]
    known.simulator.control.change_customer(known.organization_id, customer_id, fields={"name": "Новая"})
    known.pull(failed_tolerance_share=1)

    assert known.value("select name from syrve.customer where customer_id = %s", customer_id) == "Новая"
    assert known.value(NOBODY_LOOKS) == 0


def test_customer_who_is_gone_leaves_no_identity_behind(known: Syncing) -> None:
    customer_id, _ = one(known)
    known.simulator.control.remove_customer(known.organization_id, customer_id)
    known.make_due()

    while due(known):
        known.pull()

    own = "select identity_kind, outcome from sync.roster where customer_id = %s order by 1"
    assert known.rows(own, customer_id) == [("card", "not_found"), ("id", "not_found"), ("phone", "not_found")]
    assert known.value(NOBODY_LOOKS) == 0


def test_covered_identities_are_due_when_the_other_is_deleted(known: Syncing) -> None:
    known.execute("delete from sync.roster where identity_kind = 'phone'")

    assert due(known) == ["card"] * GUESTS + ["id"] * GUESTS
    known.pull(batch_size=500)
    assert known.rows(COVERED) == [("card", GUESTS)]


def test_priority_of_a_covered_identity_is_the_customers(known: Syncing) -> None:
    customer_id, _ = one(known)
    known.add(id=[customer_id], priority=[3])
    assert due(known) == ["id"]

    known.pull()

    own = "select identity_kind, priority from sync.roster where customer_id = %s order by 1"
    assert known.rows(own, customer_id) == [("card", 0), ("id", 3), ("phone", 3)]
    assert known.rows(COVERED) == [("card", GUESTS), ("id", GUESTS)]


def test_backfill_looks_a_customer_up_once(known: Syncing) -> None:
    choice = BackfillChoice(
        organization_ids=[known.organization_id],
        visible=[known.organization_id],
        force=True,
        frames=[{"id": each[0]} for each in known.rows("select customer_id::text from syrve.customer")],
    )
    job = Backfill(known.warehouse, choice, key=TaskKey("fill", "dag.plan"), region="RU")
    assert job.estimate().total == GUESTS
    plan = job.plan(shard_size=100, max_shards=1)
    assert plan.backfill_id is not None

    assert known.pull_backfill(plan.backfill_id).requested == GUESTS
    assert asked(known) == {"phone": GUESTS}
    assert known.value("select count(*) from sync.roster where backfill_id is not null") == 0
