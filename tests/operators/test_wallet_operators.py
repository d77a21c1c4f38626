"""Wallet operators: through the ledger only, at most once per task instance, with errors that say whether a retry can help."""

import json
import logging
from collections.abc import Iterator
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowSkipException

from fixtures.airflow import Running, SetConnection, task_context
from fixtures.wallets import Purse, open_purse
from syrve.api.config import SyrveConfig
from syrve.api.extras import DEFAULT_BUDGETS
from syrve.approvals.book import ApprovalBook, Content, RunOf
from syrve.approvals.errors import NotApproved
from syrve.approvals.rules import ApproverRules, User
from syrve.hooks.wallet import SyrveWalletHook
from syrve.operators.topup import SyrvePlanTopupOperator, SyrveSendTopupOperator, SyrveTopupGateOperator
from syrve.operators.wallet import (
    SyrveCancelHoldOperator,
    SyrveChargeoffOperator,
    SyrveHoldOperator,
    SyrvePaymentGiveBackOperator,
    SyrvePaymentHoldOperator,
    SyrvePaymentSettleOperator,
    SyrveTopupOperator,
    wallet_payment,
)
from syrve.operators.wallet_import import SyrveTransactionsOperator, SyrveWalletImportOperator
from syrve.sources.errors import UnusableSource
from syrve.wallet.errors import (
    MoneyNotSent,
    OrderFailed,
    PaymentRefused,
    PaymentUnsettled,
    UnusableOperation,
    WalletError,
)
from syrve.wallet.payment import PaymentRequest
from syrve.warehouse.database import Warehouse
from syrve_simulator.process import SimulatorProcess, start_simulator


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorProcess]:
    """A simulator of its own: money that moves and holds that stay would surprise the tests of others."""
    with start_simulator(customers=100, seed=31) as process:
        yield process


@pytest.fixture
def purse(
    simulator: SimulatorProcess, warehouse: Warehouse, warehouse_connection: None, set_connection: SetConnection
) -> Iterator[Purse]:
    budgets = json.dumps({"budgets": dict.fromkeys(DEFAULT_BUDGETS, 1_000_000)})
    set_connection("syrve_default", conn_type="syrve", host=simulator.url, password="demo-login", extra=budgets)
    yield from open_purse(simulator, warehouse, SyrveConfig(simulator.url, "demo-login"))


@pytest.fixture
def run(purse: Purse) -> Any:
    return Running(purse).execute


def whose(purse: Purse, amount: Any = "10.00") -> dict[str, Any]:
    return {
        "organization_id": purse.organization_id,
        "customer_id": purse.customer_id,
        "wallet_id": purse.wallet_id,
        "amount": amount,
    }


def test_operators_move_money_once_a_task_instance(purse: Purse, run: Any) -> None:
    for _ in range(2):
        run(SyrveTopupOperator, task_id="topup", **whose(purse))
        run(SyrveChargeoffOperator, task_id="charge", **whose(purse, Decimal("1.50")), comment="fee")
        held = run(SyrveHoldOperator, task_id="hold", **whose(purse, 5), order_id="7")
        run(SyrveCancelHoldOperator, task_id="cancel", hold_id=held["hold_id"])

    assert purse.balance == Decimal("108.50")
    assert purse.holds == ["cancelled"]
    assert set(purse.received.values()) == {1}


def test_mapped_rows_move_once_by_key_at_any_index(purse: Purse, run: Any) -> None:
    with pytest.raises(UnusableOperation, match="a mapped task needs a key"):
        run(SyrveTopupOperator, map_index=2, **whose(purse))
    for task_id, number in (("a", 1), ("a", 2), ("b", -1)):  # the list changed before a clear
        run(SyrveTopupOperator, task_id=task_id, map_index=number, key="order-7", **whose(purse))
    run(SyrveTopupOperator, map_index=1, key="order-8", **whose(purse))

    assert (purse.balance, purse.received["wallet_topup"]) == (Decimal("120.00"), 2)


