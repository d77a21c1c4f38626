"""Deletions and moves: a phone that leads to somebody else, a merged pair, an id that is gone, and answers that come too late."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from fixtures.chains import (
    FAILED,
    NOT_FOUND,
    START,
    Chain,
    add_identities,
    by_card,
    by_id,
    by_phone,
    customer,
    id_of,
    merge,
    phone_of,
    result,
    take_leases,
    wallet,
)
from fixtures.pulls import Syncing
from syrve.api.bulk import LookupResult
from syrve.warehouse.database import transaction
from syrve.warehouse.staging import prepare_staging
from syrve_simulator.control import SimulatorRefusedError

DELETED = "select customer_id::text, is_deleted from syrve.customer order by 1"
HOUR = timedelta(hours=1)


def guest(number: int, phone: str, **fields: Any) -> dict[str, Any]:
    """A customer as the service answers one."""
    return {"id": id_of(number), "phone": phone, "walletBalances": [], "cards": [], "categories": []} | fields


def due(syncing: Syncing) -> list[tuple[str, str]]:
    query = "select identity_kind, identity_value from sync.roster where due_at <= now() order by 1, 2"
    return syncing.rows(query)


@pytest.fixture
def one_guest(syncing: Syncing) -> Any:
    """A customer of the simulator, known to the warehouse by phone only."""
    control = syncing.simulator.control
    control.add_customer(syncing.organization_id, guest(1, "+79759990011", name="First"))
    syncing.add(phone=["+79759990011"])
    syncing.pull()
    yield syncing
    for number in (1, 2):
        with suppress(SimulatorRefusedError):  # the test may have removed them
            control.remove_customer(syncing.organization_id, id_of(number))


def test_phone_that_moved_to_another_id_lands_there_and_the_former_holder_is_asked_for_by_id(
    one_guest: Syncing,
) -> None:
    control, organization_id = one_guest.simulator.control, one_guest.organization_id
    control.remove_customer(organization_id, id_of(1))
    control.add_customer(organization_id, guest(1, "+79759990012", name="First"))
    control.add_customer(organization_id, guest(2, "+79759990011", name="Second"))
    one_guest.make_due()

    moved = one_guest.pull()

    assert (moved.found, moved.changed) == (1, 1)
    assert due(one_guest) == [("id", id_of(1))]
    assert one_guest.rows(DELETED) == [(id_of(1), False), (id_of(2), False)]
    assert (one_guest.pull().found, due(one_guest)) == (1, [])
    assert one_guest.rows("select name, phone from syrve.customer order by name") == [
        ("First", "+79759990012"),
        ("Second", "+79759990011"),
    ]


def test_pair_that_was_merged_leaves_one_customer_and_one_deleted(one_guest: Syncing) -> None:
    control, organization_id = one_guest.simulator.control, one_guest.organization_id
    control.remove_customer(organization_id, id_of(1))
    control.add_customer(organization_id, guest(2, "+79759990011", name="Both"))
    one_guest.make_due()
    one_guest.pull()

    by_id_now = one_guest.pull()

    assert (by_id_now.not_found, by_id_now.changed) == (1, 1)
    assert one_guest.rows(DELETED) == [(id_of(1), True), (id_of(2), False)]


def test_customer_whose_phone_is_lost_but_who_is_known_by_id_stays(one_guest: Syncing) -> None:
    control, organization_id = one_guest.simulator.control, one_guest.organization_id
    control.remove_customer(organization_id, id_of(1))
    control.add_customer(organization_id, guest(1, "+79759990013", name="First"))
    one_guest.make_due()

    lost, kept = one_guest.pull(), one_guest.pull()

    assert (lost.not_found, lost.changed) == (1, 0)
    assert (kept.requested, kept.found) == (1, 1)
    assert one_guest.rows("select phone, is_deleted from syrve.customer") == [("+79759990013", False)]


def test_customer_whose_id_is_gone_too_is_deleted_and_keeps_their_data(one_guest: Syncing) -> None:
    one_guest.simulator.control.remove_customer(one_guest.organization_id, id_of(1))
    one_guest.make_due()

    lost, gone = one_guest.pull(), one_guest.pull()

    assert (lost.not_found, lost.changed, gone.not_found, gone.changed) == (1, 0, 1, 1)
    assert one_guest.rows("select name, is_deleted from syrve.customer") == [("First", True)]


def test_phone_and_id_that_were_never_found_delete_nothing(chain: Chain) -> None:
    chain.know([by_phone(1)], customer(1))
    chain.know([by_phone(2), by_id(2), by_id(1)], NOT_FOUND)

    counts = chain.pull()

    assert (counts.not_found, counts.changed, counts.unchanged) == (3, 1, 0)
    assert chain.rows(DELETED) == [(id_of(1), False)]


def test_deletion_does_not_count_against_the_unchanged(chain: Chain) -> None:
    chain.know([by_id(1), by_id(2), by_id(3)], NOT_FOUND)
    for number in (1, 2, 3):
        chain.know([by_id(number)], customer(number))
    chain.pull()
    chain.answers[by_id(3)] = NOT_FOUND

    counts = chain.pull()

    assert (counts.changed, counts.unchanged) == (1, 2)


@pytest.mark.parametrize("between", [FAILED, customer(1)], ids=["a failure", "nothing"])
def test_former_holder_is_asked_for_by_id_whatever_came_between(chain: Chain, between: Any) -> None:
    chain.know([by_phone(1)], customer(1))
    chain.pull()
    chain.answers[by_phone(1)] = between
    chain.pull()
    chain.answers[by_phone(1)] = NOT_FOUND
    chain.pull()

    chain.pull()

    assert chain.bulk.asked == [by_phone(1), by_id(1)] or chain.bulk.asked == [by_id(1), by_phone(1)]
    assert chain.rows(DELETED) == [(id_of(1), True)]


def test_id_that_leads_to_another_customer_is_a_merged_pair(chain: Chain) -> None:
    chain.know([by_id(1)], customer(1))
    chain.know([by_id(2)], customer(2))
    chain.pull()
    chain.answers[by_id(1)] = customer(2)
    merged = chain.pull()
    chain.answers.update({by_id(1): NOT_FOUND, by_id(2): FAILED})
    dropped = chain.pull()

    assert (merged.found, merged.changed, merged.unchanged) == (2, 1, 1)
    assert (dropped.not_found, dropped.changed) == (1, 0)
    assert chain.rows(DELETED) == [(id_of(1), True), (id_of(2), False)]


def test_id_whose_phone_moves_away_and_that_is_gone_in_the_same_batch_is_deleted_at_once(chain: Chain) -> None:
    chain.know([by_phone(1)], customer(1))
    chain.pull()
    chain.know([by_phone(1)], customer(2))
    chain.know([by_id(1)], NOT_FOUND)

    chain.pull()

    assert chain.rows(DELETED) == [(id_of(1), True), (id_of(2), False)]


def test_card_that_moved_is_treated_like_a_phone(chain: Chain) -> None:
    chain.know([by_card("77")], customer(1))
    chain.pull()
    chain.answers.update({by_card("77"): customer(2), by_id(1): customer(1)})
    chain.pull()
    chain.pull()

    assert set(chain.bulk.asked) == {by_card("77"), by_id(1)}
    assert chain.rows(DELETED) == [(id_of(1), False), (id_of(2), False)]


class Late:
    """Batches of answers that are merged in another order than they were given."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.everything = [by_phone(1), by_phone(2), by_id(1), by_id(2), by_card("1")]
        add_identities(chain.warehouse, self.everything)

    def merge(self, *answers: LookupResult, leased: bool = True) -> Any:
        with self.chain.warehouse.connect() as connection:
            prepare_staging(connection)
            if leased:
                take_leases(connection, [each.lookup for each in answers], 1)
            with transaction(connection, "merge") as cursor:
                return merge(cursor, answers)

    @property
    def mirror(self) -> list[tuple[Any, ...]]:
        return self.chain.rows(
            """
            select customer_id::text, is_deleted, balance
            from syrve.customer left join syrve.wallet_balance using (organization_id, customer_id) order by 1
            """
        )


