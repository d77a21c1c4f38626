"""docs/questions.md: every statement of the page, run as an analyst, gives what was planted."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from devstack.postgres import PostgresServer
from fixtures.logins import login_of
from syrve.customers.daily_balance import keep_daily_balance
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from warehouse.planted import ONE, THREE, TWO, customer_id, plant

PAGE = (Path(__file__).parents[2] / "docs" / "questions.md").read_text(encoding="utf-8")
MOSCOW = ZoneInfo("Europe/Moscow")
ZONES = {"One": MOSCOW, "Two": UTC, "Three": UTC}


def statements(heading: str) -> list[str]:
    """The SQL below a heading of the page."""
    section = re.search(rf"^## {re.escape(heading)}.*?(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section, heading
    return re.findall(r"```sql\n(.*?)```", section[0], re.DOTALL)


@pytest.fixture(scope="module")
def owner(lasting_warehouse: Warehouse) -> Warehouse:
    plant(lasting_warehouse)
    return lasting_warehouse


@pytest.fixture(scope="module")
def analyst(owner: Warehouse, postgres_server: PostgresServer) -> Iterator[Warehouse]:
    with login_of(postgres_server, "syrve_analyst") as name:
        yield Warehouse(owner.url.set(username=name))


def plain(value: Any) -> Any:
    """Ids as text, whichever way the driver was told to give them."""
    return str(value) if isinstance(value, UUID) else value


def ask(warehouse: Warehouse, statement: str) -> list[dict[str, Any]]:
    with warehouse.transaction("ask") as cursor:
        cursor.execute(statement)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, map(plain, row), strict=True)) for row in cursor.fetchall()]


def answer(analyst: Warehouse, heading: str) -> list[dict[str, Any]]:
    [statement] = statements(heading)
    return ask(analyst, statement)


def at(**ago: float) -> datetime:
    return datetime.now(UTC) - timedelta(**ago)


def end_of(day: date, zone: Any) -> datetime:
    return min(datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(days=1), datetime.now(UTC))


def outstanding(moment: datetime) -> Decimal:
    """What the customers of One who are not deleted had in bonus by then."""
    first = Decimal("100.10") if moment > at(days=2) else Decimal("80.05") if moment > at(days=10) else Decimal(90)
    return first + 50 + (0 if moment > at(days=3) else 30)


def test_outstanding_bonus_is_known_from_the_first_pull_on(analyst: Warehouse) -> None:
    found = answer(analyst, "1.")

    seen = {(row["name"], row["day"]): row for row in found}
    ends = {day for name, day in seen if name == "Two"}
    assert len(ends) >= 3
    assert all((day + timedelta(days=1)).day == 1 for _, day in seen)
    assert all(row["balance"] is None and not row["is_observed"] for (name, _), row in seen.items() if name == "Two")
    first = at(days=70).astimezone(MOSCOW).date()
    for day in ends:
        row = seen["One", day]
        expected = None if day < first else outstanding(end_of(day, MOSCOW))
        assert (row["balance"], row["is_observed"]) == (expected, expected is not None), day


def test_balance_of_every_day_is_that_of_the_history(analyst: Warehouse) -> None:
    query = f"""
        select day, is_deleted, balance, wallets, customers, is_final from analytics.daily_balance
        where organization_id = '{ONE}' and wallet_type = 'bonus' and is_observed order by day
    """
    rows = [row for row in ask(analyst, query) if not row["is_deleted"]]

    assert len(rows) == 71 + (at(days=70).astimezone(MOSCOW).date() != at().astimezone(MOSCOW).date() - timedelta(70))
    assert [row["balance"] for row in rows] == [outstanding(end_of(row["day"], MOSCOW)) for row in rows]
    assert [row["is_final"] for row in rows[-2:]][-1] is False
    assert all(row["is_final"] for row in rows[:-2])


def test_deleted_customers_and_goods_stand_apart(analyst: Warehouse) -> None:
    query = f"""
        select wallet_type, is_money, is_deleted, balance, customers from analytics.daily_balance
        where organization_id = '{ONE}' and day = (now() at time zone 'Europe/Moscow')::date order by wallet_type, is_deleted
    """

    assert [tuple(row.values()) for row in ask(analyst, query)] == [
        ("bonus", True, False, Decimal("150.10"), 2),
        ("bonus", True, True, Decimal("30.00"), 1),
        ("product", False, False, Decimal(7), 1),
    ]


def test_adding_up_again_changes_open_days_only(owner: Warehouse) -> None:
    query = "select organization_id, day, wallet_type, is_deleted, balance, is_final from syrve.daily_balance order by 1, 2, 3, 4"
    versions = "select count(*) from syrve.daily_balance where is_final and xmin::text::bigint >= {}"
    before = ask(owner, query)
    [now] = ask(owner, "select pg_current_xact_id()::text::bigint as id")

    assert 2 <= keep_daily_balance(owner) <= 4
    assert ask(owner, query) == before
    assert ask(owner, versions.format(now["id"])) == [{"count": 0}]


def test_series_live_and_vanished_show_their_use(analyst: Warehouse) -> None:
    found = answer(analyst, "2.")

    assert [
        (row["name"], row["is_deleted"], row["coupons"], row["used_coupons"], row["used_share"]) for row in found
    ] == [
        ("Spring", False, 4, 2, Decimal("0.5000")),
        ("Winter", True, 0, 0, None),
    ]
    assert found[0]["deleted_at"] is None
    assert abs(found[1]["deleted_at"] - at(days=9)) < timedelta(minutes=10)


def test_changes_of_the_week_leave_out_gaps_and_goods(analyst: Warehouse) -> None:
    found = {row.pop("name"): row for row in answer(analyst, "3.")}

    assert found["One"] == {
        "new_customers": 1,
        "changed_profiles": 2,
        "balances": 1,
        "risen": Decimal("20.05"),
        "fallen": Decimal(0),
    }
    assert found["Three"]["new_customers"] == 1
    assert found["Two"]["balances"] == 0


def test_frozen_money_counts_a_hold_once_now_and_by_day(analyst: Warehouse) -> None:
    now, by_day = (ask(analyst, statement) for statement in statements("4."))

    assert [tuple(row.values()) for row in now] == [("One", 2, Decimal(50), 1, Decimal(40))]
    rows = [row for row in by_day if row["name"] == "One"]
    assert len(rows) == 31 or len(rows) == 32
    for row in rows:
        moment = end_of(row["day"], MOSCOW)
        holds = {40: moment > at(days=5), 10: moment > at(days=2), 99: at(days=6) < moment < at(days=4)}
        assert row["open_amount"] == sum(amount for amount, is_open in holds.items() if is_open), row
        assert row["open_holds"] == sum(holds.values()), row
        if row["day"] < at(days=3).astimezone(MOSCOW).date():
            assert row["dangling_holds"] is None
        else:
            assert (row["dangling_holds"], row["dangling_amount"]) == (1, 40), row


@pytest.mark.parametrize("session_zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_days_of_holds_end_in_the_organizations_zone(analyst: Warehouse, session_zone: str) -> None:
    query = (
        f"select day, as_of from analytics.dangling_by_day where organization_id = '{ONE}' and day < current_date - 1"
    )
    with analyst.transaction("ask") as cursor:
        cursor.execute("select set_config('timezone', %s, true)", (session_zone,))
        cursor.execute(query)
        found = cursor.fetchall()

    assert len(found) > 390
    assert [as_of for _, as_of in found] == [end_of(day, MOSCOW) - timedelta(microseconds=1) for day, _ in found]


def test_open_hold_is_one_row_with_its_gravest_severity(analyst: Warehouse) -> None:
    found = ask(analyst, "select amount, rules, severity from analytics.open_hold order by amount")

    assert [tuple(row.values()) for row in found] == [
        (Decimal(10), [], None),
        (Decimal(40), ["order_failed_hold_open", "stale_hold"], "high"),
    ]


def test_same_phone_is_found_in_two_organizations(analyst: Warehouse) -> None:
    [found] = answer(analyst, "5.")

    assert found["organizations"] == 2
    assert [str(each) for each in found["customer_ids"]] == [customer_id(1), customer_id(5)]
    assert "7975" not in found["phone_hash"]


def test_freshness_counts_customers_and_identities(analyst: Warehouse) -> None:
    [found] = answer(analyst, "6.")

    assert {name: found[name] for name in ("customers", "identities", "never_checked", "overdue", "not_found")} == {
        "customers": 4,
        "identities": 7,
        "never_checked": 1,
        "overdue": 2,
        "not_found": 1,
    }
    assert found["percent_of_found_fresher_than_24h"] == Decimal("60.0")


def test_churn_counts_the_deleted_and_those_who_left(analyst: Warehouse) -> None:
    [found] = answer(analyst, "7.")

    assert tuple(found.values()) == ("One", "VIP", 3, 1, 1, Decimal("66.7"))


def test_movements_by_day_count_what_two_report_once(analyst: Warehouse) -> None:
    found = answer(analyst, "8.")

    assert {row["name"] for row in found} == {"One"}
    assert sum(row["topped_up"] or 0 for row in found) == 20
    assert sum(row["charged"] or 0 for row in found) == 5
    assert sum(row["movements"] for row in found) == 2


def test_pushes_are_counted_by_outcome(analyst: Warehouse) -> None:
    found = [(row["operation"], row["outcome"], row["code"], row["attempts"]) for row in answer(analyst, "9.")]

    assert found == [
        ("create_or_update", "acknowledged", None, 2),
        ("create_or_update", "refused", "WrongPhone", 1),
    ]
    assert ask(analyst, "select distinct fields from analytics.push_outcome") == [{"fields": ["card", "name"]}]


def test_rejects_are_counted_by_reason(analyst: Warehouse) -> None:
    [found] = answer(analyst, "10.")

    assert (found["reason"], found["open_rejects"], found["occurrences"]) == ("birthday is no date", 2, 4)


def test_as_of_question_of_the_page_is_that_of_the_history(analyst: Warehouse) -> None:
    found = answer(analyst, "The past, quickly")

    assert found == [{"organization_id": ONE, "balance": Decimal("160.05")}]


def test_customer_tells_since_when_and_into_whom(analyst: Warehouse) -> None:
    query = f"""
        select customer_id, checked_at, is_deleted, deleted_at, merged_into from analytics.customer
        where organization_id = '{ONE}' order by customer_id
    """
    found = ask(analyst, query)

    assert [row["merged_into"] for row in found] == [None, None, None, customer_id(1)]
    assert [row["is_deleted"] for row in found] == [row["deleted_at"] is not None for row in found]
    assert abs(found[3]["deleted_at"] - at(days=3)) < timedelta(minutes=10)
    assert abs(found[0]["checked_at"] - at(hours=1)) < timedelta(minutes=10)


def test_order_balance_is_that_of_the_ledger(owner: Warehouse, analyst: Warehouse) -> None:
    columns = "organization_id, order_id, state, held, open_amount, charged"
    told = ask(analyst, f"select {columns} from analytics.order_balance order by order_id")

    assert told == ask(owner, f"select {columns} from wallet.order_balance order by order_id")
    assert [(row["order_id"], row["open_amount"]) for row in told] == [("order-1", 40), ("order-2", 10), ("order-3", 0)]


def test_organization_without_a_pull_is_unknown(analyst: Warehouse) -> None:
    query = "select distinct is_observed, balance, wallets from analytics.daily_balance where organization_id = '{}'"

    assert ask(analyst, query.format(TWO)) == [{"is_observed": False, "balance": None, "wallets": None}]
    assert len(ask(analyst, query.format(THREE))) > 1


def test_pandas_keeps_money_exact_as_the_page_says(analyst: Warehouse) -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    url = url_from_text(analyst.url.render_as_string(hide_password=False)).set(drivername="postgresql+psycopg2")
    names: dict[str, Any] = {}

    exec(code.replace('"postgresql+psycopg2://..."', "URL"), names | {"URL": url}, names)

    assert isinstance(names["frame"]["balance"].sum(), Decimal)
    assert str(names["exact"]["balance"].dtype).startswith("decimal128")
