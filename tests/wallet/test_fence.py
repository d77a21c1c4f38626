"""A ledger that is older than the world moves no money until a person says so."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from devstack.postgres import PostgresServer, installed_binaries
from fixtures.marks import Place
from fixtures.wallets import Purse
from syrve.hooks.fence import FileMark, fence_of, places_of
from syrve.wallet.errors import LedgerFenced, MoneyNotSent
from syrve.wallet.fence import Fence, PlaceUnreachable
from syrve.wallet.transactions import TransactionsImport
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.runs import Counts, TaskKey


def fence(purse: Purse, *places: Place) -> Fence:
    return Fence(purse.warehouse, places, task="test")


def lift(purse: Purse) -> None:
    with purse.warehouse.transaction("lift") as cursor:
        cursor.execute(
            "insert into wallet.fence_lift (fence_id, reason) select fence_id, 'compared with Syrve' from wallet.closed_fence"
        )


def forget_newest(purse: Purse) -> None:
    """Take the newest epoch away, as a restore does."""
    with purse.warehouse.transaction("forget") as cursor:
        cursor.execute("delete from wallet.epoch where number = (select max(number) from wallet.epoch)")


@pytest.fixture
def shelf(purse: Purse) -> Place:
    place = Place()
    fence(purse, place).mark()
    return place


def test_ledger_as_new_as_its_mark_moves_money(purse: Purse, shelf: Place) -> None:
    before = shelf.kept

    fence(purse, shelf).mark()

    assert shelf.kept["number"] > before["number"]
    assert purse.do("topup").state == "confirmed"


def test_ledger_that_lacks_its_mark_sends_nothing(purse: Purse, shelf: Place) -> None:
    planned = purse.plan("topup")
    forget_newest(purse)

    with pytest.raises(LedgerFenced, match="restored or lost its end") as refusal:
        fence(purse, shelf).mark()

    assert "wallet.restore_suspect" in str(refusal.value)
    with pytest.raises(LedgerFenced, match="closed_fence"):
        purse.money().execute(planned.operation_id)
    assert purse.received == {}
    assert purse.states(planned.operation_id) == ["planned"]
    assert purse.rows("select what, key from wallet.restore_suspect") == [("operation", planned.operation_id)]


def test_lifted_fence_accepts_what_was_shown_and_no_more(purse: Purse, shelf: Place) -> None:
    forget_newest(purse)
    with pytest.raises(LedgerFenced):
        fence(purse, shelf).mark()
    lift(purse)

    fence(purse, shelf).mark()
    assert purse.do("topup").state == "confirmed"
    forget_newest(purse)
    with pytest.raises(LedgerFenced):
        fence(purse, shelf).mark()


def test_fence_stays_closed_though_the_mark_comes_back(purse: Purse, shelf: Place) -> None:
    mark = shelf.kept
    shelf.kept = {**mark, "epoch_id": "5f4e0007-0000-4000-8000-000000000001"}
    with pytest.raises(LedgerFenced):
        fence(purse, shelf).mark()
    shelf.kept = mark

    with pytest.raises(LedgerFenced):
        fence(purse, shelf).mark()


@pytest.mark.parametrize("part", ["cluster", "timeline", "database", "ledger"])
def test_other_server_closes_the_fence(purse: Purse, shelf: Place, part: str) -> None:
    shelf.kept["server"] = {**shelf.kept["server"], part: "1"}

    with pytest.raises(LedgerFenced, match=rf"another server.*\({part}\)"):
        fence(purse, shelf).mark()


@pytest.mark.parametrize("kept", ["nonsense", {}, [], {"epoch_id": "x", "number": 1, "server": {}}, 7])
def test_mark_that_is_none_of_ours_closes_the_fence(purse: Purse, shelf: Place, kept: object) -> None:
    shelf.kept = kept

    with pytest.raises(LedgerFenced):
        fence(purse, shelf).mark()


def test_ledger_with_a_past_and_no_mark_closes_the_fence(purse: Purse, shelf: Place) -> None:
    with pytest.raises(LedgerFenced, match="nothing outside the warehouse knows"):
        fence(purse, Place("another shelf")).mark()


def test_place_that_is_away_stops_money_for_a_while(purse: Purse, shelf: Place) -> None:
    other = Place("another shelf")
    for away in (shelf, other):
        away.is_away = True
        with pytest.raises(MoneyNotSent, match="can't be read"):
            fence(purse, shelf, other).mark()
        away.is_away = False

    fence(purse, shelf, other).mark()

    assert other.kept == shelf.kept


def test_mark_is_kept_if_one_place_takes_it(purse: Purse, shelf: Place) -> None:
    class Full(Place):
        def write(self, mark: Mapping[str, object]) -> None:
            raise PlaceUnreachable(self.name)

    before = shelf.kept["number"]
    fence(purse, shelf, Full("a full shelf")).mark()
    assert shelf.kept["number"] > before

    full = Full("a full shelf")
    full.kept = shelf.kept
    with pytest.raises(MoneyNotSent, match="no place"):
        fence(purse, full).mark()


def test_call_that_could_not_be_marked_is_tried_again(purse: Purse, shelf: Place) -> None:
    running = fence(purse, shelf)
    planned = purse.plan("topup")
    shelf.is_away = True
    with pytest.raises(MoneyNotSent):
        purse.money(before_call=running.mark).execute(planned.operation_id)
    shelf.is_away = False

    assert purse.received == {}
    assert purse.ledger.state(planned.operation_id).may_be_tried_again
    running.check()


def test_first_mark_that_no_place_took_closes_nothing(purse: Purse) -> None:
    class Full(Place):
        def write(self, mark: Mapping[str, object]) -> None:
            raise PlaceUnreachable(self.name)

    with pytest.raises(MoneyNotSent):
        fence(purse, Full()).mark()

    place = Place()
    fence(purse, place).mark()
    assert place.kept is not None


def test_suspects_are_what_would_be_sent_again(purse: Purse) -> None:
    released = purse.payment("charge_off_then_cancel_hold", "7")
    with released.locked():
        released.begin()
    purse.do("cancel_hold", "30.00", hold_id=purse.rows("select operation_id::text from wallet.operation")[0][0])

    found = purse.rows("select what, kind, state from wallet.restore_suspect")

    assert found == [("payment", "chargeoff", "released")]


def test_restore_under_a_running_task_is_noticed(purse: Purse, shelf: Place) -> None:
    running = fence(purse, shelf)
    running.mark()
    planned = purse.plan("topup")
    forget_newest(purse)

    with pytest.raises(LedgerFenced):
        purse.money(before_call=running.mark).execute(planned.operation_id)

    assert purse.received == {}
    assert purse.states(planned.operation_id) == ["planned", "sent", "rejected"]
    assert purse.ledger.state(planned.operation_id).may_be_tried_again


def test_every_call_is_marked_before_it_is_made(purse: Purse, shelf: Place) -> None:
    running = fence(purse, shelf)

    for number in range(3):
        before = shelf.kept["number"]
        purse.money(before_call=running.mark).execute(purse.plan("topup").operation_id)
        assert shelf.kept["number"] > before, number


def test_newer_mark_counts_where_two_places_differ(purse: Purse, shelf: Place) -> None:
    other = Place("another shelf")
    fence(purse, shelf, other).mark()
    old = dict(shelf.kept)
    fence(purse, other).mark()
    assert shelf.kept == old
    forget_newest(purse)

    with pytest.raises(LedgerFenced, match="another shelf"):
        fence(purse, shelf, other).mark()


def test_old_mark_of_one_place_closes_nothing(purse: Purse, shelf: Place) -> None:
    other = Place("another shelf")
    fence(purse, shelf, other).mark()
    fence(purse, other).mark()

    fence(purse, shelf, other).mark()

    assert shelf.kept == other.kept


def test_money_through_the_hook_is_marked_with_each_call(purse: Purse, reports: Path) -> None:
    running = fence_of(purse.warehouse)
    running.check()
    assert purse.rows("select count(*) from wallet.epoch") == [(0,)]
    for _ in range(2):
        purse.money(before_call=running.mark).execute(purse.plan("topup").operation_id)

    assert purse.rows("select count(*), bool_and(is_marked) from wallet.epoch") == [(2, True)]
    [place] = places_of(purse.warehouse)
    assert isinstance(place, FileMark)
    assert dict(place.read())["number"] == 2  # type: ignore[call-overload]
    assert [each.parent for each in reports.rglob("*.json")] == [reports / "ledger"]


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("SYRVE_REPORTS_PATH", tmp_path.as_uri())
    return tmp_path


@pytest.fixture
def pg(postgres_server: PostgresServer) -> Callable[..., None]:
    """Runs a program of Postgres on a database of the server."""

    def run(program: str, *arguments: str) -> None:
        subprocess.run([installed_binaries() / program, *arguments], check=True, capture_output=True, env=os.environ)

    return run


def test_suspects_are_compared_with_what_syrve_reports(cloud_purse: Purse) -> None:
    purse = cloud_purse
    place = Place()
    fence(purse, place).mark()
    lost = purse.do("topup", "3.00", key="K2")
    with purse.warehouse.transaction("restore") as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute("delete from wallet.operation_event where operation_id = %s", (lost.operation_id,))
        cursor.execute("delete from wallet.unsettled_operation where operation_id = %s", (lost.operation_id,))
        cursor.execute("delete from wallet.operation where operation_id = %s", (lost.operation_id,))
    forget_newest(purse)
    again, other = purse.plan("topup", "3.00", key="K2"), purse.plan("topup", "4.00", key="K3")
    assert read_transactions(purse).requested == 0, "nobody has an open hold"
    with pytest.raises(LedgerFenced):
        fence(purse, place).mark()

    assert read_transactions(purse).requested == 1

    found = dict(purse.rows("select key, reported_at is not null from wallet.restore_suspect"))
    assert found == {again.operation_id: True, other.operation_id: False}


def read_transactions(purse: Purse) -> Counts:
    job = TransactionsImport(purse.warehouse, purse.money().client, key=TaskKey("run-1", "read"))
    return job.run([purse.organization_id], customers=10)


@pytest.fixture
def remade_database(postgres_server: PostgresServer, warehouse_template: str, warehouse_dsn: str) -> Iterator[str]:
    """The name of the test's database, which is as it was before once the test has restored something into it."""
    name = str(url_from_text(warehouse_dsn).database)
    yield name
    postgres_server.drop_database(name)
    postgres_server.create_database(name, warehouse_template)


def test_restored_backup_sends_nothing_twice(
    purse: Purse,
    postgres_server: PostgresServer,
    remade_database: str,
    pg: Callable[..., None],
    tmp_path: Path,
    reports: Path,
) -> None:
    def credit(key: str) -> str:
        running = fence_of(purse.warehouse)
        running.check()
        operation = purse.operation("topup", "1.00", key=key)
        return str(purse.money(before_call=running.mark).execute(purse.ledger.plan(operation).operation_id).state)

    database = remade_database
    dump = str(tmp_path / "warehouse.dump")
    assert credit("K1") == "confirmed"
    pg("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={dump}", postgres_server.dsn(database))
    assert [credit("K2"), credit("K3")] == ["confirmed"] * 2
    postgres_server.drop_database(database)
    postgres_server.create_database(database)
    pg(
        "pg_restore",
        "--no-owner",
        "--no-privileges",
        "--exit-on-error",
        f"--dbname={postgres_server.dsn(database)}",
        dump,
    )

    for key in ("K1", "K2", "K3"):
        with pytest.raises(LedgerFenced):
            credit(key)

    assert purse.received == {"wallet_topup": 3}