def test_refusal_fails_without_retry_and_moves_nothing(purse: Purse, run: Any) -> None:
    with pytest.raises(PaymentRefused, match="Wallet_NotEnoughMoney"):
        run(SyrveChargeoffOperator, **whose(purse, "100.01"))

    assert PaymentRefused.retry_after_seconds is None


def test_unknown_outcome_fails_without_retry_and_is_settled_when_the_task_is_cleared(purse: Purse, run: Any) -> None:
    purse.simulator.control.set_faults([{"operation": "wallet_topup", "fault": "reset_before", "count": 1}])
    with pytest.raises(PaymentUnsettled):
        run(SyrveTopupOperator, **whose(purse))

    with pytest.raises(PaymentUnsettled):
        run(SyrveTopupOperator, **whose(purse))

    assert purse.received["wallet_topup"] == 1


def test_lost_answer_that_the_evidence_shows_succeeds(purse: Purse, run: Any) -> None:
    purse.simulator.control.set_faults([{"operation": "wallet_topup", "fault": "reset_after", "count": 1}])

    assert run(SyrveTopupOperator, **whose(purse))["state"] == "confirmed"


def test_call_that_was_not_carried_out_is_retried_as_another_attempt(purse: Purse, run: Any) -> None:
    purse.simulator.control.set_faults([{"operation": "wallet_topup", "fault": "rate_limit", "count": 1}])
    with pytest.raises(MoneyNotSent):
        run(SyrveTopupOperator, **whose(purse))

    assert run(SyrveTopupOperator, **whose(purse))["state"] == "confirmed"
    assert purse.balance == Decimal("110.00")


@pytest.mark.parametrize("amount", [1.5, "a lot", "0", "0.001", None, "None", "1e3", "1_0", "1,000", "１０", "NaN"])
def test_amount_that_is_none_is_refused(purse: Purse, run: Any, amount: Any) -> None:
    with pytest.raises(UnusableOperation):
        run(SyrveTopupOperator, **whose(purse, amount))


def test_hold_that_the_ledger_does_not_know_is_not_cancelled(purse: Purse, run: Any) -> None:
    with pytest.raises(WalletError, match="import it first"):
        run(SyrveCancelHoldOperator, hold_id="5f4e0001-0000-4000-8000-000000000009")


def test_hook_pays_with_a_block(purse: Purse) -> None:
    request = PaymentRequest(purse.organization_id, purse.customer_id, purse.wallet_id, Decimal("30.00"), "order-1")

    with SyrveWalletHook().payment(request) as payment:
        assert not payment.order_is_completed

    assert payment.result is not None
    assert payment.result.is_paid
    assert (purse.balance, purse.holds) == (Decimal("70.00"), ["cancelled"])


def test_payment_group_holds_runs_the_order_and_settles(purse: Purse, run: Any) -> None:
    payment = whose(purse, "30.00") | {"order_id": "order-1"}

    for _ in range(2):
        run(SyrvePaymentHoldOperator, **payment)
        ended = run(SyrvePaymentSettleOperator, **payment)

    assert (ended["is_paid"], ended["hold_is_open"], ended["unsettled"]) == (True, False, [])
    assert (purse.balance, purse.holds) == (Decimal("70.00"), ["cancelled"])


def test_payment_group_gives_the_money_back_where_the_order_failed(purse: Purse, run: Any) -> None:
    payment = whose(purse, "30.00") | {"order_id": "order-1"}
    run(SyrvePaymentHoldOperator, **payment)

    ended = run(SyrvePaymentGiveBackOperator, **payment)

    assert (ended["is_paid"], ended["hold_is_open"]) == (False, False)
    assert (purse.balance, purse.holds) == (Decimal("100.00"), ["cancelled"])
    with pytest.raises(OrderFailed):
        run(SyrvePaymentSettleOperator, **payment)


