"""Telling channels what changed: once a change, nothing lost where one fails, and nobody told twice by two runs."""

import os
import signal
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from fixtures.books import GUEST, ORGANIZATION, OTHER_ORGANIZATION, START, Book, after
from fixtures.channels import Mailbox, Webhook
from fixtures.waiting import wait_until
from fixtures.wallets import in_another_process
from syrve.notifications.channels import Channel
from syrve.notifications.errors import ChannelFailed
from syrve.notifications.tell import Notified, Occasion, newest_moment, tell
from syrve.warehouse.database import Warehouse
from syrve.warehouse.errors import WarehouseError

LINK = "https://reports.example.org/findings.html"
NAME = "syrve_notifications/json"


class Telling:
    """Reconciles a book as of a moment, and tells the channels."""

    def __init__(self, book: Book, channels: list[Channel]) -> None:
        self.book = book
        self.channels = channels

    def tell(self, as_of: datetime | None = None, **options: Any) -> Notified:
        moment = as_of or newest_moment(self.book.warehouse) or START
        return tell(self.book.warehouse, self.channels, Occasion(moment, "run", LINK, **options))

    def at(self, hours: float, *organizations: str) -> Notified:
        self.book.reconcile(after(hours=hours), *organizations)
        return self.tell(after(hours=hours))

    def reported(self) -> list[tuple[Any, ...]]:
        counts = "opened_count, raised_count, amount_changed_count, closed_count, passed_count"
        return self.book.rows(f"select {counts} from wallet.notification where channel = %s order by sent_at", NAME)


@pytest.fixture
def telling(book: Book, webhook: Webhook, connecting: Any) -> Telling:
    return Telling(book, connecting(webhook.path))


def stale(book: Book, order: str = "7", **fields: Any) -> str:
    """A hold that is stale from the fourth hour on, and nothing else."""
    book.order(order, "open", START)
    return book.hold(order=order, **fields)


def amend(book: Book, **fields: Any) -> None:
    """Let the one finding be another, as a version of a next hour."""
    names = ", ".join(f"{name} = %s" for name in fields)
    book.run(f"update wallet.finding set {names}", tuple(fields.values()))
    book.run(
        "insert into wallet.finding_version (finding_id, version, as_of, status, severity, amount_at_risk, reason) select finding_id, "
        "(select max(version) + 1 from wallet.finding_version), last_seen_at + interval '1 minute', status, severity, amount_at_risk, "
        "'changed' from wallet.finding"
    )


def test_finding_is_told_when_it_opens_and_when_it_closes_and_not_in_between(
    book: Book, telling: Telling, webhook: Webhook
) -> None:
    hold = stale(book, amount="12.50")

    assert telling.at(3).nothing_new == [NAME]
    assert telling.at(4).sent == {NAME: {"opened": 1}}
    assert telling.at(5).nothing_new == telling.tell().nothing_new == [NAME]
    book.cancel(hold, after(hours=6))
    assert telling.at(6).sent == {NAME: {"closed": 1}}
    assert telling.at(7).nothing_new == [NAME]

    first, second = webhook.taken
    assert first["title"] == "Syrve wallets: 1 opened"
    assert first["message"] == (
        "Wallet findings as of 2026-03-02 13:00 UTC, the first message here: all that is open.\n\n"
        f"Organization {ORGANIZATION}\n- stale_hold (medium): 1 opened, 12.50\n\n"
        f"Open in all: 1, 12.50 at risk.\nReport: {LINK}"
    )
    assert (first["type"], second["type"]) == ("warning", "success")
    assert "- stale_hold (medium): 1 closed, 12.50; now none open\n\nNothing is open now." in second["message"]
    assert telling.reported() == [(1, 0, 0, 0, 0), (0, 0, 0, 1, 0)]


def test_message_groups_by_organization_and_rule(book: Book, telling: Telling, webhook: Webhook) -> None:
    for number in range(3):
        stale(book, str(number), amount=f"{number + 1}.00")
    book.hold(order="x", organization=OTHER_ORGANIZATION, amount="1000.00")
    book.charge(after(minutes=5), order="x", organization=OTHER_ORGANIZATION, amount="1000.00")

    telling.at(4, ORGANIZATION, OTHER_ORGANIZATION)

    (posted,) = webhook.taken
    assert posted["title"] == "Syrve wallets: 5 opened"
    assert posted["type"] == "failure", "one of them is critical"
    other, own = posted["message"].split("Organization ")[1:]
    thousand = "1\N{NO-BREAK SPACE}000.00"
    assert other.startswith(
        f"{OTHER_ORGANIZATION}\n- charged_hold_open (critical): 1 opened, {thousand}\n- hold_without_order (low)"
    )
    assert own.startswith(f"{ORGANIZATION}\n- stale_hold (medium): 3 opened, 6.00\n")
    assert "Open in all: 5, 1\N{NO-BREAK SPACE}006.00 at risk." in own


