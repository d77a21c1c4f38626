"""Operators of signals: read the order feed, follow signals, set webhooks up."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from syrve.hooks.warehouse import open_budget
from syrve.operators import assets, settings
from syrve.operators.base import SyrveOperator, format_counts, organization_served, task_key
from syrve.operators.coupons import SyrveOrganizationsOperator
from syrve.operators.customers import with_breaker
from syrve.operators.metrics import Meter
from syrve.operators.rendered import as_flag, as_number, as_text, as_texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Context

    from syrve.api.config import SyrveConfig
    from syrve.signals.set_webhooks import SetUp
    from syrve.warehouse.database import Warehouse
    from syrve.warehouse.runs import Counts, TaskKey

log = logging.getLogger(__name__)

OFF = (
    "The connection's dialect is the reference document's, which knows neither webhooks nor an order feed: nothing to do. "
    "If the account is one of the live service, set dialect to cloud"
)


def refuse_without_orders(config: SyrveConfig) -> None:
    """Skip the task if the connection's dialect has no orders."""
    if not config.capabilities.reports_orders:
        raise AirflowSkipException(OFF)


class SyrveOrderOrganizationsOperator(SyrveOrganizationsOperator):
    """Lists the organizations whose orders are read, or those of them that are wanted; skips itself if the dialect has no orders."""

    def execute(self, context: Context) -> list[str]:
        """List them."""
        refuse_without_orders(self.syrve().config())
        return super().execute(context)


