"""The pull, on a real Postgres and a real HTTP service."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from fixtures.pulls import Syncing
from syrve.api.errors import AuthenticationFailed, LoyaltyNotConfigured, PermissionDenied, Transient
from syrve.customers.pull import PullIncomplete
from syrve_simulator.control import RawAnswer

Versions = Callable[[], dict[str, list[Any]]]


def test_every_identity_of_the_roster_lands_with_its_children(syncing: Syncing) -> None:
    customers = syncing.customers()
    syncing.add(phone=[each["phone"] for each in customers])

    counts = syncing.pull()

    assert counts.found == counts.changed == len(customers)
    assert syncing.value("select count(*) from syrve.customer") == len(customers)
    balances = {
        (str(customer), str(wallet)): balance
        for customer, wallet, balance in syncing.rows(
            "select customer_id, wallet_id, balance from syrve.wallet_balance"
        )
    }
    expected = {
        (each["customer_id"], wallet["id"]): Decimal(wallet["balance"])
        for each in customers
        for wallet in each["wallets"]
    }
    assert balances == expected
    assert syncing.value("select count(*) from syrve.card") > 0
    assert syncing.value("select count(*) from syrve.customer_category") > 0


def test_second_run_right_after_the_first_finds_nothing_due(syncing: Syncing) -> None:
    syncing.add(phone=[each["phone"] for each in syncing.customers(20)])
    syncing.pull()

    counts = syncing.pull()

    assert counts.requested == counts.calls == 0


def test_unchanged_customer_writes_no_row_version(syncing: Syncing, row_versions: Versions) -> None:
    syncing.add(phone=[each["phone"] for each in syncing.customers(60)])
    syncing.pull()
    before = row_versions()
    syncing.make_due()

    counts = syncing.pull()

    assert (counts.found, counts.changed, counts.unchanged) == (60, 0, 60)
    assert row_versions() == before


def test_changed_balance_writes_that_wallet_and_its_customer_only(syncing: Syncing, row_versions: Versions) -> None:
    customers = syncing.customers(30)
    syncing.add(phone=[each["phone"] for each in customers])
    syncing.pull()
    before = row_versions()
    chosen = customers[7]
    wallet = chosen["wallets"][0]["id"]
    syncing.simulator.control.change_customer(
        syncing.organization_id, chosen["customer_id"], balances={wallet: "98765.43"}
    )
    syncing.make_due()

    counts = syncing.pull()

    after = row_versions()
    assert (counts.changed, counts.unchanged) == (1, 29)
    assert {name: len(set(after[name]) - set(before[name])) for name in after} == {
        "organization": 0,
        "customer": 1,
        "wallet_balance": 1,
        "card": 0,
        "customer_category": 0,
        "coupon_series": 0,
    }
    query = "select balance from syrve.wallet_balance where customer_id = %s and wallet_id = %s"
    assert syncing.value(query, chosen["customer_id"], wallet) == Decimal("98765.43")


def test_same_customer_under_phone_id_and_card_lands_once(syncing: Syncing) -> None:
    customer = next(each for each in syncing.customers() if each["card_tracks"])
    syncing.add(
        phone=[customer["phone"], None, None],
        id=[None, customer["customer_id"], None],
        card=[None, None, customer["card_tracks"][0]],
    )

    counts = syncing.pull()

    assert (counts.requested, counts.found, counts.changed) == (3, 3, 1)
    assert syncing.rows("select distinct customer_id::text from sync.roster") == [(customer["customer_id"],)]


def test_unknown_phone_is_not_found_and_asked_again_later_and_later(syncing: Syncing) -> None:
    syncing.add(phone=["+79750000000"])
    waits = []
    for _ in range(3):
        counts = syncing.pull()
        assert (counts.not_found, counts.found, counts.rejected) == (1, 0, 0)
        waits.append(syncing.value("select extract(epoch from due_at - checked_at) from sync.roster"))
        syncing.make_due()

    assert waits == sorted(waits)
    assert syncing.rows("select outcome, misses, customer_id from sync.roster") == [("not_found", 3, None)]


def test_customer_once_found_by_id_and_gone_now_is_marked_deleted(syncing: Syncing) -> None:
    organization_id = syncing.organization_id
    customer_id, phone = "5f4e0001-0000-4000-8000-000000000001", "+79759990001"
    answer = {"id": customer_id, "name": "Прохор", "phone": phone, "walletBalances": [], "cards": [], "categories": []}
    syncing.simulator.control.add_customer(organization_id, answer)
    syncing.add(id=[customer_id, None], phone=[None, phone])
    syncing.pull()
    syncing.simulator.control.remove_customer(organization_id, customer_id)
    syncing.make_due()

    first, second = syncing.pull(), syncing.pull()

    assert (first.not_found, first.changed) == (1, 0), "the phone is gone: that alone deletes nobody"
    assert (second.not_found, second.changed) == (1, 1), "so is the id"
    assert syncing.rows("select is_deleted, name from syrve.customer") == [(True, "Прохор")]

    syncing.simulator.control.add_customer(organization_id, answer)
    syncing.make_due()
    syncing.pull()
    assert syncing.rows("select is_deleted from syrve.customer") == [(False,)]
    syncing.simulator.control.remove_customer(organization_id, customer_id)


def test_a_phone_that_is_no_longer_known_deletes_nobody(syncing: Syncing) -> None:
    organization_id = syncing.organization_id
    customer_id, phone = "5f4e0001-0000-4000-8000-000000000002", "+79759990002"
    answer = {"id": customer_id, "phone": phone, "walletBalances": [], "cards": [], "categories": []}
    syncing.simulator.control.add_customer(organization_id, answer)
    syncing.add(phone=[phone])
    syncing.pull()
    syncing.simulator.control.remove_customer(organization_id, customer_id)
    syncing.make_due()

    counts = syncing.pull()

    assert (counts.not_found, counts.changed) == (1, 0)
    assert syncing.rows("select is_deleted from syrve.customer") == [(False,)]


def test_wallet_that_vanished_from_the_answer_leaves_the_mirror(syncing: Syncing) -> None:
    organization_id = syncing.organization_id
    customer_id, phone = "5f4e0001-0000-4000-8000-000000000003", "+79759990003"
    wallets = [
        {"id": f"5f4e0001-0000-4000-8000-00000000001{n}", "name": f"w{n}", "type": 1, "balance": n} for n in range(2)
    ]
    answer: dict[str, Any] = {"id": customer_id, "phone": phone, "cards": [], "categories": []}
    syncing.simulator.control.add_customer(organization_id, answer | {"walletBalances": wallets})
    syncing.add(phone=[phone])
    syncing.pull()
    syncing.simulator.control.remove_customer(organization_id, customer_id)
    syncing.simulator.control.add_customer(organization_id, answer | {"walletBalances": wallets[1:]})
    syncing.make_due()

    syncing.pull()

    assert syncing.rows("select name from syrve.wallet_balance") == [("w1",)]
    syncing.simulator.control.remove_customer(organization_id, customer_id)


def test_older_answer_never_overwrites_a_newer_one(syncing: Syncing) -> None:
    customer = syncing.customers(1)[0]
    syncing.add(phone=[customer["phone"]])
    syncing.pull()
    syncing.execute("update syrve.customer set name = 'newer', digest = null, fetched_at = now() + interval '1 hour'")
    syncing.make_due()

    counts = syncing.pull()

    assert counts.changed == 0
    assert syncing.value("select name from syrve.customer") == "newer"


def test_counts_of_the_run_are_kept_in_the_warehouse(syncing: Syncing) -> None:
    syncing.add(phone=[each["phone"] for each in syncing.customers(30)] + ["+79750000000"])

    counts = syncing.pull()

    columns = "requested, found, not_found, changed, unchanged, rejected, failed, calls, retries"
    assert syncing.rows(f"select {columns} from sync.run where task = 'pull'") == [(31, 30, 1, 30, 0, 0, 0, 32, 0)]
    assert counts.calls == 32, "31 look-ups and one token"


def test_refused_login_stops_the_pull_at_once(syncing: Syncing) -> None:
    syncing.add(phone=[each["phone"] for each in syncing.customers(50)])
    wrong = Syncing(
        syncing.simulator, syncing.warehouse, syncing.config.__class__(syncing.config.base_url, "no-such-login")
    )

    with pytest.raises(AuthenticationFailed, match="api login"):
        wrong.pull()

    assert syncing.simulator.control.calls()["operations"]["access_token"]["received"] == 1
    assert syncing.value("select count(*) from sync.roster where outcome is not null") == 0


def test_missing_right_is_named_and_stops_the_pull(syncing: Syncing) -> None:
    syncing.add(phone=[each["phone"] for each in syncing.customers(50)])
    syncing.simulator.control.set_switches(removed_rights=["customer_info"])

    with pytest.raises(PermissionDenied, match="Guests: info"):
        syncing.pull()


def test_organization_without_loyalty_stops_its_own_pull_and_counts_its_calls(syncing: Syncing) -> None:
    syncing.add(phone=[each["phone"] for each in syncing.customers(50)])
    syncing.simulator.control.set_switches(organizations_without_loyalty=[syncing.organization_id])

    with pytest.raises(LoyaltyNotConfigured):
        syncing.pull()

    assert 0 < syncing.value("select calls from sync.run where task = 'pull'") <= 17
    assert syncing.value("select count(*) from sync.roster where outcome is not null") == 0


def test_token_that_expires_in_the_middle_is_renewed_once(syncing: Syncing) -> None:
    syncing.add(phone=[each["phone"] for each in syncing.customers(120)])
    rule = {"operation": "customer_info", "fault": "status", "status": 401, "count": 1, "after": 60}
    syncing.simulator.control.set_faults([rule])

    counts = syncing.pull()

    assert counts.found == 120
    assert syncing.simulator.control.calls()["operations"]["access_token"]["received"] == 2


def test_faulty_service_still_ends_with_everyone_landed_and_says_how_many_retries(syncing: Syncing) -> None:
    customers = syncing.customers(300)
    syncing.add(phone=[each["phone"] for each in customers])
    faults: list[dict[str, object]] = [
        {"operation": "customer_info", "fault": "status", "status": 500, "probability": 0.2},
        {"operation": "customer_info", "fault": "rate_limit", "retry_after_seconds": 0, "probability": 0.2},
        {"operation": "customer_info", "fault": "reset_before", "probability": 0.2},
        {"operation": "customer_info", "fault": "truncate", "probability": 0.2},
    ]
    syncing.simulator.control.set_faults(faults)

    counts = syncing.pull()

    assert counts.found == counts.changed == len(customers)
    assert counts.failed == counts.rejected == 0
    assert counts.retries == counts.calls - len(customers) - 1 > len(customers)
    assert counts.rate_limited > 0
    answered = syncing.simulator.control.calls()["operations"]["customer_info"]
    assert answered["received"] == counts.calls - 1


def test_outage_raises_and_leaves_everything_due(syncing: Syncing) -> None:
    syncing.add(phone=[each["phone"] for each in syncing.customers(50)])
    syncing.simulator.control.set_faults(
        [{"operation": "customer_info", "fault": "status", "status": 503, "probability": 1.0}]
    )
    impatient = Syncing(
        syncing.simulator,
        syncing.warehouse,
        syncing.config.__class__(syncing.config.base_url, "demo-login", call_deadline_seconds=0.2),
    )

    with pytest.raises(Transient):
        impatient.pull()

    assert syncing.value("select count(*) from sync.roster where due_at <= now() and outcome is null") == 50
    assert syncing.value("select retries from sync.run where task = 'pull'") > 0
    syncing.simulator.control.clear_faults()
    assert syncing.pull().found == 50


def test_one_identity_that_never_gets_an_answer_fails_alone(syncing: Syncing) -> None:
    customers = syncing.customers(10)
    syncing.add(phone=[each["phone"] for each in customers])
    syncing.simulator.control.put_raw_answers(
        [RawAnswer(syncing.organization_id, customers[3]["phone"], b"{}", status=500)]
    )
    impatient = Syncing(
        syncing.simulator,
        syncing.warehouse,
        syncing.config.__class__(syncing.config.base_url, "demo-login", call_deadline_seconds=0.2),
    )

    with pytest.raises(PullIncomplete, match="1 of 10"):
        impatient.pull()

    assert syncing.value("select count(*) from syrve.customer") == 9
    assert syncing.rows("select identity_value, lease from sync.roster where outcome = 'failed'") == [
        (customers[3]["phone"], None)
    ]
    assert impatient.pull(failed_tolerance_share=0.5).requested == 0