def test_severity_is_told_when_it_rises_and_not_when_it_falls(book: Book, telling: Telling, webhook: Webhook) -> None:
    stale(book)
    telling.at(4)

    amend(book, severity="low")
    assert telling.tell().nothing_new == [NAME]
    amend(book, severity="critical")
    assert telling.tell().sent == {NAME: {"raised": 1}}
    assert telling.tell().nothing_new == [NAME]
    assert "- stale_hold (critical): 1 became graver, 100.00; now 1 open, 100.00" in webhook.taken[-1]["message"]


def test_small_changes_of_amount_add_up_until_they_are_worth_saying(
    book: Book, telling: Telling, webhook: Webhook
) -> None:
    stale(book)
    telling.at(4)

    for amount in (104, 109):
        amend(book, amount_at_risk=amount)
        assert telling.tell().nothing_new == [NAME]
    amend(book, amount_at_risk=110)
    assert telling.tell().sent == {NAME: {"amount_changed": 1}}
    assert "1 changed in amount, 100.00 before, 110.00 now" in webhook.taken[-1]["message"]
    amend(book, amount_at_risk=None)
    assert telling.tell().sent == {NAME: {"amount_changed": 1}}
    assert "110.00 before, amount not known now" in webhook.taken[-1]["message"]


def test_what_a_person_acknowledged_is_no_news(book: Book, telling: Telling) -> None:
    stale(book)
    telling.at(4)
    book.run("update wallet.finding set status = 'acknowledged'")

    assert telling.at(5).nothing_new == [NAME]


def test_finding_that_opens_again_is_told_again(book: Book, telling: Telling) -> None:
    stale(book)
    telling.at(4)
    book.order("7", "cancelled", after(hours=4.1))
    telling.at(5)
    book.order("7", "open", after(hours=5.1))

    assert telling.at(6).sent[NAME]["opened"] == 1


def test_failed_send_loses_nothing_not_even_what_closed_meanwhile(
    book: Book, telling: Telling, webhook: Webhook
) -> None:
    stale(book, "1")
    telling.at(4)
    webhook.status = 500
    passing = stale(book, "2", amount="7.00", at=after(hours=1))
    stale(book, "3", amount="9.00", at=after(hours=1))
    with pytest.raises(ChannelFailed, match=f"not taken by {NAME}"):
        telling.at(5)
    book.cancel(passing, after(hours=5.5))
    with pytest.raises(ChannelFailed):
        telling.at(6)

    webhook.status = 200
    assert telling.at(7).sent == {NAME: {"opened": 1, "passed": 1}}
    assert "1 opened, 9.00; 1 opened and closed in between, 7.00; now 2 open, 109.00" in webhook.taken[-1]["message"]
    assert telling.at(8).nothing_new == [NAME]
    assert len(webhook.taken) == 2


def test_new_channel_is_told_what_is_open_and_nothing_of_the_past(
    book: Book, telling: Telling, webhook: Webhook
) -> None:
    ended = stale(book, "1")
    stale(book, "2")
    book.reconcile(after(hours=4))
    book.cancel(ended, after(hours=5))

    assert telling.at(6).sent == {NAME: {"opened": 1}}


def test_one_channel_that_fails_stands_in_no_other_way_and_each_is_told_once(
    book: Book, webhook: Webhook, mailbox: Mailbox, connecting: Any
) -> None:
    telling = Telling(book, connecting(webhook.path, mailbox.path))
    webhook.status = 503
    stale(book)
    with pytest.raises(ChannelFailed, match="told: syrve_notifications/mailto"):
        telling.at(4)

    webhook.status = 200
    told = telling.tell()

    assert told.sent == {NAME: {"opened": 1}}
    assert told.nothing_new == ["syrve_notifications/mailto"]
    assert (len(webhook.taken), len(mailbox.mails)) == (1, 1)


