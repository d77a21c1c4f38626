"""A campaign under trouble: kills, faults, two runs at once, refusals and maintenance credit nobody twice."""

import signal
from decimal import Decimal
from typing import Any

import pytest

from fixtures.campaigns import GUESTS, Campaign, everybody_got
from fixtures.wallets import in_another_process, killed_at, start_process, wait_for
from syrve.wallet.errors import TopupIncomplete


def test_maintenance_page_stops_the_run_and_burns_no_row(campaign: Campaign) -> None:
    plan = campaign.plan(campaign.frame())
    page = {"operation": "wallet_topup", "fault": "status", "status": 302, "body": "maintenance"}
    campaign.purse.simulator.control.set_faults([page])

    with pytest.raises(TopupIncomplete):
        campaign.send(plan)
    assert campaign.purse.received["wallet_topup"] == 1, "the first row stops the run"
    campaign.purse.simulator.control.clear_faults()
    campaign.send(campaign.plan(campaign.frame()))

    assert everybody_got(campaign)


@pytest.mark.parametrize("step", ["topup sent", "topup called", "topup recorded"])
def test_killed_run_goes_on_and_credits_nobody_twice(campaign: Campaign, step: str) -> None:
    plan = campaign.plan(campaign.frame())

    assert in_another_process(lambda: campaign.send(plan, step=killed_at(step))) == -signal.SIGKILL
    campaign.send_to_the_end(plan)

    if step == "topup sent":  # never left this machine, which nobody can know but the balance
        assert sorted(campaign.credited.values()) == [0, *[Decimal("5.00")] * 3]
    else:
        assert everybody_got(campaign)
    assert campaign.purse.received["wallet_topup"] == (3 if step == "topup sent" else 4)


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "reset_after", "count": 2},
        {"fault": "status", "status": 500, "applied": True, "count": 3},
        {"fault": "rate_limit", "count": 2},
        {"fault": "truncate", "probability": 0.5},
    ],
    ids=lambda fault: fault["fault"],
)
def test_faults_credit_nobody_twice(campaign: Campaign, fault: dict[str, Any]) -> None:
    plan = campaign.plan(campaign.frame())
    campaign.purse.simulator.control.set_faults([{"operation": "wallet_topup"} | fault])

    campaign.send_to_the_end(plan)

    assert everybody_got(campaign)
    assert campaign.purse.value("select count(*) from wallet.operation_state where state = 'confirmed'") == GUESTS


def test_two_runs_at_once_credit_everybody_once(campaign: Campaign) -> None:
    plan = campaign.plan(campaign.frame())

    processes = [start_process(lambda: campaign.send_to_the_end(plan)) for _ in range(3)]

    assert [wait_for(each) for each in processes] == [0, 0, 0]
    assert everybody_got(campaign)
    assert campaign.purse.received == {"wallet_topup": 4}


def test_missing_right_stops_the_run_at_the_first_row(campaign: Campaign) -> None:
    plan = campaign.plan(campaign.frame())
    campaign.purse.simulator.control.set_switches(removed_rights=["wallet_topup"])

    with pytest.raises(TopupIncomplete, match="no_access"):
        campaign.send(plan)

    assert campaign.purse.received == {"wallet_topup": 1}
    campaign.purse.simulator.control.set_switches(removed_rights=[])
    campaign.send(plan)
    assert everybody_got(campaign)


def test_row_that_syrve_refuses_is_kept_with_its_code(campaign: Campaign) -> None:
    plan = campaign.plan(campaign.frame())
    campaign.purse.simulator.control.set_faults(
        [
            {
                "operation": "wallet_topup",
                "fault": "status",
                "status": 400,
                "count": 1,
                "body": {"code": "Transport_WrongWalletId"},
            }
        ]
    )

    counts = campaign.send(plan)

    assert (counts.changed, counts.rejected) == (3, 1)
    assert campaign.rejects == ["refused Transport_WrongWalletId"]


@pytest.mark.parametrize("status", [302, 404])
def test_maintenance_page_stops_a_campaign_and_costs_nobody(campaign: Campaign, status: int) -> None:
    plan = campaign.plan(campaign.frame())
    page = {"fault": "status", "status": status, "body": "<html>maintenance</html>"}
    campaign.purse.simulator.control.set_faults([{"operation": "wallet_topup"} | page])

    with pytest.raises(TopupIncomplete, match="wait for the end of a maintenance"):
        campaign.send(plan)

    assert campaign.purse.received == {"wallet_topup": 1}
    campaign.purse.simulator.control.clear_faults()
    campaign.send(plan)
    assert everybody_got(campaign)
