"""Bulk top-ups: each row of a campaign is credited at most once, whatever is killed, repeated or run at the same time."""

from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from fixtures.campaigns import GUESTS, Campaign, everybody_got
from fixtures.waiting import wait_until
from fixtures.wallets import Purse, start_process, wait_for
from syrve.approvals.errors import LimitExceeded, NotApproved
from syrve.approvals.rules import MoneyLimits
from syrve.sources.errors import UnusableSource
from syrve.wallet.campaign import TopupPlan
from syrve.wallet.errors import PlanChanged, TopupIncomplete, UnusableOperation


def test_dry_run_tells_what_would_be_credited_and_writes_nothing(campaign: Campaign) -> None:
    plan = campaign.plan(campaign.frame(), dry_run=True)

    assert (plan.to_credit, plan.to_credit_amount, plan.credited) == (4, "20.00", 0)
    assert campaign.purse.value("select count(*) from wallet.operation") == 0
    assert campaign.plan(campaign.frame()) == plan


def test_campaign_is_credited_once_however_often_it_is_run(campaign: Campaign) -> None:
    for number in range(2):
        plan = campaign.plan(campaign.frame(), campaign.frame(2))
        counts = campaign.send(plan)
        assert (counts.changed, counts.unchanged) == ((4, 0), (0, 4))[number]

    assert everybody_got(campaign)
    assert campaign.purse.received == {"wallet_topup": 4}
    assert campaign.plan(campaign.frame(), name="summer").to_credit == 4, "another campaign is another matter"


def test_guests_are_found_by_phone_and_wallets_by_there_being_one(campaign: Campaign) -> None:
    phones = pd.DataFrame({"Phone": [each["phone"] for each in campaign.guests], "Sum": ["5,00"] * GUESTS})

    campaign.send(campaign.plan(phones))

    assert everybody_got(campaign)


