"""Random edits on both sides, pulls, plans, applies and faults: what is sent is what the policies say, and both sides come together.

A second client writes into Syrve, workers' clocks are off, plans and applies overlap, Syrve finds nobody at times; no consent is widened.

The model below is the three-way comparison written a second time, plainly, from the mirror as it is. Every plan must equal it.
"""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import syrve.crm.plan as plan_module
from fixtures.pushes import Pushing
from syrve.crm.errors import PushIncomplete
from syrve.crm.plan import PushPlan
from syrve.warehouse.sql_files import sql

PEOPLE = 2
FIELDS = {"name": "newest", "email": "ask", "surname": "syrve", "middle_name": "crm", "receives_promo": "narrower"}
ON_THE_WIRE = {
    "name": "name",
    "email": "email",
    "surname": "surname",
    "middle_name": "middleName",
    "receives_promo": "shouldReceivePromoActionsInfo",
}
AT_FIRST = ("Анна", "anna@example.com", "Первая", None, True)
Values = dict[str, Any]

PERSONS = st.integers(0, PEOPLE - 1)
TEXTS = st.sampled_from(["Анна", "Мария", "Ольга", None])
CHANGES = st.one_of(
    st.tuples(st.sampled_from([name for name in FIELDS if name != "receives_promo"]), TEXTS),
    st.tuples(st.just("receives_promo"), st.sampled_from([True, False, None])),
)
TROUBLE = st.sampled_from(["reset_after", "reset_before", "status", "truncate"])