@pytest.fixture
def late(chain: Chain) -> Late:
    found = Late(chain)
    found.merge(*(result(each, HELD, START) for each in (by_phone(1), by_id(1), by_card("1"))))
    return found


HELD, FREE = customer(1, wallets=(wallet(1, "90"),)), customer(1, wallets=(wallet(1, "100"),))


def test_late_answer_never_undoes_what_a_newer_one_confirmed(late: Late) -> None:
    late.merge(result(by_phone(1), HELD, START + 2 * HOUR))

    assert late.merge(result(by_card("1"), FREE, START + HOUR)).changed == 0
    assert late.mirror == [(id_of(1), False, 90)]


@pytest.mark.parametrize("then", [FAILED, NOT_FOUND, customer(2)], ids=["failed", "was not found", "moved"])
def test_confirmation_counts_even_where_the_identity_has_since(late: Late, then: Any) -> None:
    late.merge(result(by_phone(1), HELD, START + 2 * HOUR))
    late.merge(result(by_phone(1), then, START + 3 * HOUR))

    assert late.merge(result(by_card("1"), FREE, START + HOUR)).changed == 0
    assert late.mirror[0] == (id_of(1), False, 90)


def test_late_miss_by_id_deletes_nobody_who_was_found_since(late: Late) -> None:
    late.merge(result(by_phone(1), HELD, START + 2 * HOUR))

    assert late.merge(result(by_id(1), NOT_FOUND, START + HOUR)).changed == 0
    assert late.mirror == [(id_of(1), False, 90)]


