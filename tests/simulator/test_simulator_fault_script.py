"""A fault script is used whole or refused, and the refusal names the rule and the field."""

import json
from typing import Any

import pytest

from syrve_simulator.control import SimulatorRefusedError
from syrve_simulator.faults import FaultPlan, FaultScriptError, read_script

OPERATIONS = {"customer_info", "organizations"}
GOOD_RULE = {"operation": "customer_info", "fault": "status"}


def read(*rules: Any) -> Any:
    return read_script(json.dumps(rules).encode(), OPERATIONS)


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"operation": "customer_info", "fault": "explode"}, "fault"),
        ({"operation": "customer_info"}, "fault"),
        ({"fault": "status"}, "operation"),
        ({"operation": "customer_infos", "fault": "status"}, "operation"),
        ({"operation": 5, "fault": "status"}, "operation"),
        ({**GOOD_RULE, "status": 99}, "status"),
        ({**GOOD_RULE, "status": "500"}, "status"),
        ({**GOOD_RULE, "status": 204}, "status"),
        ({**GOOD_RULE, "count": 0}, "count"),
        ({**GOOD_RULE, "count": 1.5}, "count"),
        ({**GOOD_RULE, "probability": 1.1}, "probability"),
        ({**GOOD_RULE, "probability": 0}, "probability"),
        ({**GOOD_RULE, "after": -1}, "after"),
        ({**GOOD_RULE, "stall_seconds": 5}, "stall_seconds"),
        ({**GOOD_RULE, "cuont": 5}, "cuont"),
        ({"operation": "*", "fault": "stall", "stall_seconds": 0}, "stall_seconds"),
        ({"operation": "*", "fault": "rate_limit", "retry_after_seconds": -1}, "retry_after_seconds"),
        ({"operation": "*", "fault": "rate_limit", "status": 429}, "status"),
        ({"operation": "*", "fault": "not_json", "body": {"a": 1}}, "body"),
    ],
)
def test_wrong_rule_is_refused_with_its_number_and_the_field(rule: Any, field: Any) -> None:
    with pytest.raises(FaultScriptError) as refusal:
        read(GOOD_RULE, rule)

    assert "Rule 2" in str(refusal.value)
    assert field in str(refusal.value)


@pytest.mark.parametrize("script", [b"", b"{", b'{"operation": "*"}', b'"status"', b"[1]", b"\xff"])
def test_script_that_is_no_list_of_rules_is_refused(script: Any) -> None:
    with pytest.raises(FaultScriptError):
        read_script(script, OPERATIONS)


def test_every_fault_can_be_written_with_its_fault_alone() -> None:
    faults = ["status", "rate_limit", "stall", "reset_before", "reset_after", "twice", "truncate", "not_json"]

    assert [rule.name for rule in read(*({"operation": "*", "fault": one} for one in faults))] == faults


def test_rule_without_count_or_probability_strikes_every_call() -> None:
    plan = FaultPlan(1, read(GOOD_RULE))

    assert all(plan.strike("customer_info") for _ in range(100))
    assert plan.strike("organizations") is None


def test_probability_strikes_about_that_share_and_count_bounds_it() -> None:
    plan = FaultPlan(1, read({**GOOD_RULE, "probability": 0.2}))
    bounded = FaultPlan(1, read({**GOOD_RULE, "probability": 0.2, "count": 3}))

    assert 150 < sum(plan.strike("customer_info") is not None for _ in range(1000)) < 250
    assert sum(bounded.strike("customer_info") is not None for _ in range(1000)) == 3


def test_chance_depends_on_the_seed() -> None:
    def outcomes(seed: Any) -> Any:
        plan = FaultPlan(seed, read({**GOOD_RULE, "probability": 0.5}))
        return [plan.strike("customer_info") is not None for _ in range(50)]

    assert outcomes(1) == outcomes(1) != outcomes(2)


def test_refused_script_leaves_the_one_in_force(simulator: Any, api: Any) -> None:
    simulator.control.set_faults([{"operation": "organizations", "fault": "status", "status": 502}])

    with pytest.raises(SimulatorRefusedError, match='Rule 2 of the fault script, field "status"'):
        simulator.control.set_faults(
            [{"operation": "organizations", "fault": "rate_limit"}, {"operation": "*", "fault": "status", "status": 1}]
        )

    assert api.post("organizations", {}).status_code == 502
