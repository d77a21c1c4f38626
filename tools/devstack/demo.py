"""`make demo`: the main job end to end, on a simulator and an empty warehouse, as production would run it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import requests

from devstack import environments, names
from devstack.airflow_api import ASKING, TaskState
from devstack.console import Teller
from devstack.counts import RunCounts, Warehouse
from devstack.dag_runs import describe_failure, follow, start_run, wait_until_parsed
from devstack.desired_states import ask_syrve, check_push, read_outcomes, write_desired_states
from devstack.errors import StackError
from devstack.processes import blaming_ended
from devstack.purposes import DEMO
from devstack.report import RunReport, findings_table, landed_table, progress_line, push_table, runs_table, visits_table
from devstack.roster import Known, Roster, build_roster, import_conf, to_csv
from devstack.site import RELEASE_ALL, check_findings, check_holds, read_findings, take_payments, write_records
from devstack.stack import Stack
from devstack.state import StackState
from devstack.visits import Visits, make_secret, send_webhooks
from syrve_simulator.control import CustomerState, SimulatorControl, SimulatorRefusedError

RUN_TIMEOUT_SECONDS = 450.0
DAGS = (
    names.ROSTER_IMPORT_DAG,
    names.CUSTOMERS_DAG,
    names.COUPONS_DAG,
    names.CRM_PUSH_DAG,
    names.WALLET_IMPORT_DAG,
    names.RECONCILE_DAG,
    names.RELEASE_HOLDS_DAG,
    names.SIGNALS_DAG,
)
ANSWER_SECONDS = 2.0
"""How long the demo thinks before it answers as the person would: Airflow takes an answer in the first moments for a failed task."""
NEW_BALANCE_STEP = Decimal("0.30")
MOST_LISTENINGS = 4
"""A machine that is slow may need more than one run until every guest has a row."""


def demo(stack: Stack, teller: Teller) -> int:
    """Run the demo and stop everything it started; raises StackError when a step fails."""
    _say_what_is_ignored(stack, teller)
    with stack.locked(when_busy=lambda: _refuse_second(stack)):
        stack.remove_leftovers()
        try:
            state = stack.bring_up(DEMO)
            with blaming_ended(state.components):
                _Demo(stack, state, teller).run()
        finally:
            left = stack.load()
            if left is not None:
                teller.say("stopping what was started")
                stack.take_down(left, DEMO.stop_grace_seconds)
    teller.say("done; nothing keeps running")
    teller.plain()
    teller.paragraph(
        "Next: `make up` keeps such a stack running, with Airflow's UI. Set AIRFLOW_CONN_SYRVE_DEFAULT before it to use "
        "your own account instead of the simulator."
    )
    return 0


@dataclass(frozen=True)
class Change:
    """The one change made in the simulator between the two runs."""

    organization_id: str
    customer_id: str
    wallet_id: str
    before: Decimal
    after: Decimal


class _Demo:
    def __init__(self, stack: Stack, state: StackState, teller: Teller) -> None:
        if state.simulator_url is None or state.live_service_url is None or state.warehouse_dsn is None:
            raise StackError("The demo needs its own simulators and warehouse")
        self.stack = stack
        self.state = state
        self.teller = teller
        self.api = stack.api(state)
        self.simulator_url = state.simulator_url
        self.simulator = SimulatorControl(state.simulator_url)
        self.live_service_url = state.live_service_url
        self.warehouse_dsn = state.warehouse_dsn
        self.warehouse = Warehouse(state.warehouse_dsn)
        self.reports: list[RunReport] = []

    def run(self) -> None:
        self._prepare_dags()
        roster, customers = self._write_roster()
        self._run_dag(names.ROSTER_IMPORT_DAG, import_conf(self.stack.paths.roster), "roster import")
        first = self._run_dag(names.CUSTOMERS_DAG, {}, "customers")
        self._run_dag(names.COUPONS_DAG, {}, "coupons")
        landed = {"first run": self.warehouse.rows_by_table()}
        self._show(landed)
        check_first_run(first, roster)

        change = self._change_one_balance(customers)
        second = self._run_dag(names.CUSTOMERS_DAG, {"force": True}, "customers again")
        landed["second run"] = self.warehouse.rows_by_table()
        self._show(landed)
        balances = self.warehouse.balances(change.organization_id, change.customer_id, change.wallet_id)
        check_second_run(second, first, change, balances)
        self._push_desired_states()
        self._reconcile(customers)
        self._hear_of_visits()
        self._conclude(first, second, change)

    def _prepare_dags(self) -> None:
        processor = next(c for c in self.state.components if c.name == "dag-processor")
        for dag_id in DAGS:
            wait_until_parsed(self.api, self.stack.paths.dags, dag_id, processor.started_at)
            # A demo that was killed may have left a run that would go on now.
            for run_id in self.api.unfinished_runs(dag_id):
                self.api.cancel(dag_id, run_id)
            self.api.set_paused(dag_id, paused=False)

    def _write_roster(self) -> tuple[Roster, list[CustomerState]]:
        with asking_simulator():
            organizations = self.simulator.organizations()
            customers = [c for o in organizations for c in self.simulator.customers(o["organization_id"])]
        known = [Known(c["organization_id"], c["customer_id"], c["phone"], c["card_tracks"]) for c in customers]
        roster = build_roster(known)
        self.stack.paths.roster.write_text(to_csv(roster.rows))
        self.teller.say(
            f"a roster with {len(roster.rows):,} identities: {roster.known:,} customers by phone, id or card, "
            f"{roster.unknown} phones that no customer has, {roster.junk} that are not phones"
        )
        return roster, customers

    def _run_dag(self, dag_id: str, conf: dict[str, Any], title: str) -> RunCounts:
        counts = self.warehouse.run_counts(self._run(dag_id, conf))
        self.reports.append(RunReport(title, counts))
        return counts

    def _run(
        self,
        dag_id: str,
        conf: dict[str, Any],
        *,
        answer: tuple[str, str] | None = None,
        while_it_runs: Callable[[], None] | None = None,
    ) -> str:
        """Run a DAG to its good end and return the run's id; `answer` is the task that asks a person, and the option chosen.

        `while_it_runs` is called at every look at the run.
        """
        run = start_run(self.api, dag_id, conf)
        asked_at: list[float] = []

        def show(tasks: list[TaskState]) -> None:
            if while_it_runs is not None:
                while_it_runs()
            if answer is not None and any(task.task_id == answer[0] and task.state == ASKING for task in tasks):
                asked_at.append(time.monotonic())
                if asked_at[-1] - asked_at[0] > ANSWER_SECONDS:
                    self._answer(dag_id, run.run_id, *answer)
            self.teller.progressing(progress_line(dag_id, tasks, self.warehouse.run_counts(run.run_id)))

        with self.teller.progress():
            outcome = follow(self.api, run, self.state.components, show, RUN_TIMEOUT_SECONDS)
        tasks = self.api.tasks(dag_id, run.run_id)
        if outcome != "success":
            raise StackError("\n".join(describe_failure(self.stack.paths.airflow_home, run, tasks)))
        calls = self.warehouse.run_counts(run.run_id).calls
        self.teller.say(f"{dag_id}: success, {len(tasks)} tasks, {calls:,} calls")
        return run.run_id

    def _answer(self, dag_id: str, run_id: str, task_id: str, option: str) -> None:
        """Choose the option that begins so, as the second person: the one who started a run can't approve it."""
        approver = self.stack.approver_api(self.state)
        offered = approver.required_options(dag_id, run_id, task_id)
        chosen = next(each for each in offered if each.startswith(option))
        approver.answer_required_action(dag_id, run_id, task_id, chosen)
        self.teller.say(f"{dag_id}: the user {environments.APPROVER_USER} answers: {chosen}")

    def _change_one_balance(self, customers: list[CustomerState]) -> Change:
        customer = next(c for c in customers if c["phone"] and c["wallets"])
        wallet = customer["wallets"][0]
        before = Decimal(wallet["balance"])
        change = Change(
            customer["organization_id"], customer["customer_id"], wallet["id"], before, before + NEW_BALANCE_STEP
        )
        balances = {change.wallet_id: change.after}
        with asking_simulator():
            self.simulator.change_customer(change.organization_id, change.customer_id, balances=balances)
        self.teller.say(f"in the simulator, one wallet of one customer goes from {change.before} to {change.after}")
        return change

    def _push_desired_states(self) -> None:
        """Write desired states as a CRM would, push them, show the outcome of each, and check it against the simulated Syrve."""
        desired_states = write_desired_states(self.warehouse)
        self.teller.say(
            f"in crm.customer, plain SQL writes {len(desired_states)} desired states: {', '.join(each.title for each in desired_states)}"
        )
        run_id = self._run(names.CRM_PUSH_DAG, {"dry_run": False})
        outcomes = read_outcomes(self.warehouse, run_id, desired_states)
        self.teller.console.print()
        self.teller.console.print(push_table(outcomes))
        with asking_simulator():
            answers = ask_syrve(self.simulator_url, names.API_LOGIN, desired_states)
        check_push(outcomes, answers)

    def _reconcile(self, customers: list[CustomerState]) -> None:
        """Let a site leave two holds dangling, find them, and release them as a person would."""
        with asking_simulator():
            payments = take_payments(self.simulator_url, names.API_LOGIN, customers)
        records = self.stack.paths.inbox / "site.csv"
        write_records(records, payments)
        self.teller.say(
            f"at Syrve, a site takes {len(payments)} payments: {'; '.join(each.title for each in payments)}"
        )
        conf = {"source": "file", "path": records.name, "dry_run": False}
        self._run(names.WALLET_IMPORT_DAG, conf)
        self._run(names.RECONCILE_DAG, {})
        flagged = read_findings(self.warehouse, payments)
        check_findings(flagged, payments, "open")
        self._run(names.RELEASE_HOLDS_DAG, {"dry_run": False}, answer=("approve", RELEASE_ALL))
        released = read_findings(self.warehouse, payments)
        check_findings(released, payments, "released")
        with asking_simulator():
            check_holds(self.simulator.holds(), payments)
        self.teller.console.print()
        self.teller.console.print(findings_table(flagged, released))

    def _hear_of_visits(self) -> None:
        """Let unknown guests order at a second account, the live service's, and follow its webhooks to their rows."""
        live = SimulatorControl(self.live_service_url)
        with asking_simulator():
            visits = Visits(live, self.warehouse, live.organizations()[0]["organization_id"])
            secret = make_secret(self.warehouse_dsn, visits.organization_id)
            receiver = f"{self.state.api_url}/syrve-signals/events"
            send_webhooks(self.live_service_url, visits.organization_id, receiver, secret)
        visits.check_nobody_is_known()
        self.teller.say(
            "a second account, of the live service, sends its webhooks to the receiver in Airflow's api-server"
        )

        def go_on() -> None:
            with asking_simulator():
                visits.go_on()

        go_on()  # the first order comes before the run that follows it: its wait includes the start of a task
        for _ in range(MOST_LISTENINGS):
            self._run(names.SIGNALS_DAG, {}, while_it_runs=go_on)
            if visits.are_over:
                break
        visits.check()
        self.teller.console.print()
        self.teller.console.print(visits_table(visits))

    def _show(self, landed: dict[str, dict[str, int]]) -> None:
        self.teller.console.print()
        self.teller.console.print(landed_table(landed))
        self.teller.console.print(runs_table(self.reports))

    def _conclude(self, first: RunCounts, second: RunCounts, change: Change) -> None:
        self.teller.paragraph(
            f"What happened: Airflow read the roster, looked {first.requested:,} identities up and wrote the "
            f"{first.found:,} customers it found into Postgres. Then one balance changed, all were looked up again, "
            f"and {second.changed} customer was written: the wallet has {change.after} in Postgres now, and {change.before} in "
            f"syrve.wallet_balance_history. The other {second.unchanged:,} cost no row."
        )
        self.teller.paragraph(
            "Then the CRM's desired states were compared with what Syrve has, and only what differed was sent. Another phone is not "
            "decided by a machine: it waits in crm.conflict until a person sets decision to crm or syrve. Look-ups show the rest in Syrve."
        )
        self.teller.paragraph(
            "And a site took two payments as many do: it held a guest's money and charged the sum besides, and it forgot the hold of an "
            "order that failed. Reconciliation flagged both holds; a second user answered Airflow's question, since money takes two "
            "people; the holds were cancelled, and Syrve was asked: the money is the guests' again."
        )
        self.teller.paragraph(
            "Last, guests whom the roster lacked ordered at a second account. Its webhooks were taken, checked and kept by the receiver; "
            "each guest was looked up at once, and the ledger knows the state of their orders."
        )


