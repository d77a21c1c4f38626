"""Operators of reconciliation: choose moment and organizations, settle what is unknown, evaluate the rules."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from syrve.operators.base import WarehouseOperator, task_key
from syrve.operators.rendered import as_moment, as_number, as_texts
from syrve.operators.wallet import WalletOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from syrve.findings.reconcile import Reconciliation

log = logging.getLogger(__name__)

CLOCK_SKEW = timedelta(minutes=5)
"""How far this machine's clock may be behind the scheduler's."""


class SyrvePlanReconcileOperator(WarehouseOperator):
    """Chooses the moment and the organizations: those that the ledger or open findings know. Asks the warehouse only.

    Returns a list of `{"organization_id"}`, one per mapped task. The moment is the end of the data interval; of a manual run, when it was
    started, or the form's `as_of`; each mapped task finds it by itself, since other users can change an XCom.
    """

    template_fields: Sequence[str] = ("as_of", "organization_ids", "thresholds")
    reads = ("syrve.organization",)

    def __init__(
        self,
        *,
        as_of: str | None = None,
        organization_ids: list[str] | str | None = None,
        thresholds: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.as_of = as_of
        self.organization_ids = organization_ids
        self.thresholds = thresholds

    def execute(self, context: Context) -> list[dict[str, str]]:
        """Choose them; raises `UnusableThresholds` before anything else is done."""
        from syrve.findings.thresholds import Thresholds
        from syrve.warehouse.sql_files import sql

        Thresholds.read(self.thresholds)
        moment = moment_of(context, self.as_of)
        chosen = [each.lower() for each in as_texts(self.organization_ids)]
        if not chosen:
            with self.warehouse().transaction("choose organizations") as cursor:
                cursor.execute(sql("reconcile/organizations.sql"))
                chosen = [organization_id for (organization_id,) in cursor.fetchall()]
        log.info("Findings of %d organization(s) as of %s", len(chosen), moment.isoformat())
        return [{"organization_id": each} for each in chosen]


class SyrveSettleOperator(WalletOperator):
    """Looks for evidence of operations without an outcome, the youngest first; returns the counts.

    Skips itself where a past moment is evaluated: what evidence shows now would change nothing of it.
    """

    template_fields: Sequence[str] = ("as_of", "organization_ids", "operations")
    reads = ("wallet.unsettled_operation", "syrve.wallet_balance")
    writes = ("wallet.operation_event",)

    def __init__(
        self,
        *,
        as_of: str | None = None,
        organization_ids: list[str] | str | None = None,
        operations: int | str = 200,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.as_of = as_of
        self.organization_ids = organization_ids
        self.operations = operations

    def execute(self, context: Context) -> dict[str, int]:
        """Settle them; where an organization could not be asked its error is raised, after the others."""
        from syrve.wallet.settle import Settler
        from syrve.wallet.settle_unknown import settle_unknown
        from syrve.warehouse.database import fetch_one

        if is_past(context, self.as_of):
            raise AirflowSkipException("A past moment is evaluated: nothing is settled")
        warehouse = self.warehouse()
        with warehouse.transaction("look for operations without an outcome") as cursor:
            cursor.execute(
                "select count(*) from wallet.unsettled_operation where settled_at is null and state in ('sent', 'unknown')"
            )
            if not fetch_one(cursor)[0]:
                return {"asked": 0, "settled": 0, "unknown": 0}
        with self.wallet().money() as money:
            result = settle_unknown(
                Settler(money),
                warehouse,
                as_texts(self.organization_ids),
                operations=as_number(self.operations) or 1,
            )
        log.info("Asked for %d operation(s): %d settled, %d stay unknown", result.asked, result.settled, result.unknown)
        self.publish(context, {"wallet.operation"} if result.settled else (), {"changed": result.settled})
        for error in result.failed.values():
            raise error
        return {"asked": result.asked, "settled": result.settled, "unknown": result.unknown}


class SyrveReconcileOperator(WarehouseOperator):
    """Evaluates the rules for one organization as of the run's moment; returns counts by rule.

    `given_as_of` is the moment of the form, if any. Unless the moment is past, customers with open holds are looked at often from then on.
    """

    template_fields: Sequence[str] = ("given_as_of", "thresholds")
    reads = (
        "wallet.operation",
        "wallet.operation_event",
        "wallet.hold",
        "wallet.payment_order",
        "syrve.wallet_balance",
    )
    writes = ("wallet.finding",)

    def __init__(
        self,
        *,
        organization_id: str,
        given_as_of: str | None = None,
        thresholds: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.organization_id = organization_id
        self.given_as_of = given_as_of
        self.thresholds = thresholds

    def execute(self, context: Context) -> dict[str, Any]:
        """Evaluate them."""
        from syrve.customers.watch import watch_open_holds
        from syrve.findings.reconcile import reconcile
        from syrve.findings.thresholds import Thresholds

        warehouse = self.warehouse()
        moment = moment_of(context, self.given_as_of)
        result = reconcile(
            warehouse,
            as_of=moment,
            organization_ids=[self.organization_id],
            thresholds=Thresholds.read(self.thresholds),
            run_id=context["run_id"],
        )
        self._count(context, result)
        by_change = {name: dict(getattr(result, name)) for name in ("open", "opened", "changed", "closed")}
        log.info("%s as of %s: %s", self.organization_id, moment.isoformat(), by_change)
        if not is_past(context, self.given_as_of):
            watched = watch_open_holds(warehouse, self.organization_id)
            log.info("%d customer(s) with open holds were made active", watched)
        return by_change

    def _count(self, context: Context, result: Reconciliation) -> None:
        from syrve.warehouse.runs import Counts, add_counts

        counts = Counts(found=result.open.total(), changed=result.written, seconds=result.seconds)
        counts.unchanged = counts.found - result.opened.total() - result.changed.total()
        with self.warehouse().transaction("count findings") as cursor:
            add_counts(cursor, task_key(context), counts)
        self.finish(context, counts)


def moment_of(context: Context, given: object) -> datetime:
    """Return the moment as of which a run looks: the form's, else the end of its data interval, else when it was started by hand.

    The same for all tasks of a run and all their tries. Raises `FindingsError` for a moment that is still to come.
    """
    from syrve.findings.errors import FindingsError

    moment = _given_moment(given)
    if moment is None and _run_type(context) != "manual":
        moment = context.get("data_interval_end")
    if moment is None:
        moment = getattr(context.get("dag_run"), "run_after", None) or datetime.now(UTC)
    if moment > datetime.now(UTC) + CLOCK_SKEW:
        raise FindingsError("as_of: the moment is still to come")
    return moment.astimezone(UTC)


def is_past(context: Context, given: object) -> bool:
    """Tell whether a run looks back on purpose: a backfill, or a moment of the form."""
    return _given_moment(given) is not None or _run_type(context) == "backfill"


def _given_moment(given: object) -> datetime | None:
    """Read the moment of the form; raise `FindingsError`, which no task retries, for what is none."""
    from syrve.findings.errors import FindingsError

    try:
        return as_moment(given)
    except ValueError as problem:
        raise FindingsError(f"as_of: {problem}") from None


def _run_type(context: Context) -> str:
    run_type = getattr(context.get("dag_run"), "run_type", "manual")
    return str(getattr(run_type, "value", run_type))
