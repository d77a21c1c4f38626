"""What Syrve's report of transactions shows: what others did, which holds ended, and rows that come late."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from fixtures.pulls import IMPATIENT
from fixtures.wallets import Purse
from syrve.api.client import SyrveClient
from syrve.api.errors import UnsupportedByDialect
from syrve.wallet.transactions import TransactionsImport
from syrve.warehouse.runs import Counts


def read(purse: Purse, customers: int = 10) -> Counts:
    with SyrveClient(purse.config, backoff=IMPATIENT) as client:
        job = TransactionsImport(purse.warehouse, client, key=purse.key("transactions"), settings=purse.wallet_settings)
        return job.run([purse.organization_id], customers=customers)


def test_report_shows_what_others_did_and_not_what_we_did(cloud_purse: Purse) -> None:
    cloud_purse.do("topup")
    cloud_purse.do("hold")
    control, whose = (
        cloud_purse.simulator.control,
        (cloud_purse.organization_id, cloud_purse.customer_id, cloud_purse.wallet_id),
    )
    control.add_transaction(*whose, "-7", type=8, comment=f"order {uuid4()} of Ivan")
    control.add_transaction(*whose, "3", type=10)
    control.add_transaction(*whose, "2", type=44)

    counts = read(cloud_purse)

    assert (counts.found, counts.changed) == (5, 5)
    observed = cloud_purse.rows(
        "select kind, amount, consumes_hold from wallet.operation where source = 'transactions' order by 1"
    )
    assert observed == [("chargeoff", Decimal(7), False), ("topup", Decimal(3), False)]
    assert read(cloud_purse).changed == 0
    assert not [row for row in cloud_purse.rows("select one::text from wallet.transaction as one") if "Ivan" in row[0]]


def test_report_closes_the_hold_that_the_till_consumed(cloud_purse: Purse) -> None:
    hold = cloud_purse.do("hold")
    cloud_purse.simulator.control.consume_hold(cloud_purse.organization_id, hold.operation_id)

    read(cloud_purse)

    assert cloud_purse.rows("select closed_by from wallet.hold") == [("consumed",)]


def test_payment_that_the_till_told_of_closes_no_other_hold_of_the_same_sum(cloud_purse: Purse) -> None:
    paid, left = cloud_purse.do("hold"), cloud_purse.do("hold")
    cloud_purse.simulator.control.consume_hold(cloud_purse.organization_id, paid.operation_id)
    told = cloud_purse.operation("chargeoff", hold_id=paid.operation_id, consumes_hold=True, source="import:till")
    cloud_purse.ledger.observe(told, "confirmed", {})

    read(cloud_purse)

    assert cloud_purse.rows("select hold_id::text from wallet.open_hold") == [(left.operation_id,)]


def test_report_closes_the_hold_that_somebody_else_cancelled(cloud_purse: Purse) -> None:
    hold = cloud_purse.do("hold")
    with SyrveClient(cloud_purse.config) as somebody:
        somebody.cancel_hold(cloud_purse.organization_id, hold.operation_id)

    read(cloud_purse)

    assert cloud_purse.rows("select closed_by from wallet.hold") == [("cancelled",)]


def test_row_that_the_report_shows_late_is_read_all_the_same(cloud_purse: Purse) -> None:
    control, whose = (
        cloud_purse.simulator.control,
        (cloud_purse.organization_id, cloud_purse.customer_id, cloud_purse.wallet_id),
    )
    cloud_purse.do("hold")
    control.set_switches(transaction_delay_seconds=1)
    control.add_transaction(*whose, "-7", type=8)
    control.set_switches(transaction_delay_seconds=0)
    control.add_transaction(*whose, "-8", type=8)
    assert read(cloud_purse).changed == 2, "the hold and the later payment"

    while read(cloud_purse).changed == 0:
        pass

    amounts = cloud_purse.rows("select amount from wallet.operation where source = 'transactions' order by 1")
    assert amounts == [(Decimal(7),), (Decimal(8),)]


def test_customers_read_longest_ago_come_first(cloud_purse: Purse) -> None:
    other = cloud_purse.simulator.control.customers_page(cloud_purse.organization_id, offset=890, limit=1)[0][
        "customer_id"
    ]
    cloud_purse.do("hold")
    cloud_purse.ledger.observe(
        cloud_purse.operation("hold", customer_id=other, operation_id=str(uuid4())), "confirmed", {}
    )

    for _ in range(2):
        assert read(cloud_purse, customers=1).requested == 1

    assert cloud_purse.value("select count(*) from wallet.transaction_bookmark") == 2


def test_reference_has_no_report(reference_purse: Purse) -> None:
    reference_purse.do("hold")

    with pytest.raises(UnsupportedByDialect):
        read(reference_purse)


@pytest.mark.parametrize("ahead", [timedelta(minutes=20), timedelta(days=3 * 365)])
def test_clock_of_the_service_ahead_of_ours_hides_no_movement(cloud_purse: Purse, ahead: timedelta) -> None:
    control, whose = (
        cloud_purse.simulator.control,
        (cloud_purse.organization_id, cloud_purse.customer_id, cloud_purse.wallet_id),
    )
    kept, ended = cloud_purse.do("hold"), cloud_purse.do("hold")
    before = cloud_purse.value("select clock_timestamp()")
    control.set_clock(datetime.now(UTC) + ahead)
    try:
        control.add_transaction(*whose, "-7", type=8)
        with SyrveClient(cloud_purse.config) as somebody:
            somebody.cancel_hold(cloud_purse.organization_id, ended.operation_id)
        read(cloud_purse)
    finally:
        control.reset_clock()

    after = cloud_purse.value("select clock_timestamp()")
    times = cloud_purse.rows(
        "select created_at from wallet.transaction where created_at > %s "
        "union all select requested_at from wallet.operation where source = 'transactions' "
        "union all select closed_at from wallet.hold where closed_at is not null",
        before,
    )
    assert len(times) == 2 + 2 + 1
    assert all(before < at <= after for (at,) in times)
    assert cloud_purse.rows("select hold_id::text from wallet.open_hold") == [(kept.operation_id,)]