def test_payment_group_gives_nothing_back_once_the_order_is_completed(purse: Purse, run: Any) -> None:
    payment = whose(purse, "30.00") | {"order_id": "order-1", "policy": "pos_consumes_hold"}
    run(SyrvePaymentHoldOperator, **payment)
    run(SyrvePaymentSettleOperator, **payment)

    with pytest.raises(PaymentUnsettled):
        run(SyrvePaymentGiveBackOperator, **payment)

    assert purse.holds == ["open"]


@pytest.mark.parametrize(
    ("states", "is_given_back"),
    [
        ({"bake": "success", "serve": "success"}, False),
        ({"bake": "success", "serve": "removed"}, False),
        ({"bake": "success", "serve": "failed"}, True),
        ({"bake": "success", "serve": "upstream_failed"}, True),
        ({"bake": "skipped", "serve": "success"}, True),
        ({"bake": "success", "serve": None}, True),
        ({"bake": "removed", "serve": "removed"}, True),
        ({}, True),
    ],
)
def test_hold_is_given_back_unless_the_order_succeeded(
    purse: Purse, run: Any, states: dict[str, str | None], is_given_back: bool
) -> None:
    from airflow.providers.standard.operators.empty import EmptyOperator

    payment = whose(purse, "30.00") | {"order_id": "order-1"}
    run(SyrvePaymentHoldOperator, **payment)
    context = task_context()
    context["ti"].get_task_states = lambda run_ids, **_: dict.fromkeys(run_ids, states)
    with DAG("dag", schedule=None):
        give_back = SyrvePaymentGiveBackOperator(task_id="give_back", **payment)
        [EmptyOperator(task_id="bake"), EmptyOperator(task_id="serve")] >> give_back

    with nullcontext() if is_given_back else pytest.raises(AirflowSkipException, match="nothing to give back"):
        give_back.execute(context)

    assert purse.holds == ["cancelled" if is_given_back else "open"]


def test_payment_group_is_wired() -> None:
    from airflow.providers.standard.operators.empty import EmptyOperator

    payment = {"organization_id": "o", "customer_id": "c", "wallet_id": "w", "amount": "1", "order_id": "7"}
    with DAG("dag", schedule=None) as dag, wallet_payment(**payment):
        EmptyOperator(task_id="cook") >> EmptyOperator(task_id="serve")

    wired = {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks}
    assert wired == {
        "payment.hold": ["payment.order.cook"],
        "payment.order.cook": ["payment.order.serve"],
        "payment.order.serve": ["payment.give_back", "payment.settle"],
        "payment.settle": [],
        "payment.give_back": [],
    }
    assert dag.get_task("payment.give_back").trigger_rule == "all_done"


def known(purse: Purse) -> None:
    purse.execute(
        "insert into syrve.customer (organization_id, customer_id, phone, is_deleted, extra, first_seen_at, changed_at, fetched_at, "
        "profile_changed_at) values (%s, %s, '+79757770001', false, '{}', now(), now(), now(), now())",
        *(purse.organization_id, purse.customer_id),
    )
    purse.execute(
        "insert into syrve.wallet_balance (organization_id, customer_id, wallet_id, balance, changed_at, fetched_at) "
        "values (%s, %s, %s, 0, now(), now())",
        *(purse.organization_id, purse.customer_id, purse.wallet_id),
    )


def approve(purse: Purse, plan: dict[str, Any]) -> None:
    """Approve a campaign as the question's task does."""
    subject = f"campaign {plan['campaign']}, version {plan['version']}"
    content = Content("topup", subject, plan["digest"], plan["to_credit"], Decimal(plan["to_credit_amount"]))
    book = ApprovalBook(purse.warehouse, RunOf("dag", "run-1", "asker"))
    book.ask(content)  # the operator has recorded that this run planned it
    book.approve(content, User("7", "boss"), ApproverRules())


