"""The report of a run: what its CSV and its page say, and that they say it safely, whatever the findings hold."""

import base64
import csv
import hashlib
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from fixtures.books import GUEST, ORGANIZATION, OTHER_ORGANIZATION, START, WALLET, Book, after
from syrve.reports.cells import WITHHELD
from syrve.reports.gather import CSV_COLUMNS
from syrve.reports.page import RuleText
from syrve.reports.report import LATEST, Report, file_names, make_report

LATER = after(hours=6)
RULES = {"stale_hold": RuleText("A hold has been open for too long.", "Release it.")}
MOST_BYTES = 1_000_000
PLANTED = {
    "name": "Кенариус",
    "surname": "Canarinsky",
    "phone": "+79757771234",
    "e-mail": "canary@example.com",
}


class Page(HTMLParser):
    """What a page consists of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attributes}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def report(book: Book, tmp_path: Path) -> Callable[..., Report]:
    def make(as_of: datetime = LATER, run_id: str = "scheduled__1", **options: Any) -> Report:
        return make_report(book.warehouse, tmp_path, as_of=as_of, run_id=run_id, rules=RULES, **options)

    return make


def rows_of(report: Report) -> list[dict[str, str]]:
    with report.files[report.csv_name].open(newline="") as file:
        return list(csv.DictReader(file))


def page_of(report: Report) -> str:
    return report.files[report.html_name].read_text()


def add_finding(book: Book, subject: str, rule: str = "own_rule", amount: str | None = "5", **fields: Any) -> None:
    values = {"severity": "low", "evidence": "{}", "organization": ORGANIZATION} | fields
    book.run(
        "with made as (insert into wallet.finding (rule, subject, organization_id, amount_at_risk, severity, evidence, first_seen_at, "
        "last_seen_at) values (%s, %s, %s, %s, %s, %s, %s, %s) returning *) "
        "insert into wallet.finding_version (finding_id, version, as_of, status, severity, amount_at_risk, evidence, reason) "
        "select finding_id, 1, first_seen_at, status, severity, amount_at_risk, evidence, 'opened' from made",
        (rule, subject, values["organization"], amount, values["severity"], values["evidence"], START, START),
    )


def test_csv_holds_every_open_finding_with_the_columns_of_the_contract(
    book: Book, report: Callable[..., Report]
) -> None:
    stale = book.hold(order="7", amount="12.50")
    book.order("7", "open", START)
    ended = book.hold(order="8")
    book.order("8", "open", START)
    book.reconcile(after(hours=5))
    book.cancel(ended, after(hours=5.5))
    book.reconcile(LATER)

    (row,) = rows_of(report())

    assert tuple(row) == CSV_COLUMNS
    assert row["subject"] == f"hold:{stale}"
    assert (row["rule"], row["severity"], row["status"]) == ("stale_hold", "medium", "open")
    assert (row["organization_id"], row["customer_id"], row["wallet_id"]) == (ORGANIZATION, GUEST, WALLET)
    assert (row["amount_at_risk"], row["age_seconds"]) == ("12.50", "3600")
    assert (row["as_of"], row["first_seen_at"]) == ("2026-03-02T15:00:00Z", "2026-03-02T14:00:00Z")
    assert '"order_id":"7"' in row["evidence"]
    assert '"amount":12.50' in row["evidence"]


def test_same_run_writes_the_same_bytes_under_the_same_names(book: Book, report: Callable[..., Report]) -> None:
    for number in range(5):
        book.hold(order=str(number), amount=f"{number + 1}.00")
    book.reconcile(LATER)

    first = report()
    before = {name: file.read_bytes() for name, file in first.files.items()}
    again = report()

    assert {name: file.read_bytes() for name, file in again.files.items()} == before
    assert set(report(run_id="manual__2").files) & set(before) == {LATEST}


def test_names_sort_by_moment_and_hold_nothing_of_the_run_id() -> None:
    moments = [LATER, LATER + timedelta(hours=1), LATER + timedelta(days=40)]
    names = [name for moment in moments for name in file_names(moment, "../../etc/passwd")]

    assert names == sorted(names)
    assert file_names(LATER.astimezone(timezone(timedelta(hours=3))), "run") == file_names(LATER, "run")
    assert all(re.fullmatch(r"\d{4}-\d\d/findings-\d{8}T\d{6}Z-[0-9a-f]{8}\.(csv|html)", name) for name in names)


def test_page_asks_for_nothing_and_forbids_all_but_its_own_style(book: Book, report: Callable[..., Report]) -> None:
    book.hold(order="7")
    book.reconcile(LATER)
    text = page_of(report())
    page = Page(text)

    assert not page.all("script") + page.all("link") + page.all("img") + page.all("iframe")
    assert [attributes for _, attributes in page.elements if "style" in attributes or "src" in attributes] == []
    assert [name for _, attributes in page.elements for name in attributes if name.startswith("on")] == []
    (anchor,) = page.all("a")
    assert re.fullmatch(r"findings-[\w-]+\.csv", anchor["href"]), "beside the page"
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [each["content"] for each in page.all("meta") if "http-equiv" in each]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "url(" not in style
    assert "@import" not in style


def test_every_chart_has_a_title_a_description_and_a_table_beside_it(book: Book, report: Callable[..., Report]) -> None:
    book.hold(order="7")
    book.reconcile(LATER)
    text = page_of(report())
    page = Page(text)

    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    charts = [each for each in page.all("svg") if each.get("role") == "img"]
    assert len(charts) == 3
    assert {name for chart in charts for name in chart["aria-labelledby"].split()} <= set(ids)
    assert len(page.all("caption")) == len(page.all("table")) == 4
    assert all(each.get("scope") in ("col", "row") for each in page.all("th"))
    used = set(re.findall(r"var\(--([\w-]+)\)", text))
    assert {name for name in used if f"--{name}:" not in text} == set(), "every colour is defined"


def test_page_says_how_much_is_at_risk_and_counts_a_hold_of_several_rules_once(
    book: Book, report: Callable[..., Report]
) -> None:
    book.hold(order="7", amount="40.00")
    book.hold(order="7", amount="60.00", at=after(minutes=10))
    book.reconcile(LATER)
    assert book.rules_at(LATER) == {"stale_hold": 2, "hold_without_order": 2, "duplicate_hold": 1}

    made = report()

    assert (made.findings, made.at_risk) == (5, Decimal("100.00"))
    assert Page(page_of(made)).text.count("– 60.00 40.00 –") == 1, (
        "each hold at its gravest: high for the duplicate, else medium"
    )
    text = Page(page_of(made)).text
    assert "100.00 money at risk" in text
    assert "5 open findings, 1 of them critical or high" in text
    assert "5 opened" in text
    assert "A hold has been open for too long. Do: Release it." in text


def test_finding_without_an_amount_is_counted_and_said(book: Book, report: Callable[..., Report]) -> None:
    add_finding(book, "wallet:1", amount=None)

    made = report()

    assert (made.findings, made.at_risk) == (1, Decimal(0))
    assert rows_of(made)[0]["amount_at_risk"] == ""
    assert "1 of the findings have no amount" in Page(page_of(made)).text


def test_no_findings_are_told_apart_from_nothing_worked_out(book: Book, report: Callable[..., Report]) -> None:
    assert "Nothing is known" in Page(page_of(report())).text

    book.reconcile(LATER)
    made = report()

    assert "No findings" in Page(page_of(made)).text
    assert rows_of(made) == []
    assert made.files[made.csv_name].read_text() == ",".join(CSV_COLUMNS) + "\n"


def test_organization_that_was_not_worked_out_is_named_with_its_last_time(
    book: Book, report: Callable[..., Report]
) -> None:
    book.reconcile(after(hours=5), OTHER_ORGANIZATION)
    book.reconcile(LATER, ORGANIZATION)

    text = Page(page_of(report())).text

    assert (
        f"1 of 2 organizations were not evaluated as of this moment, and are shown as last known: {OTHER_ORGANIZATION}"
        in text
    )


def test_past_moment_shows_what_was_true_then_and_leaves_the_latest_page_alone(
    book: Book, report: Callable[..., Report]
) -> None:
    hold = book.hold(order="7")
    book.order("7", "open", START)
    for hours in (5, 6):
        book.reconcile(after(hours=hours))
    book.cancel(hold, after(hours=7))
    book.reconcile(after(hours=8))

    past, newest = report(after(hours=6)), report(after(hours=8))

    assert (past.findings, newest.findings) == (1, 0)
    assert (past.is_newest, newest.is_newest) == (False, True)
    assert (LATEST in past.files, LATEST in newest.files) == (False, True)
    assert "1 findings opened and 1 closed" in Page(page_of(newest)).text


def test_chosen_organizations_only_and_then_not_as_the_latest(book: Book, report: Callable[..., Report]) -> None:
    for organization in (ORGANIZATION, OTHER_ORGANIZATION):
        book.hold(order="7", organization=organization)
    book.reconcile(LATER, ORGANIZATION, OTHER_ORGANIZATION)

    made = report(organization_ids=[OTHER_ORGANIZATION])

    assert {row["organization_id"] for row in rows_of(made)} == {OTHER_ORGANIZATION}
    assert ORGANIZATION not in page_of(made)
    assert LATEST not in made.files


def test_csv_holds_nothing_that_a_spreadsheet_takes_for_a_formula(book: Book, report: Callable[..., Report]) -> None:
    for number, start in enumerate(("=", "+", "-", "@", "\t", "\r", "\n", " =", "＝")):
        add_finding(book, f'{start}HYPERLINK("http://x","{number}")', rule=f"{start}1{number}")

    cells = [value for row in rows_of(report()) for value in row.values()]

    assert cells.count(WITHHELD) == 18
    assert not [value for value in cells if value.strip().startswith(("=", "+", "-", "@", "＝"))]


def test_whatever_a_finding_holds_is_text_on_the_page(book: Book, report: Callable[..., Report]) -> None:
    nasty = "<script>alert(1)</script>"
    add_finding(book, f"wallet:{nasty}", rule=nasty)

    text = page_of(report(run_id=nasty))

    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_names_and_phones_reach_no_file_even_from_a_careless_rule(book: Book, report: Callable[..., Report]) -> None:
    book.look((START, "100"), (after(hours=1), "90"))
    book.run("update syrve.customer set name = %s, surname = %s, phone = %s, email = %s", tuple(PLANTED.values()))
    book.hold(order="7")
    book.reconcile(LATER)
    for number, planted in enumerate(PLANTED.values()):
        evidence = f'{{"order_id": "{number}", "guest": "{planted} {planted}", "deep": [{{"{planted} ": "+7{number} {planted}"}}]}}'
        add_finding(book, f"guest {planted}", rule=f"rule of {planted}", evidence=evidence)

    made = report()

    written = "".join(file.read_text() for file in made.files.values())
    assert [planted for planted in PLANTED.values() if planted in written] == []
    assert WITHHELD in written
    assert len(rows_of(made)) > len(PLANTED)


def test_page_of_many_findings_stays_small_while_the_csv_holds_all(book: Book, report: Callable[..., Report]) -> None:
    book.run(
        "insert into wallet.finding (rule, subject, organization_id, hold_id, amount_at_risk, severity, first_seen_at, last_seen_at) "
        "select 'rule_' || n %% 40, 'hold:' || n, md5((n %% 60)::text)::uuid, md5(n::text)::uuid, n, 'high', %s, %s "
        "from generate_series(1, 6000) as n",
        (START, START),
    )
    book.run(
        "insert into wallet.finding_version (finding_id, version, as_of, status, severity, amount_at_risk, reason) "
        "select finding_id, 1, first_seen_at, status, severity, amount_at_risk, 'opened' from wallet.finding"
    )

    made = report()

    assert made.files[made.html_name].stat().st_size < MOST_BYTES
    with made.files[made.csv_name].open() as file:
        assert sum(1 for _ in file) == 6_001
    text = Page(page_of(made)).text
    assert "The gravest 50 of 6,000 findings" in text
    assert "“others” are 46 organizations" in text
    assert made.at_risk == sum(range(1, 6_001))