class SyrveReadOrdersOperator(SyrveOperator):
    """Reads the order feed of one organization on from its bookmark, or with `days` the orders of the last days again; returns counts."""

    template_fields: Sequence[str] = ("organization_id", "days")

    def __init__(self, *, organization_id: str, days: int | str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.organization_id = organization_id
        self.days = days

    def execute(self, context: Context) -> dict[str, Any]:
        """Read the orders."""
        from syrve.signals.feed import OrderFeed

        hook, warehouse = self.syrve(), self.warehouse()
        config = hook.config()
        refuse_without_orders(config)
        days = as_number(self.days)
        served = organization_served(warehouse, self.organization_id, operation="orders", key=task_key(context))
        with open_budget(warehouse, config, bulk=True) as budget, hook.get_conn(budget) as client, served:
            feed = OrderFeed(warehouse, client, region=config.default_region, time_zone=config.time_zone)
            done = feed.backfill(self.organization_id, days=int(days)) if days else feed.read(self.organization_id)
        if done.fell_back and not done.is_doubted and not days:
            log.warning("The revision was missing or too old, so orders were read by date, %d page(s)", done.pages)
        if done.unreadable:
            log.warning("%d order(s) could not be read and were left out", done.unreadable)
        log.info("%d order(s) read, %d of them in a new state", done.orders, done.new_signals)
        return {
            "orders": done.orders,
            "new_signals": done.new_signals,
            "pages": done.pages,
            "fell_back": done.fell_back,
        }


class SyrveFollowSignalsOperator(SyrveOperator):
    """Follows signals for `listen_seconds`: makes their customers due, looks them up, reports orders; returns the counts.

    With 0 it works off what waits and ends. What fails for one organization keeps no other one from being followed; the task fails in
    the end.
    """

    template_fields: Sequence[str] = ("listen_seconds",)
    reads = ("sync.signal", "sync.roster")
    writes = (
        "syrve.customer",
        "syrve.wallet_balance",
        "syrve.card",
        "syrve.customer_category",
        "sync.roster",
        "wallet.payment_order",
    )

    def __init__(
        self,
        *,
        listen_seconds: int | str = 0,
        pulls: bool = True,
        notifications_conn_id: str = settings.NOTIFICATIONS_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.listen_seconds = listen_seconds
        self.pulls = pulls
        self.notifications_conn_id = notifications_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        """Follow."""
        from syrve.notifications.signals import tell_of_signals
        from syrve.signals.listen import Listener
        from syrve.signals.work import SignalWork
        from syrve.warehouse.runs import Counts

        config, warehouse = self.syrve().config(), self.warehouse()
        refuse_without_orders(config)
        work = SignalWork(warehouse)
        if self.pulls and not work.knows_organizations(config.login_fingerprint):
            self.refreshed_organizations(context)
        pulled, meter = Counts(), Meter(context)
        with ExitStack() as stack:
            pull = self._puller(config, warehouse, task_key(context), stack, pulled, meter) if self.pulls else _nothing
            listener = Listener(work, pull, account=config.login_fingerprint)
            done = listener.listen(as_number(self.listen_seconds) or 0)
        counts = done.as_dict()
        log.info("%s", ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in counts.items()))
        changed = set(pulled.changed_tables)
        changed |= {assets.PAYMENT_ORDER.name} if done.orders else set()
        changed |= {assets.ROSTER.name} if done.new_customers else set()
        self.publish(context, changed, counts)
        tell_of_signals(warehouse, conn_id=self.notifications_conn_id)
        for problem in listener.problems.values():
            raise problem
        return counts

    def _puller(
        self,
        config: SyrveConfig,
        warehouse: Warehouse,
        key: TaskKey,
        stack: ExitStack,
        pulled: Counts,
        meter: Meter,
    ) -> Callable[[str], None]:
        """Return what pulls an organization's signalled customers; the client is opened with the first of them."""
        from syrve.api.errors import LoyaltyNotConfigured
        from syrve.customers.claims import PullScope
        from syrve.customers.pull import CustomerPull
        from syrve.customers.pull_settings import BATCH_SIZE, pull_settings
        from syrve.notifications.breakers import tell_of_breakers
        from syrve.organizations import note_without_loyalty

        opened: dict[str, Any] = {}
        left_out: set[str] = set()

        def pull(organization_id: str) -> None:
            if organization_id in left_out:
                return
            if not opened:
                budget = stack.enter_context(open_budget(warehouse, config, bulk=True))
                opened["bulk"] = stack.enter_context(self.syrve().bulk(budget))
                opened["settings"] = with_breaker(pull_settings(BATCH_SIZE, budget.calls_per_minute("customer")))
            job = CustomerPull(
                warehouse, opened["bulk"], key=key, region=config.default_region, settings=opened["settings"]
            )
            try:
                counts = job.run(PullScope(organization_id, tier="signalled"))
            except LoyaltyNotConfigured as error:
                note_without_loyalty(warehouse, organization_id, error, key=key)
                left_out.add(organization_id)
                return
            finally:
                tell_of_breakers(warehouse, organization_id, conn_id=self.notifications_conn_id)
            pulled.add(counts)
            meter(pulled)
            log.info("After signals of %s: %s", organization_id, format_counts(counts))

        return pull


class SyrveWebhooksOperator(SyrveOperator):
    """Shows where webhooks of organizations go, and with `is_dry_run` false has ours added; returns what was found by organization.

    One organization that is gone, refused or has odd settings stops no other: it is noted in `sync.reject`, and the task fails in the end.
    One without a loyalty programme is only noted.
    What others have set stays: events are added to the filter, and webhooks that go to another address are moved only with `may_move`.
    Only `addresses` are set: webhooks hold orders with their guests, and who may start a run does not choose who gets them.
    A secret that is made goes to Syrve, and its hash to the warehouse; no person sees it.
    """

    template_fields: Sequence[str] = ("organization_ids", "url", "is_dry_run", "may_move", "renew")

    def __init__(
        self,
        *,
        organization_ids: list[str] | str | None = None,
        url: str | None = None,
        is_dry_run: bool | str = True,
        may_move: bool | str = False,
        renew: bool | str = False,
        addresses: Sequence[str] = settings.SIGNALS_ADDRESSES,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.organization_ids = organization_ids
        self.url = url
        self.addresses = tuple(addresses)
        self.is_dry_run = is_dry_run
        self.may_move = may_move
        self.renew = renew

    def execute(self, context: Context) -> dict[str, Any]:
        """Show, or set."""
        from syrve.organizations import chosen
        from syrve.signals.set_webhooks import set_up_each, set_webhooks

        hook, warehouse = self.syrve(), self.warehouse()
        config = hook.config()
        refuse_without_orders(config)
        visible = [each.organization_id for each in self.refreshed_organizations(context)]
        wanted = chosen(visible, as_texts(self.organization_ids))
        with open_budget(warehouse, config, bulk=False) as budget, hook.get_conn(budget) as client:
            set_up = partial(
                set_webhooks,
                warehouse,
                client,
                url=as_text(self.url) or "",
                addresses=self.addresses,
                is_dry_run=as_flag(self.is_dry_run),
                may_move=as_flag(self.may_move),
                renew=as_flag(self.renew),
            )
            done = set_up_each(wanted, set_up)
        for organization_id, shown in done.found.items():
            log.info("%s: %s", organization_id, shown)
        done.refuse_if_any(left_out=self._note(warehouse, done, task_key(context)))
        return done.found

    @staticmethod
    def _note(warehouse: Warehouse, done: SetUp, key: TaskKey) -> set[str]:
        """Note each organization with a problem, close what was noted of the others; returns those without loyalty."""
        from syrve.api.errors import LoyaltyNotConfigured
        from syrve.organizations import note_passed_over, note_served

        for organization_id in done.found:
            note_served(warehouse, organization_id, operation="webhooks")
        for organization_id, problem in done.problems.items():
            log.warning("%s is passed over: %s", organization_id, problem)
            note_passed_over(warehouse, organization_id, str(problem), operation="webhooks", key=key)
        return {each for each, problem in done.problems.items() if isinstance(problem, LoyaltyNotConfigured)}


def _nothing(_organization_id: str) -> None:
    pass