def test_two_runs_at_once_speak_once(book: Book, telling: Telling, webhook: Webhook, connecting: Any) -> None:
    (channel,) = connecting(webhook.path.replace("rto=0.3", "rto=9"))
    stale(book)
    book.reconcile(after(hours=4))
    webhook.gate.clear()
    occasion = Occasion(after(hours=4), "run")
    runs = [threading.Thread(target=tell, args=(book.warehouse, [channel], occasion)) for _ in range(2)]

    for run in runs:
        run.start()
    waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
    wait_until(lambda: book.rows(waiting) == [(1,)])
    webhook.gate.set()
    for run in runs:
        run.join()

    assert len(webhook.taken) == 1
    assert telling.reported() == [(1, 0, 0, 0, 0)]


class DyingChannel(Channel):
    """Dies right after its message was taken."""

    def send(self, title: str, body: str, kind: Any) -> bool:
        super().send(title, body, kind)
        os.kill(os.getpid(), signal.SIGKILL)
        return True


def test_run_that_dies_between_sending_and_writing_is_told_once_more_and_no_more(
    book: Book, telling: Telling, webhook: Webhook
) -> None:
    stale(book)
    book.reconcile(after(hours=4))
    dying = [DyingChannel(channel.name, channel.service) for channel in telling.channels]

    status = in_another_process(lambda: tell(book.warehouse, dying, Occasion(after(hours=4), "run")))

    assert status == -signal.SIGKILL
    assert telling.reported() == []
    assert telling.tell().sent == {NAME: {"opened": 1}}
    assert telling.tell().nothing_new == [NAME]
    assert len(webhook.taken) == 2


def test_warehouse_that_fails_after_sending_is_an_error_and_told_once_more(
    book: Book, telling: Telling, webhook: Webhook
) -> None:
    stale(book)
    book.reconcile(after(hours=4))
    book.run("alter table wallet.notification add constraint refuses check (false) not valid")
    try:
        with pytest.raises(WarehouseError):
            telling.tell()
    finally:
        book.run("alter table wallet.notification drop constraint refuses")

    assert telling.tell().sent == {NAME: {"opened": 1}}
    assert len(webhook.taken) == 2


def test_many_groups_are_told_in_one_line_beyond_the_gravest(book: Book, telling: Telling, webhook: Webhook) -> None:
    book.run(
        "insert into wallet.finding (rule, subject, organization_id, amount_at_risk, severity, first_seen_at, last_seen_at) "
        "select 'rule', 'wallet:' || n, md5(n::text)::uuid, n, 'high', %s, %s from generate_series(1, 200) as n",
        (START, START),
    )
    book.run(
        "insert into wallet.finding_version (finding_id, version, as_of, status, severity, amount_at_risk, reason) "
        "select finding_id, 1, first_seen_at, status, severity, amount_at_risk, 'opened' from wallet.finding"
    )

    telling.tell()

    message = webhook.taken[-1]["message"]
    assert message.count("Organization ") == 30
    assert "200.00" in message, "the largest first"
    assert "And in 170 more groups: 170 opened, 14\N{NO-BREAK SPACE}535.00." in message


def test_names_and_phones_reach_no_message(book: Book, telling: Telling, webhook: Webhook) -> None:
    book.look((START, "100"), (after(hours=1), "90"))
    book.run("update syrve.customer set name = 'Кенариус', phone = '+79757771234'")
    stale(book, guest=GUEST)
    telling.at(4)
    amend(book, rule="rule of Кенариус", severity="critical")

    telling.tell()

    assert len(webhook.taken) == 2
    told = "".join(each["title"] + each["message"] for each in webhook.taken)
    assert "- (withheld) (critical): 1 became graver" in told
    assert "Кенариус" not in told
    assert "+79757771234" not in told


def test_loader_role_may_tell_and_report(
    book: Book, telling: Telling, make_login: Callable[[str], str], tmp_path: Path
) -> None:
    from syrve.reports.report import make_report

    stale(book)
    book.reconcile(after(hours=4))
    loader = Warehouse(book.warehouse.url.set(username=make_login("syrve_loader")))

    assert tell(loader, telling.channels, Occasion(after(hours=4), "run")).sent == {NAME: {"opened": 1}}
    assert make_report(loader, tmp_path, as_of=after(hours=4), run_id="run", rules={}).findings == 1
    for statement in ("delete from wallet.notification", "update wallet.notification set run_id = ''"):
        with pytest.raises(WarehouseError, match="42501"), loader.transaction("try") as cursor:
            cursor.execute(statement)
