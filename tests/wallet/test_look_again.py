"""What we sent is looked for in Syrve's report once more: whether it moved twice, or although it was refused."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from fixtures.moved_twice import REFILL, found, look, move_again, read_report
from fixtures.wallets import AT_ONCE, Purse
from syrve.wallet.attempts import carry_out
from syrve.wallet.errors import MoneyNotSent
from syrve.wallet.operations import Kind


def somebody_else(purse: Purse, place: int) -> dict[str, str]:
    """One of the last customers of the simulator, whom no other test moves."""
    other = purse.simulator.control.customers_page(purse.organization_id, offset=0, limit=2000)[-place]
    return {"customer_id": other["customer_id"], "wallet_id": other["wallets"][0]["id"]}


def refuse(purse: Purse, kind: str, *, applied: bool) -> None:
    """Let the service refuse a call, in its own words, that it carries out all the same."""
    body = {"error": "no", "errorDescription": "no", "code": "Wallet_NotEnoughMoney"}
    answer: dict[str, Any] = {"fault": "status", "status": 400, "body": body, "applied": applied, "count": 1}
    purse.simulator.control.set_faults([answer | {"operation": f"wallet_{kind}"}])


def test_topup_repeated_later_is_found_without_a_hold(cloud_purse: Purse) -> None:
    purse = cloud_purse
    purse.simulator.control.set_faults([{"operation": "wallet_topup", "fault": "reset_after", "count": 1}])
    operation = purse.do("topup", "20.00")
    settled = purse.settler().settle(operation.operation_id).operation
    assert (settled.state, found(purse)) == ("confirmed", [])
    move_again(purse, operation.operation_id, "20", type=REFILL)  # by a proxy that got no answer either

    counts = look(purse)

    assert (counts.requested, counts.changed) == (1, 1)
    assert counts.calls <= 3, "a token, the rows, and an empty page"
    assert found(purse) == [("critical", Decimal(20), f"operation:{operation.operation_id}")]


def test_customer_is_looked_at_once_an_hour_after_the_call(cloud_purse: Purse) -> None:
    cloud_purse.do("topup", "20.00")
    cloud_purse.do("chargeoff", "5.00")

    assert look(cloud_purse, least_age_seconds=None).requested == 0
    assert look(cloud_purse).requested == 1
    assert look(cloud_purse).requested == 0
    assert cloud_purse.value("select count(*) from wallet.transaction") == 0, "rows that repeat nothing are not kept"

    cloud_purse.do("topup", "1.00")
    assert look(cloud_purse).requested == 1


def test_lost_answers_are_looked_at_first(cloud_purse: Purse) -> None:
    purse = cloud_purse
    purse.do("topup", "1.00")
    purse.simulator.control.set_faults([{"operation": "wallet_topup", "fault": "reset_after", "count": 1}])
    other = somebody_else(purse, 1)
    purse.do("topup", "2.00", **other)

    look(purse, customers=1)

    looked_at = purse.rows(
        "select customer_id::text from wallet.transaction_bookmark where looked_again_until is not null"
    )
    assert looked_at == [(other["customer_id"],)]


@pytest.mark.parametrize("kind", ["topup", "chargeoff", "hold"])
def test_refused_call_that_moved_money_is_corrected(cloud_purse: Purse, kind: Kind) -> None:
    purse = cloud_purse
    refuse(purse, kind, applied=True)
    operation = purse.do(kind, "20.00")
    assert (operation.state, operation.evidence["reason"]) == ("rejected", "refused")

    counts = look(purse)

    known = purse.ledger.state(operation.operation_id)
    assert (counts.changed, known.state, known.basis) == (1, "confirmed", "report")
    assert purse.open_in_ledger() == (1 if kind == "hold" else 0)


@pytest.mark.parametrize("kind", ["topup", "chargeoff", "hold"])
def test_refused_call_that_moved_nothing_stays_refused(cloud_purse: Purse, kind: Kind) -> None:
    refuse(cloud_purse, kind, applied=False)
    operation = cloud_purse.do(kind, "20.00")

    assert look(cloud_purse).changed == 0
    assert cloud_purse.ledger.state(operation.operation_id).state == "rejected"


def test_refusal_is_looked_for_until_the_report_is_complete(cloud_purse: Purse) -> None:
    purse = cloud_purse
    refuse(purse, "topup", applied=False)
    operation = purse.do("topup", "20.00")
    purse.set_balance("120.00")  # it was carried out, and its row is late
    assert look(purse).changed == 0
    purse.set_balance("100.00")
    move_again(purse, operation.operation_id, "20", type=REFILL)

    assert look(purse).changed == 1

    assert purse.ledger.state(operation.operation_id).basis == "report"
    assert look(purse).requested == 0


def test_true_refusal_is_looked_for_until_the_report_is_complete(cloud_purse: Purse) -> None:
    refuse(cloud_purse, "topup", applied=False)
    cloud_purse.do("topup", "20.00")
    cloud_purse.set_balance("55.00")
    assert look(cloud_purse).requested == 1
    cloud_purse.set_balance("100.00")

    assert [look(cloud_purse).requested for _ in range(2)] == [1, 0]


def test_bookmark_ahead_of_the_clock_hides_nothing(cloud_purse: Purse) -> None:
    """The warehouse's clock ran ahead for a while, and was set back."""
    purse = cloud_purse
    purse.do("topup", "20.00")
    look(purse)
    purse.execute("update wallet.transaction_bookmark set looked_again_until = now() + interval '30 days'")
    purse.do("topup", "1.00")

    assert [look(purse).requested for _ in range(2)] == [1, 0]