@contextmanager
def asking_simulator() -> Iterator[None]:
    """Turn every failure between us and the simulator into a StackError."""
    try:
        yield
    except (requests.RequestException, SimulatorRefusedError) as error:
        raise StackError(f"The simulator could not be asked ({type(error).__name__})") from error


def check_first_run(counts: RunCounts, roster: Roster) -> None:
    """Raise StackError when not every customer landed or a stranger did."""
    if (counts.found, counts.not_found) != (roster.known, roster.unknown):
        raise StackError(
            f"The run ended well, but found {counts.found} customers and missed {counts.not_found} identities, "
            f"where the roster has {roster.known} customers and {roster.unknown} strangers"
        )


def check_second_run(counts: RunCounts, first: RunCounts, change: Change, balances: list[Decimal]) -> None:
    """Raise StackError when the second run wrote anything but the one change, or missed it."""
    if (counts.found, counts.changed) != (first.found, 1):
        raise StackError(
            f"The second run ended well, but changed {counts.changed} of {counts.found} customers; one of {first.found} "
            "was to change"
        )
    if balances != [change.before, change.after]:
        seen = ", then ".join(map(str, balances)) or "nothing"
        raise StackError(
            f"The history of the wallet has {seen} in Postgres, where the simulator had {change.before}, then {change.after}"
        )


def _refuse_second(stack: Stack) -> None:
    state = stack.load()
    pid = f" (pid {state.starter.pid})" if state else ""
    raise StackError(f"A demo is at work in this checkout already{pid}: wait for it to end")


def _say_what_is_ignored(stack: Stack, teller: Teller) -> None:
    for variable in (names.SYRVE_CONNECTION_VARIABLE, names.WAREHOUSE_CONNECTION_VARIABLE):
        if stack.environ.get(variable):
            teller.plain(f"{variable} is set, and the demo leaves it alone: it uses its own simulator and Postgres.")
