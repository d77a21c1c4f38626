"""Rows that may mean two things move no money: amounts that can be read in two ways, rows alike, ids and phones of two people."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest

from fixtures.campaigns import GUESTS, Campaign, everybody_got
from fixtures.wallets import Purse
from syrve.wallet.importing import WalletImport

AMBIGUOUS = ("1,000", "1.000", "1_000", "1e3", "1 000,5,0")


@pytest.mark.parametrize("amount", AMBIGUOUS)
def test_ambiguous_amount_of_a_list_credits_nobody(campaign: Campaign, amount: str) -> None:
    plan = campaign.plan(campaign.frame(amount=amount))

    assert (plan.rows, plan.to_credit, plan.rejected_rows) == (0, 0, GUESTS)
    campaign.send(plan)
    assert everybody_got(campaign, "0")


@pytest.mark.parametrize("amount", AMBIGUOUS)
@pytest.mark.parametrize("record", ["hold", "chargeoff", "topup"])
def test_ambiguous_amount_of_an_import_is_a_reject(reference_purse: Purse, record: str, amount: str) -> None:
    purse = reference_purse
    row: dict[str, Any] = {
        "record": record,
        "key": "1",
        "hold_id": str(uuid4()) if record == "hold" else None,
        "occurred_at": datetime.now(UTC).isoformat(),
        "customer_id": purse.customer_id,
        "wallet_id": purse.wallet_id,
        "amount": amount,
    }
    job = WalletImport(purse.warehouse, key=purse.key("import"), source="till", organization_id=purse.organization_id)

    counts = job.run([row])

    assert (counts.changed, counts.rejected) == (0, 1)
    assert purse.value("select count(*) from wallet.operation") == 0


def test_rows_alike_in_one_list_credit_once(campaign: Campaign) -> None:
    plan = campaign.plan(pd.concat([campaign.frame(), campaign.frame()]))

    assert (plan.to_credit, plan.rejected_rows) == (GUESTS, GUESTS)
    campaign.send(plan)
    assert everybody_got(campaign)


def test_row_whose_id_and_phone_are_of_two_people_is_refused(campaign: Campaign) -> None:
    phones = [each["phone"] for each in reversed(campaign.guests)]

    plan = campaign.plan(campaign.frame(phone=phones))

    assert (plan.to_credit, plan.rejected_rows) == (0, GUESTS)
    assert all("disagree" in reason for reason in campaign.rejects)
    campaign.send(plan)
    assert set(campaign.credited.values()) == {Decimal(0)}