@pytest.mark.parametrize("applied", [True, False])
def test_call_made_again_after_a_false_429_is_found(cloud_purse: Purse, applied: bool) -> None:
    """A proxy repeats a call that got no answer, is told to slow down, and hands that on: the first one was carried out."""
    purse = cloud_purse
    answer: dict[str, Any] = {"fault": "status", "status": 429, "applied": applied, "count": 1}
    purse.simulator.control.set_faults([answer | {"operation": "wallet_topup"}])
    topup = purse.operation("topup", "20.00")
    with pytest.raises(MoneyNotSent):
        carry_out(purse.money(), topup)
    assert carry_out(purse.money(), topup).state == "confirmed"

    assert look(purse).changed == int(applied)

    first = purse.ledger.find(topup.source, f"{topup.key}:1")
    assert first is not None
    twice = [("critical", Decimal(20), f"operation:{first.operation_id}")]
    assert found(purse) == (twice if applied else [])
    assert found(purse, hours=200.0) == []


def test_person_who_looked_is_not_contradicted(cloud_purse: Purse) -> None:
    purse = cloud_purse
    refuse(purse, "topup", applied=True)
    operation = purse.do("topup", "20.00")
    purse.ledger.record(operation, "confirmed", {"reason": "back_office"}, basis="person")
    known = purse.ledger.state(operation.operation_id)
    purse.ledger.record(known, "rejected", {"reason": "back_office"}, basis="person")

    assert look(purse).changed == 0
    assert purse.ledger.state(operation.operation_id).state == "rejected"


def test_operation_that_is_busy_is_looked_at_by_the_next_run(cloud_purse: Purse) -> None:
    purse = cloud_purse
    refuse(purse, "hold", applied=True)
    operation = purse.do("hold", "20.00")
    purse.wallet_settings = replace(AT_ONCE, lock_wait_seconds=0.1)

    with purse.ledger.alone(f"hold {operation.operation_id}", wait_seconds=5.0):
        assert look(purse).changed == 0
    assert purse.open_in_ledger() == 0
    assert look(purse).changed == 1
    assert purse.open_in_ledger() == 1


def test_row_of_another_customer_is_not_ours(cloud_purse: Purse) -> None:
    """Staff copied the note of our top-up into a refill of somebody else."""
    purse = cloud_purse
    whose = somebody_else(purse, 2)
    purse.do("hold", "1.00", **whose)
    operation = purse.do("topup", "20.00")
    copied = (purse.organization_id, whose["customer_id"], whose["wallet_id"], "20")
    purse.simulator.control.add_transaction(*copied, type=REFILL, comment=f"#{operation.operation_id}")
    read_report(purse)
    look(purse)

    assert found(purse) == []
    told = purse.rows("select kind, customer_id::text from wallet.operation where source = 'transactions'")
    assert told == [("topup", whose["customer_id"])]
