"""One row, report or hold that can't be read or carried out stops no other, and noise of the wire is no finding."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from fixtures.pulls import IMPATIENT
from fixtures.releases import Releasing
from fixtures.wallets import Purse
from syrve.api.client import SyrveClient
from syrve.api.errors import SyrveError
from syrve.hooks.wallet import SyrveWalletHook
from syrve.wallet.errors import WalletError
from syrve.wallet.importing import WalletImport
from syrve.wallet.transactions import TransactionsImport
from syrve.warehouse.runs import TaskKey


def at(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def hold_row(purse: Purse, hold_id: str, amount: str = "1.00", **fields: Any) -> dict[str, Any]:
    whose = {"customer_id": purse.customer_id, "wallet_id": purse.wallet_id, "amount": amount}
    return {"record": "hold", "occurred_at": at(-48), "hold_id": hold_id} | whose | fields


def take(purse: Purse, *rows: dict[str, Any]) -> int:
    job = WalletImport(
        purse.warehouse, key=TaskKey("run", "import"), source="till", organization_id=purse.organization_id
    )
    return job.run(list(rows)).rejected


@pytest.mark.parametrize("amount", ["1e200000", "9" * 400, "-1", "NaN"])
def test_amount_out_of_this_world_stops_no_other_row(reference_purse: Purse, amount: str) -> None:
    order = {"record": "order", "occurred_at": at(-1), "order_id": "7", "state": "open", "amount": amount}

    assert take(reference_purse, hold_row(reference_purse, str(uuid4())), order) == 1

    assert reference_purse.value("select count(*) from wallet.hold") == 1


def test_report_that_can_not_be_read_stops_no_customer(cloud_purse: Purse) -> None:
    purse = cloud_purse
    take(purse, hold_row(purse, str(uuid4())))
    for other in purse.simulator.control.customers_page(purse.organization_id, offset=700, limit=2):
        whose = {"customer_id": other["customer_id"], "wallet_id": other["wallets"][0]["id"]}
        take(purse, hold_row(purse, str(uuid4()), **whose))
    bad = {"transactions": [{"id": str(uuid4()), "revision": None}]}
    purse.simulator.control.set_faults(
        [{"operation": "transactions_by_revision", "fault": "status", "status": 200, "body": bad, "count": 1}]
    )

    with SyrveClient(purse.config, backoff=IMPATIENT, keeps_connection=False) as client:
        job = TransactionsImport(purse.warehouse, client, key=TaskKey("run", "report"))
        counts = job.run([purse.organization_id], customers=100)

    assert (counts.requested, counts.rejected) == (3, 1)
    assert purse.value("select count(*) from wallet.transaction_bookmark") == 3


def test_hold_of_three_decimals_is_released_with_the_others(reference_purse: Purse) -> None:
    purse = reference_purse
    releasing = Releasing(purse)
    with SyrveClient(purse.config, backoff=IMPATIENT, keeps_connection=False) as site:
        odd = site.hold(purse.organization_id, purse.customer_id, purse.wallet_id, Decimal("10.005"))
    assert take(purse, hold_row(purse, odd) | {"amount": Decimal("10.005")}) == 0  # as text it could be ten thousand
    releasing.find(odd, "10.005")
    releasing.dangling()

    try:
        releasing.release(releasing.approved())
    except (WalletError, SyrveError) as problem:
        pytest.fail(f"one hold stops the release: {problem}")

    assert purse.holds == ["cancelled", "cancelled"]
    assert {state for (state,) in purse.rows("select state from wallet.release_state")} == {"released"}


@pytest.mark.parametrize("scale", ["0", "3"])
def test_hook_checks_amounts_by_the_scale_that_is_set(monkeypatch: pytest.MonkeyPatch, scale: str) -> None:
    monkeypatch.setenv("SYRVE_WALLET_SCALE", scale)

    assert SyrveWalletHook()._settings.amount_scale == int(scale)