def test_campaign_from_a_file_is_planned_and_sent(
    purse: Purse, run: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    known(purse)
    path = tmp_path / "spring.csv"
    path.write_text("phone;amount\n+7 975 777-00-01;5,50\n+79757770009;1\n")
    options = {"campaign": "spring", "path": f"file://{path}", "organization_id": purse.organization_id}

    dry = run(SyrvePlanTopupOperator, task_id="plan", **options)
    plan = run(SyrvePlanTopupOperator, task_id="plan", is_dry_run="False", **options)
    chosen = {"campaign": "spring", "digest": plan["digest"]}
    with pytest.raises(NotApproved):
        run(SyrveSendTopupOperator, task_id="send", **chosen)
    approve(purse, plan)
    counts = run(SyrveSendTopupOperator, task_id="send", **chosen)

    assert (dry.pop("is_to_be_asked"), plan.pop("is_to_be_asked")) == (False, True)
    assert dry == plan
    assert (plan["to_credit"], plan["to_credit_amount"], plan["rejected_rows"]) == (1, "5.50", 1)
    assert (counts["changed"], purse.balance) == (1, Decimal("105.50"))
    assert "7777" not in caplog.text
    assert "757770" not in caplog.text + json.dumps([plan, counts])
    assert json.loads(json.dumps(plan)) == plan


def test_gate_ends_a_dry_run_and_one_with_nothing_to_send(run: Any) -> None:
    for dry_run, to_send in (("True", "4"), ("False", "0")):
        with pytest.raises(AirflowSkipException):
            run(SyrveTopupGateOperator, is_dry_run=dry_run, to_send=to_send)
    assert run(SyrveTopupGateOperator, is_dry_run="False", to_send="4") is None


def test_import_reads_a_query_on_any_connection(purse: Purse, run: Any) -> None:
    with purse.warehouse.transaction("make a list") as cursor:
        cursor.execute(f"""
            create view source.till with (security_barrier) as
            select 'hold'::text as record, '{purse.organization_id}'::text as organization_id, '{purse.customer_id}'::text as customer_id,
                '{purse.wallet_id}'::text as wallet_id, 10.50 as amount, gen_random_uuid() as hold_id, now() as occurred_at
        """)
    query = "select * from source.till"

    counts = run(SyrveWalletImportOperator, source="query", query=query, query_conn_id="syrve_warehouse")

    assert (counts["changed"], counts["rejected"]) == (1, 0)
    assert purse.rows("select amount, source from wallet.open_hold") == [(Decimal("10.50"), "import:till")]


def test_import_reads_a_parquet_file_with_real_types(purse: Purse, run: Any, tmp_path: Path) -> None:
    path = tmp_path / "till.parquet"
    frame = pd.DataFrame(
        {
            "record": ["topup", "order"],
            "key": ["a", None],
            "customer_id": [purse.customer_id, None],
            "wallet_id": [purse.wallet_id, None],
            "amount": [Decimal("0.10"), Decimal("3.00")],
            "order_id": [None, "12"],
            "state": [None, "completed"],
            "occurred_at": pd.to_datetime(["2026-05-01T10:00:00Z", "2026-05-01T10:00:00Z"]),
        }
    )
    frame.to_parquet(path)

    counts = run(SyrveWalletImportOperator, source="file", path=f"file://{path}", organization_id=purse.organization_id)

    assert (counts["changed"], counts["rejected"]) == (2, 0)
    assert purse.value("select amount from wallet.operation") == Decimal("0.10")


def test_import_without_a_source_is_skipped_and_one_that_can_not_be_read_fails(run: Any) -> None:
    with pytest.raises(AirflowSkipException):
        run(SyrveWalletImportOperator, source="none")
    with pytest.raises(UnusableSource):
        run(SyrveWalletImportOperator, source="file", path="file:///nowhere/at-all.csv")


def test_transactions_are_skipped_where_the_dialect_has_none(run: Any) -> None:
    with pytest.raises(AirflowSkipException):
        run(SyrveTransactionsOperator)


@pytest.mark.parametrize("order_id", [None, "None", "", " "])
def test_payment_without_the_id_of_an_order_is_refused(purse: Purse, run: Any, order_id: str | None) -> None:
    with pytest.raises(UnusableOperation, match="the id of its order"):
        run(SyrvePaymentHoldOperator, **(whose(purse, "30.00") | {"order_id": order_id}))

    assert purse.received == {}