class TwoSides(RuleBasedStateMachine):
    """`agreed` is the model's own base by person and field; a person has one row of the CRM."""

    pushing: Pushing
    people: list[Any]

    @initialize()
    def meet(self) -> None:
        self.pushing.execute(
            "truncate crm.customer, crm.push_state, crm.push_plan, crm.push_plan_summary, crm.push, crm.push_blocked, crm.conflict,"
            " crm.remote_change, sync.roster, syrve.customer, sync.reject cascade"
        )
        self.pushing.simulator.control.clear_faults()
        self.pushing.simulator.control.reset_switches()
        for person in self.people:
            self.pushing.change_in_syrve(person, **dict(zip(ON_THE_WIRE.values(), AT_FIRST, strict=True)))
        self.pushing.add(id=[each["customer_id"] for each in self.people])
        self.pushing.pull()
        self.crm_ids = [self.pushing.set_desired_of(person) for person in self.people]
        self.pushing.execute(  # the CRM takes over what Syrve has, so that both soon have something to change
            "update crm.customer set name = m.name, email = m.email, surname = m.surname, receives_promo = m.receives_promo"
            " from syrve.customer m where m.customer_id = crm.customer.customer_id"
        )
        self.agreed: list[Values] = [{} for _ in self.people]
        self.plans: list[PushPlan] = []
        self.plan()

    @rule(person=PERSONS, changes=st.lists(CHANGES, min_size=1, max_size=4))
    def crm_edits(self, person: int, changes: list[tuple[str, Any]]) -> None:
        self.pushing.edit(self.crm_ids[person], **dict(changes))

    @rule(person=PERSONS, changes=st.lists(CHANGES, min_size=1, max_size=4))
    def guest_or_till_edits(self, person: int, changes: list[tuple[str, Any]]) -> None:
        fields = {ON_THE_WIRE[name]: value for name, value in changes}
        self.pushing.change_in_syrve(self.people[person], **fields)

    @rule()
    def run_as_scheduled(self) -> None:
        self.pull()
        self.plan()
        self.apply(0)

    @rule()
    def pull(self) -> None:
        self.pushing.look_up()

    @rule(seconds=st.sampled_from([-90, -5, 5, 90]))
    def pull_by_a_worker_whose_clock_is_off(self, seconds: int) -> None:
        self.pushing.make_due()
        self.pushing.pull_with_clock_off(timedelta(seconds=seconds))

    @rule()
    def pull_while_syrve_finds_nobody(self) -> None:
        self.pushing.simulator.control.set_switches(look_ups_find_nobody=True)
        self.pushing.look_up()
        self.pushing.simulator.control.set_switches(look_ups_find_nobody=False)

    @rule(writes=st.one_of(st.none(), st.fixed_dictionaries({"name": TEXTS}, optional={"surname": TEXTS})))
    def second_writer_writes_whom_it_sees_looked_up(self, writes: dict[str, Any] | None) -> None:
        self.pushing.simulator.control.set_switches(second_writer=writes)

    @rule(decision=st.sampled_from(["crm", "syrve"]))
    def person_decides(self, decision: str) -> None:
        self.pushing.execute(
            "update crm.conflict set decision = %s where outcome = 'waits' and closed_at is null", decision
        )

    @rule(kind=TROUBLE, times=st.integers(1, 3))
    def service_is_in_trouble(self, kind: str, times: int) -> None:
        self.pushing.simulator.control.set_faults([{"operation": "create_or_update", "fault": kind, "count": times}])

    @rule()
    def plan(self) -> None:
        expected = {self.crm_ids[person]: sent for person in range(PEOPLE) if (sent := self._model_plans(person))}

        plan = self.pushing.plan()

        assert {crm_id: set(changes) for crm_id, changes in self.pushing.changes(plan).items()} == {
            crm_id: set(sent) for crm_id, sent in expected.items()
        }
        self.plans.append(plan)

    @rule()
    def apply_while_another_plan_is_made(self) -> None:
        """The latest plan is applied when the next one has read both sides and not yet written what is agreed."""
        before = [dict(each) for each in self.agreed]
        expected = {self.crm_ids[person]: sent for person in range(PEOPLE) if (sent := self._model_plans(person))}
        compared = [dict(each) for each in self.agreed]
        self.agreed = before
        applied: list[set[int]] = []

        def during(name: str) -> str:
            if name == "crm/plan/agree.sql" and not applied:
                applied.append(self._apply(self.plans[-1]))
            return sql(name)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plan_module, "sql", during)
            plan = self.pushing.plan()

        assert {crm_id: set(changes) for crm_id, changes in self.pushing.changes(plan).items()} == {
            crm_id: set(sent) for crm_id, sent in expected.items()
        }
        for person in set(range(PEOPLE)) - applied[0]:
            self.agreed[person] = compared[person]
        self.plans.append(plan)

    @rule(which=st.integers(0, 2))
    def apply(self, which: int) -> None:
        """Apply one of the latest plans; an older one may be out of date by now."""
        self._apply(self.plans[-1 - min(which, len(self.plans) - 1)])

    def _apply(self, plan: PushPlan) -> set[int]:
        """Apply a plan and return the persons whose agreement it moved."""
        planned = self.pushing.changes(plan)
        before = self.pushing.states(plan)
        consents = [self.pushing.in_syrve(person["customer_id"]).receives_promo for person in self.people]
        self.pushing.simulator.control.reset_calls()
        with suppress(PushIncomplete):
            self.pushing.apply(plan)
        after = self.pushing.states(plan)
        for body in self.pushing.sent():
            person = next(n for n, each in enumerate(self.people) if each["customer_id"] == body["id"])
            changes = planned[self.crm_ids[person]]
            assert set(body) - {"id"} == {ON_THE_WIRE[name] for name in changes}, "nothing outside the plan is sent"
            assert before[self.crm_ids[person]] == "planned"
            if body.get(ON_THE_WIRE["receives_promo"]):
                assert consents[person] is not False or self._says_no_by_agreement(person), "no consent is widened"
        moved = set()
        for person, crm_id in enumerate(self.crm_ids):
            if before.get(crm_id) == "planned" and after[crm_id] == "pushed":
                self.agreed[person] |= {name: change[1] for name, change in planned[crm_id].items()}
                moved.add(person)
        return moved

    def _says_no_by_agreement(self, person: int) -> bool:
        """Whether the CRM knew of the no that its yes goes over: both had agreed on it, or its last look-up showed it."""
        return (
            self.agreed[person].get("receives_promo") == "false" or self._states(person)[1]["receives_promo"] == "false"
        )

    @invariant()
    def own_pushes_and_agreements_are_as_the_model_has_them(self) -> None:
        for person, crm_id in enumerate(self.crm_ids):
            rows = self.pushing.rows("select agreed from crm.push_state where crm_id = %s", crm_id)
            if rows:
                assert rows[0][0] == self.agreed[person]

    def teardown(self) -> None:
        if not hasattr(self, "plans"):
            return
        self.pushing.simulator.control.clear_faults()
        self.pushing.simulator.control.reset_switches()
        self.pushing.execute("update syrve.customer set fetched_at = least(fetched_at, now())")
        self.pushing.execute("update sync.roster set checked_at = least(checked_at, now())")
        self.pushing.execute("update crm.push_state set pushed_at = least(pushed_at, now())")
        for _ in range(3):
            self.pull()
            self.plan()
            self.apply(0)
        self.pull()
        self.plan()
        assert self.plans[-1].size == 0, "the sides have come together"
        for person in range(PEOPLE):
            wanted, mirrored, _ = self._states(person)
            for name in wanted:
                assert wanted[name] == mirrored[name] or self._explained(person, name), (name, wanted, mirrored)

    def _states(self, person: int) -> tuple[Values, Values, dict[str, bool]]:
        """What the CRM wants, what the mirror has (both as text), and by field whether the CRM's edit is the later change."""
        columns = ", ".join(f"{{0}}.{name}::text" for name in FIELDS)
        crm_id, customer_id = self.crm_ids[person], self.people[person]["customer_id"]
        row = self.pushing.rows(f"select {columns.format('c')} from crm.customer c where crm_id = %s", crm_id)[0]
        wanted = {name: value for name, value in zip(FIELDS, row, strict=True) if value is not None}
        row = self.pushing.rows(
            f"select {columns.format('m')} from syrve.customer m where customer_id = %s", customer_id
        )[0]
        later = self.pushing.rows(
            "select f, c.edited_at > coalesce((m.field_changed_at ->> f)::timestamptz, '-infinity') from crm.customer c"
            " join syrve.customer m using (organization_id, customer_id), unnest(%s) f where c.crm_id = %s",
            list(FIELDS),
            crm_id,
        )
        return wanted, dict(zip(FIELDS, row, strict=True)), dict(later)

    def _model_plans(self, person: int) -> set[str]:
        if self._is_deleted(person):
            return set()
        wanted, mirrored, crm_is_later = self._states(person)
        agreed, sent, unseen = self.agreed[person], set(), self._unseen(person)
        now_agreed = {}
        for name, value in wanted.items():
            has = agreed.get(name) if name in unseen else mirrored[name]
            if value == has:
                now_agreed[name] = value
                continue
            if name in agreed:
                now_agreed[name] = agreed[name]
            if self._crm_wins(person, name, value, has, agreed, crm_is_later[name]):
                sent.add(name)
        self.agreed[person] = now_agreed
        return sent

    def _is_deleted(self, person: int) -> bool:
        query = "select is_deleted from syrve.customer where customer_id = %s"
        return bool(self.pushing.value(query, self.people[person]["customer_id"]))

    def _unseen(self, person: int) -> set[str]:
        """Fields that were pushed and that no later look-up has shown."""
        rows = self.pushing.rows(
            "select pushed from crm.push_state s join syrve.customer m using (organization_id, customer_id) where crm_id = %s"
            " and greatest(m.fetched_at, (select max(r.checked_at) from sync.roster r where r.customer_id = s.customer_id"
            " and r.outcome = 'found')) <= s.pushed_at",
            self.crm_ids[person],
        )
        return set(rows[0][0] or {}) if rows else set()

    def _crm_wins(self, person: int, name: str, value: str, has: Any, agreed: Values, crm_is_later: bool) -> bool:
        policy = FIELDS[name]
        if name in agreed and value == agreed[name] and not (policy == "narrower" and value == "false"):
            return False
        if name in agreed and has == agreed[name]:
            return True
        if name not in agreed and has is None and policy != "syrve":
            return True
        decided = self.pushing.rows(
            "select decision from crm.conflict where crm_id = %s and field = %s and closed_at is null and crm_value = %s"
            " and syrve_value is not distinct from %s and decision is not null",
            self.crm_ids[person],
            name,
            value,
            has,
        )
        if decided:
            return bool(decided[0][0] == "crm")
        if policy == "newest":
            return crm_is_later
        if policy == "narrower":
            return value == "false"
        return policy == "crm"

    def _explained(self, person: int, name: str) -> bool:
        crm_id = self.crm_ids[person]
        shown = self.pushing.rows("select 1 from crm.remote_change where crm_id = %s and field = %s", crm_id, name)
        query = "select 1 from crm.conflict where crm_id = %s and field = %s and closed_at is null and outcome <> 'crm'"
        return bool(shown or self.pushing.rows(query, crm_id, name))


@pytest.mark.timeout(280)
def test_both_sides_converge_to_what_the_policies_say(pushing: Pushing) -> None:
    before = pushing.rows("select policy, field from crm.field_policy")
    for field, policy in FIELDS.items():
        pushing.execute("update crm.field_policy set policy = %s where field = %s", policy, field)
    pushing.client_settings = {"call_deadline_seconds": 0.05}
    machine = type("Machine", (TwoSides,), {"pushing": pushing, "people": pushing.people(PEOPLE)})
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=6,
                stateful_step_count=12,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        for policy, field in before:
            pushing.execute("update crm.field_policy set policy = %s where field = %s", policy, field)
