"""Campaigns and imports through a real scheduler, with a person in the loop."""

from decimal import Decimal
from typing import Any

from devstack import names

HOLD = "5f4e0005-0000-4000-8000-000000000010"


def money_of(airflow: Any, organization_id: str, guests: list[Any]) -> list[Decimal]:
    chosen = [each["customer_id"] for each in guests]
    everybody = {each["customer_id"]: each for each in airflow.simulator.customers(organization_id)}
    return [Decimal(everybody[each]["wallets"][0]["balance"]) for each in chosen]


def test_campaign_waits_for_a_person_and_is_credited_once(airflow: Any) -> None:
    customers = airflow.fresh(customers=40)
    assert airflow.run(names.CUSTOMERS_DAG)[0] == "success"
    organization_id = customers[0]["organization_id"]
    guests = [each for each in customers if len(each["wallets"]) == 1][:3]
    path = airflow.stack.paths.inbox / "campaign.csv"
    path.write_text("customer_id,amount\n" + "".join(f"{each['customer_id']},5.25\n" for each in guests))
    form = {"path": f"file://{path}", "organization_id": organization_id}
    before = money_of(airflow, organization_id, guests)

    def begin(campaign: str) -> Any:
        run = airflow.start(names.BULK_TOPUP_DAG, campaign=campaign, dry_run=False, **form)
        airflow.wait_for_question(run, "approve")
        return run

    assert airflow.run(names.BULK_TOPUP_DAG, campaign="spring", **form)[0] == "success"
    assert airflow.task_states() == {"plan": "success", "gate": "skipped", "approve": "skipped", "send": "skipped"}
    refused, approved = begin("refused"), begin("spring")
    assert money_of(airflow, organization_id, guests) == before
    (asked,) = airflow.rows(
        "select body from hitl_detail join task_instance on hitl_detail.ti_id = task_instance.id where run_id = %s",
        approved.run_id,
        database="airflow",
    )
    assert "**3** row(s) would be credited with **15.75** in all" in asked[0]

    airflow.answer(refused, "Reject")
    airflow.answer(approved, "Approve")

    assert airflow.finish(refused) == "success"
    assert airflow.task_states()["send"] == "skipped"
    assert airflow.finish(approved) == "success"
    assert money_of(airflow, organization_id, guests) == [each + Decimal("5.25") for each in before]
    assert airflow.run(names.BULK_TOPUP_DAG, campaign="spring", dry_run=False, **form)[0] == "success"
    assert airflow.task_states()["gate"] == "skipped", "nothing is left to send"
    assert airflow.simulator.calls()["operations"]["wallet_topup"]["received"] == 3


def test_records_of_a_till_land_in_the_ledger(airflow: Any) -> None:
    (customer,) = airflow.fresh(customers=1)
    query = f"""
        select 'hold' as record, '{customer["organization_id"]}' as organization_id, '{customer["customer_id"]}' as customer_id,
            '{customer["wallets"][0]["id"]}' as wallet_id, 10.50 as amount, '{HOLD}' as hold_id, 'e2e-7' as order_id,
            timestamptz '2026-05-01 10:00+03' as occurred_at
        union all
        select 'order', '{customer["organization_id"]}', null, null, 10.50, null, 'e2e-7', timestamptz '2026-05-01 10:01+03'
    """
    airflow.rows(f"create or replace view source.e2e_till with (security_barrier) as {query}")

    for _ in range(2):
        outcome, run = airflow.run(
            names.WALLET_IMPORT_DAG,
            source="query",
            query="select * from source.e2e_till",
            query_conn_id="syrve_warehouse",
            dry_run=False,
        )
        assert outcome == "success"

    assert airflow.task_states() == {"import_records": "success", "read_transactions": "skipped"}
    assert airflow.rows("select amount, order_id from wallet.open_hold where hold_id = %s", HOLD) == [
        (Decimal("10.50"), "e2e-7")
    ]
    reasons = airflow.rows(
        "select reason from sync.reject where entity = 'wallet_operation' and run_id = %s", run.run_id
    )
    assert reasons == [("state must be one of open, completed, cancelled, failed",)], "an order needs a state"


def test_ledger_older_than_its_mark_stops_a_campaign(airflow: Any) -> None:
    guest = next(each for each in airflow.fresh(customers=40) if len(each["wallets"]) == 1)
    assert airflow.run(names.CUSTOMERS_DAG)[0] == "success"
    path = airflow.stack.paths.inbox / "fenced.csv"
    path.write_text(f"customer_id,amount\n{guest['customer_id']},2.00\n")
    form = {"path": f"file://{path}", "organization_id": guest["organization_id"], "dry_run": False}

    def send(campaign: str) -> str:
        run = airflow.start(names.BULK_TOPUP_DAG, campaign=campaign, **form)
        airflow.wait_for_question(run, "approve")
        airflow.answer(run, "Approve")
        return str(airflow.finish(run))

    assert send("before") == "success"
    marks = airflow.rows(
        "select val, is_encrypted from variable where key like 'syrve_ledger_%%'", database=names.METADATA_DATABASE
    )
    assert len(marks) == 1
    before = money_of(airflow, guest["organization_id"], [guest])
    airflow.rows("delete from wallet.epoch where number = (select max(number) from wallet.epoch)")  # as a restore does

    assert send("after") == "failed"
    assert money_of(airflow, guest["organization_id"], [guest]) == before
    [(reason,)] = airflow.rows("select reason from wallet.closed_fence")
    assert "restored or lost its end" in reason

    airflow.rows(
        "insert into wallet.fence_lift (fence_id, reason) select fence_id, 'compared, by a test' from wallet.closed_fence"
    )
    assert send("lifted") == "success"