@pytest.mark.parametrize("found_at", [2 * HOUR, HOUR], ids=["later", "at the same moment"])
def test_miss_by_id_deletes_nobody_whom_its_own_batch_found(late: Late, found_at: timedelta) -> None:
    both = (result(by_id(1), NOT_FOUND, START + HOUR), result(by_card("1"), HELD, START + found_at))

    assert late.merge(*both).changed == 0
    assert late.mirror == [(id_of(1), False, 90)]


def test_late_find_does_not_bring_back_who_is_gone_since(late: Late) -> None:
    late.merge(result(by_id(1), NOT_FOUND, START + HOUR))
    late.merge(result(by_id(1), NOT_FOUND, START + 3 * HOUR))

    assert late.merge(result(by_phone(1), FREE, START + 2 * HOUR)).changed == 0
    assert late.mirror == [(id_of(1), True, 90)]
    assert late.merge(result(by_phone(1), FREE, START + 4 * HOUR)).changed == 1
    assert late.mirror == [(id_of(1), False, 100)]


def test_find_and_miss_of_one_batch_count_by_their_times(late: Late) -> None:
    counts = late.merge(result(by_phone(1), FREE, START + HOUR), result(by_id(1), NOT_FOUND, START + 2 * HOUR))

    assert (counts.changed, counts.unchanged) == (2, 0)
    assert late.mirror == [(id_of(1), True, 100)]
    spans = late.chain.rows("select is_deleted, valid_from, valid_to from syrve.customer_history order by valid_from")
    assert spans == [(False, START, START + 2 * HOUR), (True, START + 2 * HOUR, None)]


def test_of_two_answers_of_one_moment_the_first_to_be_merged_stays(late: Late) -> None:
    late.merge(result(by_phone(1), FREE, START + HOUR))

    assert late.merge(result(by_card("1"), HELD, START + HOUR)).changed == 0
    assert late.mirror == [(id_of(1), False, 100)]


def test_answer_of_the_moment_of_a_confirmation_changes_nothing(late: Late) -> None:
    late.merge(result(by_phone(1), HELD, START + HOUR))

    assert late.merge(result(by_card("1"), FREE, START + HOUR)).changed == 0
    assert late.mirror == [(id_of(1), False, 90)]


def test_answer_of_a_task_that_lost_its_lease_counts_and_the_lease_stays_with_the_other(late: Late) -> None:
    with late.chain.warehouse.connect() as connection:
        take_leases(connection, [by_phone(1)], 2)
    lease = "select lease, checked_at, confirmed_at from sync.roster where identity_kind = 'phone' and customer_id is not null"

    late.merge(result(by_phone(1), HELD, START + 2 * HOUR), leased=False)

    assert late.chain.rows(lease) == [(2, START + 2 * HOUR, START + 2 * HOUR)]
    assert late.merge(result(by_phone(1), FREE, START + HOUR)).changed == 0, "the other's answer is the older one"
    assert late.mirror == [(id_of(1), False, 90)]
    assert late.chain.rows(lease) == [(None, START + 2 * HOUR, START + 2 * HOUR)]


def test_children_left_behind_by_a_row_that_was_removed_by_hand_do_not_stop_a_pull(late: Late) -> None:
    late.chain.execute("delete from syrve.customer")

    assert (
        late.merge(result(by_phone(1), FREE, START + HOUR), result(by_phone(2), customer(2), START + HOUR)).changed == 2
    )
    assert late.mirror == [(id_of(1), False, 100), (id_of(2), False, 100)]
    assert phone_of(1) == late.chain.value("select phone from syrve.customer order by customer_id limit 1")
