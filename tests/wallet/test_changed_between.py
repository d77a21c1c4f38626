"""Settings, organizations and ledgers that change between two steps: nothing is sent twice, and no id or amount is guessed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import time_machine

from fixtures.campaigns import Campaign, everybody_got
from fixtures.pulls import IMPATIENT
from fixtures.wallets import AT_ONCE, Purse
from syrve.api.client import SyrveClient
from syrve.wallet.errors import UnusableOperation
from syrve.wallet.spool import KeptOutcome, Spool
from syrve.wallet.transactions import TransactionsImport


def other_organization(purse: Purse) -> str:
    """Another organization of one loyalty network with that of the purse."""
    purse.simulator.control.set_switches(one_loyalty_network=True)
    return next(
        each["organization_id"]
        for each in purse.simulator.control.organizations()
        if each["organization_id"] != purse.organization_id
    )


def read_report(purse: Purse, *organization_ids: str) -> None:
    with SyrveClient(purse.config, backoff=IMPATIENT, keeps_connection=False) as client:
        for organization_id in organization_ids:
            job = TransactionsImport(purse.warehouse, client, key=purse.key("report"), settings=purse.wallet_settings)
            job.run([organization_id], customers=10)


# the dialect


def test_hold_sent_without_an_id_gets_none_of_another_dialect(cloud_purse: Purse) -> None:
    """A hold is sent under `reference`, its sender dies, and the connection says `cloud` when it is settled."""
    purse = cloud_purse
    hold = purse.plan("hold", "30.00")
    with purse.ledger.alone_with(hold.operation_id, wait_seconds=5.0) as (connection, planned):
        purse.ledger.send(planned, {"dialect": "reference"}, connection)
    whose = (purse.organization_id, purse.customer_id, purse.wallet_id)
    purse.simulator.control.add_transaction(*whose, "-30", type=36, comment=f"#{hold.operation_id}")

    settled = purse.settler().settle(hold.operation_id).operation

    assert (settled.state, settled.basis) == ("confirmed", "report")
    assert purse.ledger.transaction_id(hold.operation_id) is None, "its id is Syrve's, and nobody has told it"


# the clock of a worker


@pytest.mark.parametrize("ahead_seconds", [-3600, 3600])
def test_clock_of_a_worker_decides_no_outcome(reference_purse: Purse, ahead_seconds: int) -> None:
    """Nothing moved so far: whether that may be believed is for the clock of the warehouse, by which the call was made."""
    purse = reference_purse
    purse.wallet_settings = replace(AT_ONCE, quiet_seconds=120.0)
    purse.simulator.control.set_faults([{"operation": "wallet_topup", "fault": "reset_before", "count": 1}])
    operation = purse.do("topup", "30.00")

    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=ahead_seconds)):
        settled = purse.settler().settle(operation.operation_id)

    assert settled.missing == "nothing moved so far, but the service may still be at it"


# organizations of one network


def test_campaign_credits_a_wallet_once_through_a_network(campaign: Campaign) -> None:
    """Somebody plans the same list for each organization, and the organizations share their customers."""
    purse = campaign.purse
    other = other_organization(purse)
    for table in ("customer", "wallet_balance"):
        columns = ", ".join(
            name
            for (name,) in purse.rows(
                "select attname::text from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped "
                "and attname <> 'organization_id' and attgenerated = ''",
                f"syrve.{table}",
            )
        )
        purse.execute(
            f"insert into syrve.{table} (organization_id, {columns}) select %s, {columns} from syrve.{table}",
            other,
        )
    campaign.send(campaign.plan(campaign.frame()))

    again = campaign.plan(campaign.frame(), campaign.frame(organization_id=[other] * 4), organization_id=other)
    elsewhere = campaign.plan(campaign.frame(), name="summer", organization_id=other)

    assert (again.to_credit, again.credited) == (0, 4)
    assert (elsewhere.to_credit, elsewhere.credited_elsewhere) == (4, 4)
    assert everybody_got(campaign)


def test_report_of_any_organization_shows_the_end_of_a_hold(cloud_purse: Purse) -> None:
    """The till consumed a hold of one restaurant; the report of another, whose customer has a hold too, is read first."""
    purse = cloud_purse
    other = other_organization(purse)
    consumed = purse.do("hold", "20.00")
    purse.do("hold", "5.00", organization_id=other)
    purse.simulator.control.consume_hold(purse.organization_id, consumed.operation_id)

    read_report(purse, other, purse.organization_id)

    assert purse.rows("select closed_by from wallet.hold where hold_id = %s", consumed.operation_id) == [("consumed",)]
    assert purse.open_in_ledger() == 1


def test_report_of_any_organization_makes_a_balance_no_evidence(cloud_purse: Purse) -> None:
    """A correction by hand gave back what a lost charge took: the balance is as before, and the report of another restaurant shows why."""
    purse = cloud_purse
    other = other_organization(purse)
    purse.do("hold", "5.00", organization_id=other)
    purse.simulator.control.set_faults([{"operation": "wallet_chargeoff", "fault": "reset_after", "count": 1}])
    lost = purse.do("chargeoff", "20.00")
    whose = (purse.organization_id, purse.customer_id, purse.wallet_id)
    purse.simulator.control.add_transaction(*whose, "20", type=9, type_name="Correction")
    read_report(purse, other)
    late = {"transactions": [], "pageSize": 1, "pageNumber": 0}
    fault = {"operation": "transactions_by_date", "fault": "status", "status": 200, "body": late, "count": 1}
    purse.simulator.control.set_faults([fault])

    settled = purse.settler().settle(lost.operation_id)

    assert settled.operation.state == "unknown"


# the ledger


def test_answer_on_the_disk_keeps_a_restored_ledger_from_sending(purse: Purse, tmp_path: Path) -> None:
    """The warehouse went down at the answer and came back as it was before the call; a person has lifted the fence."""
    settings = replace(AT_ONCE, spool_path=str(tmp_path))
    operation = purse.plan("topup", "20.00")
    Spool(str(tmp_path)).keep(operation.operation_id, KeptOutcome("confirmed", {"reason": "answered"}))

    done = purse.money(settings=settings).execute(operation.operation_id)

    assert (done.state, purse.received) == ("confirmed", {})
    assert purse.states(operation.operation_id) == ["planned", "sent", "confirmed"]
    assert not Spool(str(tmp_path)).has(operation.operation_id)


def test_answer_on_the_disk_counts_where_sending_is_refused(purse: Purse, tmp_path: Path) -> None:
    """The charge was made; in the restored ledger its hold is cancelled, so that it would be refused."""
    settings = replace(AT_ONCE, spool_path=str(tmp_path))
    hold = purse.do("hold", "20.00")
    charge = purse.plan("chargeoff", "20.00", hold_id=hold.operation_id)
    purse.do("cancel_hold", "20.00", hold_id=hold.operation_id)
    Spool(str(tmp_path)).keep(charge.operation_id, KeptOutcome("confirmed", {"reason": "answered"}))

    done = purse.money(settings=settings).execute(charge.operation_id)

    assert (done.state, done.basis, purse.received["wallet_chargeoff"]) == ("confirmed", "report", 0)


def test_answer_on_the_disk_that_is_torn_is_never_sent_again(purse: Purse, tmp_path: Path) -> None:
    operation = purse.plan("topup", "20.00")
    (tmp_path / f"{operation.operation_id}.json").write_text("{")

    done = purse.money(settings=replace(AT_ONCE, spool_path=str(tmp_path))).execute(operation.operation_id)

    assert (done.state, purse.received) == ("unknown", {})


# the scale


def test_campaign_with_more_decimals_than_the_scale_is_not_sent(campaign: Campaign) -> None:
    plan = campaign.plan(campaign.frame(amount="5.0055"), amount_scale=4)

    with pytest.raises(UnusableOperation, match="more than 2 decimals"):
        campaign.send(plan)

    assert everybody_got(campaign, "0")
    assert campaign.credited == dict.fromkeys(campaign.credited, Decimal(0))
