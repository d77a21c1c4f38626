"""Who may do what with findings, logged in as such a role."""

from collections.abc import Callable

import pytest

from fixtures.books import Book, after, open_book
from syrve.customers.watch import watch_open_holds
from syrve.warehouse.database import Warehouse
from syrve.warehouse.errors import WarehouseConfigError, WarehouseError


@pytest.fixture
def login(warehouse: Warehouse, make_login: Callable[[str], str]) -> Callable[[str], Warehouse]:
    return lambda group: Warehouse(warehouse.url.set(username=make_login(group)))


@pytest.fixture
def found(book: Book) -> Book:
    """A book with a finding."""
    book.hold()
    book.reconcile(after(days=1))
    return book


def test_loader_can_do_everything_that_reconciliation_does(
    warehouse_dsn: str, book: Book, login: Callable[[str], Warehouse]
) -> None:
    loader = login("syrve_loader")
    hold = book.hold()
    book.look((after(days=-1), "500.00"), (after(hours=1), "480.00"))
    (as_loader,) = open_book(loader, warehouse_dsn)

    assert as_loader.reconcile(after(hours=5)).opened.total() == 3
    book.cancel(hold, after(hours=6))
    assert as_loader.reconcile(after(hours=7)).closed.total() == 3
    assert as_loader.reconcile(after(hours=6)).closed.total() == 3
    assert watch_open_holds(loader, "5f4e0009-0000-4000-8000-000000000001") == 0


def test_ops_can_acknowledge_and_look_back_but_not_rewrite_versions(
    found: Book, login: Callable[[str], Warehouse]
) -> None:
    ops = login("syrve_ops")

    with ops.transaction("acknowledge") as cursor:
        cursor.execute("update wallet.finding set status = 'acknowledged' where rule = 'stale_hold'")
        cursor.execute("select count(*) from wallet.finding_as_of(%s)", (after(days=1),))
        cursor.execute("select * from wallet.open_hold_as_of(%s)", (after(days=1),))
        cursor.execute("select * from wallet.finding_count, wallet.finding_evaluation, wallet.charge")
    assert found.versions("stale_hold")[-1][1:] == ("acknowledged", "set by hand")
    with pytest.raises(WarehouseConfigError), ops.transaction("rewrite") as cursor:
        cursor.execute("update wallet.finding_version set reason = ''")


def test_analysts_see_ids_and_amounts_only(found: Book, login: Callable[[str], Warehouse]) -> None:
    analyst = login("syrve_analyst")

    with analyst.transaction("ask") as cursor:
        cursor.execute("select rule, amount_at_risk from analytics.holds_at_risk order by rule")
        assert [rule for rule, _ in cursor.fetchall()] == ["hold_without_order", "stale_hold"]
    with pytest.raises(WarehouseConfigError), analyst.transaction("ask") as cursor:
        cursor.execute("select * from wallet.finding")


@pytest.mark.parametrize("status", ["released", "resolved"])
def test_ops_closes_no_finding_by_hand(found: Book, login: Callable[[str], Warehouse], status: str) -> None:
    ops = login("syrve_ops")

    with pytest.raises(WarehouseError, match="finding_is_closed_at_a_time"), ops.transaction("close") as cursor:
        cursor.execute("update wallet.finding set status = %s where rule = 'stale_hold'", (status,))
    with pytest.raises(WarehouseConfigError), ops.transaction("close") as cursor:
        cursor.execute("update wallet.finding set status = %s, resolved_at = now()", (status,))
