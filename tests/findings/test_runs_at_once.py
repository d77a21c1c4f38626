"""Two runs at one organization, a run that is killed, and a person at work meanwhile."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from fixtures.books import Book, after
from fixtures.waiting import wait_until
from fixtures.wallets import in_another_process
from syrve.findings import reconcile as module
from syrve.warehouse.database import Warehouse


def filled(book: Book) -> None:
    for number in range(6):
        hold = book.hold(after(hours=number), f"{number + 1}.00")
        if number % 2:
            book.cancel(hold, after(days=1, hours=number))


def test_days_that_are_worked_out_at_once_say_what_they_say_one_by_one(book: Book) -> None:
    filled(book)
    days = [after(days=1) + timedelta(hours=hour) for hour in range(6)]
    for day in days:
        book.reconcile(day)
    one_by_one = [(book.open_at(day), book.counts(day)) for day in days]
    book.run("truncate wallet.finding cascade")
    book.run("truncate wallet.finding_evaluation, wallet.finding_count")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(book.reconcile, [*reversed(days), *days]))

    assert [(book.open_at(day), book.counts(day)) for day in days] == one_by_one


def test_run_that_is_killed_leaves_nothing_and_holds_up_nobody(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(book)

    def killed(cursor: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def run() -> None:
        monkeypatch.setattr(module, "_result", killed)  # all is written and nothing committed
        book.warehouse = Warehouse(book.warehouse.url)
        book.reconcile(after(days=1))

    assert in_another_process(run) == -signal.SIGKILL

    assert book.rows("select count(*) from wallet.finding_evaluation") == [(0,)]
    assert book.reconcile(after(days=1)).opened["hold_without_order"] == 6


def test_person_who_acknowledges_meanwhile_is_heard(book: Book) -> None:
    book.hold()
    book.reconcile(after(days=1))
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    with ThreadPoolExecutor(1) as pool:
        with book.connection, book.connection.cursor() as cursor:
            cursor.execute("update wallet.finding set status = 'acknowledged'")
            run = pool.submit(book.reconcile, after(days=2))
            wait_until(lambda: read(book, waiting) == 1)  # reconciliation waits for the person
        run.result()

    assert book.rows("select distinct status from wallet.finding") == [("acknowledged",)]
    assert book.finding("stale_hold")["last_seen_at"] == after(days=2)


def read(book: Book, query: str) -> int:
    with book.warehouse.transaction("look") as cursor:
        cursor.execute(query)
        return int(cursor.fetchall()[0][0])