BAD_ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "nobody": ({"customer_id": "5f4e0001-0000-4000-8000-000000000009"}, "the mirror knows no such customer"),
    "no id": ({"customer_id": "Ivan"}, "customer_id is not a uuid"),
    "nothing": ({"customer_id": ""}, "has no customer_id and no phone"),
    "another wallet": ({"wallet_id": "5f4e0001-0000-4000-8000-000000000009"}, "the customer has no such wallet"),
    "no amount": ({"amount": ""}, "amount is missing"),
    "a word": ({"amount": "five"}, "amount is not a number"),
    "below zero": ({"amount": "-5"}, "the amount must be a Decimal greater than zero"),
    "two people": (
        {"phone": "+79750000001"},
        "customer_id and phone disagree: the mirror has another phone of this customer, or none",
    ),
    "no phone": ({"phone": "Ivan"}, "phone is not a phone number"),
    "too fine": ({"amount": "0.001"}, "the amount has more than 2 decimals"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_row_is_kept_with_its_reason_and_the_others_go_on(campaign: Campaign, case: str) -> None:
    change, reason = BAD_ROWS[case]
    good = campaign.frame().to_dict("records")
    frame = pd.DataFrame([*good[:3], good[3] | change], dtype="object")

    plan = campaign.plan(frame)
    campaign.send(plan)

    assert (plan.to_credit, plan.rejected_rows, campaign.rejects) == (3, 1, [reason])
    assert sorted(campaign.credited.values()) == [0, Decimal("5.00"), Decimal("5.00"), Decimal("5.00")]


def test_row_that_is_in_the_list_twice_is_refused(campaign: Campaign) -> None:
    plan = campaign.plan(campaign.frame(1), campaign.frame(1, "6.00"), campaign.frame(1))

    assert (plan.to_credit, plan.to_credit_amount, plan.rejected_rows) == (1, "5.00", 2)
    assert set(campaign.rejects) == {
        "the list has this row before; rows that credit a customer twice need different keys"
    }


def test_credited_row_with_another_amount_is_refused(campaign: Campaign) -> None:
    campaign.send(campaign.plan(campaign.frame(1)))

    again = campaign.plan(campaign.frame(1, "7.00"))

    assert (again.to_credit, campaign.rejects) == (
        0,
        ["the campaign has this row with another customer, wallet or amount"],
    )


def test_rows_with_keys_of_their_own_may_credit_a_guest_more_than_once(campaign: Campaign) -> None:
    frame = pd.concat([campaign.frame(1, key=["a"]), campaign.frame(1, key=["b"])])

    campaign.send(campaign.plan(frame))

    assert max(campaign.credited.values()) == Decimal("10.00")


def test_list_without_amounts_is_refused_as_a_whole(campaign: Campaign) -> None:
    with pytest.raises(UnusableSource, match="no column amount"):
        campaign.plan(pd.DataFrame({"phone": ["+79750000001"]}))


def test_what_was_not_approved_is_not_sent(campaign: Campaign) -> None:
    approved = campaign.plan(campaign.frame(2))
    campaign.plan(campaign.frame(4))

    with pytest.raises(PlanChanged):
        campaign.send(approved)

    assert campaign.purse.received == {}


def test_corrected_list_credits_none_of_the_rows_before(campaign: Campaign) -> None:
    wrong = campaign.plan(campaign.frame(3, "1000.00"))
    campaign.approve(wrong)
    fixed = campaign.plan(campaign.frame(2, "10.00"))

    campaign.send(fixed)

    assert (fixed.version, fixed.added, fixed.changed, fixed.removed) == (2, 0, 2, 1)
    assert (fixed.to_credit, fixed.to_credit_amount, fixed.rejected_rows) == (2, "20.00", 0)
    assert sorted(campaign.credited.values()) == [0, 0, Decimal("10.00"), Decimal("10.00")]


def test_planned_rows_that_a_new_list_lacks_are_dropped(campaign: Campaign) -> None:
    half_sent(campaign, campaign.frame(4))
    fixed = campaign.plan(campaign.frame(3, "6.00"))
    campaign.send(fixed)

    assert (fixed.rejected_rows, fixed.to_credit) == (2, 1), "two are credited with 5.00 already, and stay so"
    assert sorted(campaign.credited.values()) == [0, Decimal("5.00"), Decimal("5.00"), Decimal("6.00")]
    assert campaign.purse.value("select count(*) from wallet.operation_state where state = 'planned'") == 0


def half_sent(campaign: Campaign, frame: pd.DataFrame) -> TopupPlan:
    """Send two rows of a list, the others are planned in the ledger."""
    plan = campaign.plan(frame)
    campaign.purse.simulator.control.set_faults([{"operation": "wallet_topup", "fault": "rate_limit", "after": 2}])
    with pytest.raises(TopupIncomplete):
        campaign.send(plan)
    campaign.purse.simulator.control.clear_faults()
    return plan


def test_campaign_that_was_given_up_is_never_sent(campaign: Campaign) -> None:
    plan = half_sent(campaign, campaign.frame())

    looked = campaign.plan(give_up=True, dry_run=True)
    assert campaign.plan(campaign.frame(), dry_run=True).to_credit == 2, "a dry run gives nothing up"
    given_up = campaign.plan(give_up=True)
    with pytest.raises(PlanChanged):
        campaign.send(plan)

    assert given_up == looked
    assert (given_up.to_credit, given_up.removed, given_up.credited) == (0, 4, 2)
    assert sorted(campaign.credited.values()) == [0, 0, Decimal("5.00"), Decimal("5.00")]
    assert campaign.purse.value("select count(*) from wallet.operation_state where state = 'planned'") == 0


def test_rest_of_a_campaign_given_up_is_credited_by_its_name(campaign: Campaign) -> None:
    half_sent(campaign, campaign.frame())
    campaign.plan(give_up=True)

    again = campaign.plan(campaign.frame())
    campaign.send(again)

    assert (again.to_credit, again.credited) == (2, 2)
    assert everybody_got(campaign)


def test_renamed_campaign_says_who_was_credited_lately(campaign: Campaign) -> None:
    campaign.send(campaign.plan(campaign.frame(3)))

    assert campaign.plan(campaign.frame(), name="spring-2").credited_elsewhere == 3
    assert campaign.plan(campaign.frame()).credited_elsewhere == 0


def test_list_that_got_keys_says_who_was_credited_without(campaign: Campaign) -> None:
    campaign.send(campaign.plan(campaign.frame(3)))

    assert campaign.plan(campaign.frame(key=["a", "b", "c", "d"])).credited_elsewhere == 3


def test_list_that_changes_while_it_is_sent_stops_it(campaign: Campaign) -> None:
    plan = campaign.plan(campaign.frame())

    def change(step: str) -> None:
        if step == "topup called" and len(campaign.purse.rows("select from wallet.campaign_version")) == 1:
            campaign.plan(campaign.frame(1))

    with pytest.raises(PlanChanged, match="while it was sent"):
        campaign.send(plan, step=change)

    assert campaign.purse.received["wallet_topup"] == 1


def test_row_taken_off_while_it_waits_for_its_balance_stays(campaign: Campaign) -> None:
    """The list changes after the sender has looked at it, and before the call."""
    plan = campaign.plan(campaign.frame(1))
    campaign.approve(plan)
    control = campaign.purse.simulator.control

    def looked_up() -> int:
        calls: dict[str, Any] = control.calls()["operations"]
        return int(calls.get("customer_info", {"received": 0})["received"])

    before = looked_up()
    control.set_faults([{"operation": "customer_info", "fault": "stall", "stall_seconds": 4.0, "count": 1}])

    sender = start_process(lambda: campaign.send(plan, is_approved=False))
    wait_until(lambda: looked_up() > before)
    campaign.plan(give_up=True)

    assert wait_for(sender) == 1, "it stopped"
    assert campaign.purse.received == {}
    reasons = "select state, evidence ->> 'reason' from wallet.operation_state"
    assert campaign.purse.rows(reasons) == [("rejected", "row_is_not_listed")]
    campaign.send(campaign.plan(campaign.frame()))
    assert everybody_got(campaign)


def test_row_that_no_list_has_can_not_be_sent(purse: Purse) -> None:
    planned = purse.plan("topup", "5.00", source="topup:spring", key="row:1")

    done = purse.money().execute(planned.operation_id)

    assert (done.state, done.evidence) == ("rejected", {"reason": "row_is_not_listed"})
    assert purse.received == {}


def test_campaign_without_an_approval_of_its_run_is_not_sent(campaign: Campaign) -> None:
    plan = campaign.plan(campaign.frame())

    with pytest.raises(NotApproved, match="no one was asked"):
        campaign.send(plan, is_approved=False)
    campaign.approvals().plan(plan.content)
    campaign.approvals().ask(plan.content)
    with pytest.raises(NotApproved, match="it is asked"):
        campaign.send(plan, is_approved=False)
    campaign.approve(plan, "run-2")
    with pytest.raises(NotApproved):
        campaign.send(plan, is_approved=False)

    assert campaign.purse.received == {}
    assert campaign.purse.value("select count(*) from wallet.operation") == 0
    campaign.send(plan, is_approved=False, run="run-2")
    assert everybody_got(campaign)


def test_amounts_above_a_limit_are_refused_in_words(campaign: Campaign) -> None:
    limits = MoneyLimits(Decimal("6.00"), Decimal("12.00"), Decimal("15.00"))

    plan = campaign.plan(campaign.frame(1, "7.00"), campaign.frame(2, "6.00", key=["a", "b"]), limits=limits)
    preview = campaign.plan(campaign.frame(3, "6.00"), limits=limits, dry_run=True)
    with pytest.raises(LimitExceeded, match=r"18\.00 is above the limit of one run, 12\.00"):
        campaign.plan(campaign.frame(3, "6.00"), limits=limits)

    assert plan.to_credit_amount == "12.00"
    assert campaign.rejects == ["7.00 is above the limit of one row, 6.00 (SYRVE_TOPUP_MAX_AMOUNT_PER_ROW)"]
    assert preview.problem == "18.00 is above the limit of one run, 12.00 (SYRVE_TOPUP_MAX_AMOUNT_PER_RUN)"
    with pytest.raises(LimitExceeded):
        campaign.send(plan, limits=MoneyLimits(Decimal("5.00"), Decimal("12.00"), Decimal("15.00")))
    assert campaign.purse.received == {}


@pytest.mark.parametrize("name", ["", "unnamed", " ", "spring 2027", "-x"])
def test_campaign_without_a_name_of_its_own_is_refused(campaign: Campaign, name: str) -> None:
    with pytest.raises(UnusableOperation, match="the campaign"):
        campaign.plan(campaign.frame(), name=name)
