"""Only legal histories can be written to the ledger, and what is open is found whatever happens in whatever order."""

from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from fixtures.operations import CUSTOMER, ORGANIZATION, WALLET, intended
from syrve.wallet.ledger import Ledger
from syrve.wallet.operations import OperationState
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.errors import WarehouseError

STATES = ("planned", "sent", "confirmed", "rejected", "unknown")
LEGAL = {
    ("planned", "sent"),
    ("planned", "rejected"),
    ("sent", "confirmed"),
    ("sent", "rejected"),
    ("sent", "unknown"),
    ("unknown", "confirmed"),
    ("unknown", "rejected"),
}

FINAL = ("confirmed", "rejected")


@given(sequence=st.lists(st.sampled_from(STATES), min_size=1, max_size=5))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_only_legal_histories_can_be_written(warehouse: Warehouse, sequence: list[str]) -> None:
    operation_id = str(uuid4())
    legal = all(step in LEGAL for step in pairwise(sequence))
    insert = (
        "insert into wallet.operation (operation_id, kind, organization_id, customer_id, wallet_id, amount, source, requested_at) "
        "values (%s, 'hold', %s, %s, %s, 1, 'test', now())"
    )

    def write() -> None:
        with warehouse.transaction("write") as cursor:
            cursor.execute(insert, (operation_id, ORGANIZATION, CUSTOMER, WALLET))
            for number, state in enumerate(sequence, start=1):
                cursor.execute(
                    "insert into wallet.operation_event (operation_id, sequence, state, evidence, basis) values (%s, %s, %s, %s, %s)",
                    (operation_id, number, state, '{"reason": "test"}', "answer" if state in FINAL else None),
                )

    if legal:
        write()
    else:
        with pytest.raises(WarehouseError, match="operation_event_is_legal"):
            write()


class LedgerModel(RuleBasedStateMachine):
    """Many operations in any order against a plain model of what is open."""

    dsn = ""
    operations = Bundle("operations")

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(Warehouse(url_from_text(self.dsn)))
        self.customer = str(uuid4())
        self.states: dict[str, OperationState] = {}
        self.ends: dict[str, str] = {}

    @rule(target=operations, kind=st.sampled_from(["hold", "topup"]))
    def plan(self, kind: Any) -> str:
        return self.keep(self.ledger.plan(intended(kind, customer_id=self.customer)))

    @rule(target=operations, hold=operations)
    def plan_cancellation(self, hold: str) -> str:
        return self.keep(self.ledger.plan(intended("cancel_hold", customer_id=self.customer, hold_id=hold)))

    @rule(target=operations, hold=operations, state=st.sampled_from(STATES[1:]))
    def observe_consumption(self, hold: str, state: Any) -> str:
        consumption = intended("chargeoff", customer_id=self.customer, hold_id=hold, consumes_hold=True)
        return self.keep(self.ledger.observe(consumption, state, {}))

    @rule(operation_id=operations, state=st.sampled_from(STATES))
    def move(self, operation_id: str, state: Any) -> None:
        known = self.states[operation_id]
        if (known.state, state) in LEGAL or known.state == state == "unknown":  # what is unknown stays so, once
            assert self.keep(self.ledger.record(known, state, {"reason": "test"})) == operation_id
        else:
            with pytest.raises(WarehouseError):
                self.ledger.record(known, state, {"reason": "test"})

    @rule(operation_id=consumes(operations))
    def forget(self, operation_id: str) -> None:
        assert self.ledger.state(operation_id) == self.states[operation_id]

    def keep(self, operation: OperationState) -> str:
        self.states[operation.operation_id] = operation
        return operation.operation_id

    @invariant()
    def what_is_open_is_found(self) -> None:
        ended = {
            one.hold_id
            for one in self.states.values()
            if one.state == "confirmed" and (one.kind == "cancel_hold" or one.consumes_hold)
        }
        expected = {
            one.operation_id
            for one in self.states.values()
            if one.kind == "hold" and one.state in ("sent", "confirmed", "unknown") and one.operation_id not in ended
        }
        unsettled = {one.operation_id for one in self.states.values() if not one.is_final}
        with self.ledger.warehouse.transaction("test") as cursor:
            cursor.execute("select hold_id::text from wallet.open_hold where customer_id = %s", (self.customer,))
            assert {hold for (hold,) in cursor.fetchall()} == expected
            cursor.execute(
                "select operation_id::text from wallet.unsettled_operation where customer_id = %s and settled_at is null",
                (self.customer,),
            )
            assert {one for (one,) in cursor.fetchall()} == unsettled


def test_what_is_open_is_found_whatever_happens_in_whatever_order(warehouse_dsn: str) -> None:
    LedgerModel.dsn = warehouse_dsn
    run_state_machine_as_test(LedgerModel, settings=settings(max_examples=12, stateful_step_count=15, deadline=None))
