"""Applies a plan: sends exactly its changes, some customers at once, and moves the agreement by what Syrve acknowledges.

For each row: is it still as planned? A new customer is looked for first, and only a real not-found creates. Each call is noted before it is
made and its outcome is written before anything else; so a task may be killed anywhere and the next one knows what to do.

Rows are sent under an approval of their run only: it is looked for in the transaction of each claim, by the digest of the plan as it was
when the task began. The warehouse lets no content change and no row come after the question.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass

from syrve.api.client import SyrveClient
from syrve.approvals.book import ApprovalBook, Content, RunOf
from syrve.crm.ledger import PushLedger
from syrve.crm.push_settings import PushSettings
from syrve.crm.sending import RowSender, Together
from syrve.crm.verdict import content_of_plan
from syrve.warehouse.database import Warehouse
from syrve.warehouse.leases import lease
from syrve.warehouse.runs import Counts, TaskKey, add_counts


@dataclass(frozen=True, slots=True)
class ApplyScope:
    """What one task sends: any open rows of one organization in one plan."""

    plan_id: int
    organization_id: str


class PushApply:
    """One task's push; `client` must be entered by the caller and is shared by up to `max_concurrency` threads."""

    def __init__(
        self,
        warehouse: Warehouse,
        client: SyrveClient,
        *,
        key: TaskKey,
        asked_by: RunOf,
        settings: PushSettings | None = None,
    ) -> None:
        self._warehouse = warehouse
        self._client = client
        self._key = key
        self._approval = ApprovalBook(warehouse, asked_by)
        self._settings = settings or PushSettings()

    def run(self, scope: ApplyScope) -> Counts:
        """Send what is open and return the outcome: `changed` are pushed, `found` linked, `unchanged` stale rows.

        Raises `NotApproved` if the run has no approval of the plan, a `SyrveError` that concerns all rows (login, right, settings, an
        organization without loyalty), `PushIncomplete` in an outage, and `WarehouseError`; what was acknowledged before stays, the rest of
        the plan is still open.
        """
        total = Counts()
        started = time.monotonic()
        most = min(self._settings.max_concurrency, self._client.config.max_concurrency)
        content = content_of_plan(self._warehouse, scope.plan_id)
        with self._warehouse.transaction("check the approval of a push") as cursor:
            self._approval.require(cursor, content)
        with self._opened(scope, content) as ledger:
            ledger.note_interrupted()
            is_open = ledger.count_open()
        counted = [Counts() for _ in range(min(most, is_open))]
        try:
            if counted:
                batch_size = min(self._settings.batch_size, math.ceil(is_open / len(counted)))
                self._work_in_threads(scope, content, counted, batch_size=batch_size)
        finally:
            for counts in counted:
                total.add(counts)
            total.seconds = time.monotonic() - started
            with self._warehouse.transaction("count the push") as cursor:
                add_counts(cursor, self._key, total)
        return total

    def _work_in_threads(
        self, scope: ApplyScope, content: Content, counted: Sequence[Counts], *, batch_size: int
    ) -> None:
        """Have a thread for each of `counted`; raise the first error of any once all have ended."""
        together = Together()
        with ThreadPoolExecutor(len(counted), thread_name_prefix="push") as pool:
            try:
                futures = [pool.submit(self._work, scope, content, together, counts, batch_size) for counts in counted]
                for future in as_completed(futures):
                    future.result()
            finally:
                together.stop.set()  # the others end after the row that they are at, also when the task is told to end

    def _work(self, scope: ApplyScope, content: Content, together: Together, counts: Counts, batch_size: int) -> None:
        """Claim rows and send them one after another until none is open or another thread says stop."""
        with self._opened(scope, content) as ledger:
            sender = RowSender(self._client, ledger, scope.organization_id, self._settings, counts, together)
            try:
                while not together.stop.is_set() and (crm_ids := ledger.claim(batch_size)):
                    for crm_id in crm_ids:
                        if not together.stop.is_set():
                            sender.push(crm_id)
            except BaseException:
                together.stop.set()
                raise
            finally:
                ledger.give_back()

    @contextmanager
    def _opened(self, scope: ApplyScope, content: Content) -> Iterator[PushLedger]:
        with self._warehouse.connect() as connection, lease(connection) as number:
            yield PushLedger(
                connection,
                plan_id=scope.plan_id,
                organization_id=scope.organization_id,
                run_id=self._key.run_id,
                lease=number,
                settings=self._settings,
                approval=self._approval,
                content=content,
            )
