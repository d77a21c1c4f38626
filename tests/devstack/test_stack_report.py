"""What the demo shows and what it checks."""

import io
from decimal import Decimal

import psycopg2
import pytest
from rich.console import Console
from rich.table import Table

from devstack.airflow_api import TaskState
from devstack.console import Teller
from devstack.counts import COUNTED, RunCounts, Warehouse
from devstack.demo import Change, check_first_run, check_second_run
from devstack.errors import StackError
from devstack.names import TABLES
from devstack.report import RunReport, landed_table, progress_line, runs_table
from devstack.roster import Roster

CHANGE = Change("org", "customer", "wallet", Decimal("0.10"), Decimal("0.40"))


def rendered(table: Table, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def test_rows_per_table_stand_side_by_side_for_both_runs() -> None:
    text = rendered(landed_table({"first run": {"syrve.customer": 2040}, "second run": {"syrve.customer": 2041}}))
    assert [line.split() for line in text.splitlines() if "syrve.customer" in line] == [
        ["syrve.customer", "2,040", "2,041"]
    ]


def test_four_runs_fit_into_eighty_columns_with_every_count() -> None:
    large = 1_234_567
    counts = RunCounts(large, large, large, large, large, large, large, large, large, seconds=Decimal("12.34"))
    titles = ["roster import", "customers", "coupons", "customers again"]
    text = rendered(runs_table([RunReport(title, counts) for title in titles]))
    assert all(title in text for title in titles)
    assert text.count("1,234,567") == 4 * (len(COUNTED) - 1)
    assert text.count("12.3") == 4
    assert "…" not in text


def test_progress_shows_tasks_by_state_and_records_so_far() -> None:
    tasks = [TaskState("plan", -1, "success", 1)]
    tasks += [TaskState("pull", n, state, 1) for n, state in enumerate(["running", "success", None, "running"])]
    line = progress_line("d", tasks, RunCounts(requested=1500, found=1200, not_found=3))
    assert line == (
        "d: plan success | pull 2 running, 1 success, 1 waiting | so far: 1,200 found, 3 not found, 0 rejected"
    )


def test_before_the_first_batch_progress_shows_tasks_alone() -> None:
    assert progress_line("d", [TaskState("plan", -1, None, 0)], RunCounts()) == "d: plan waiting"


def test_the_demo_fails_when_a_customer_did_not_land_or_a_stranger_did() -> None:
    roster = Roster([], known=10, unknown=2, junk=1)
    check_first_run(RunCounts(found=10, not_found=2), roster)
    for wrong in (RunCounts(found=9, not_found=2), RunCounts(found=10, not_found=1)):
        with pytest.raises(StackError, match="10 customers and 2 strangers"):
            check_first_run(wrong, roster)


def test_the_demo_fails_unless_exactly_the_changed_customer_was_written_with_the_new_balance() -> None:
    first = RunCounts(found=10)
    both = [CHANGE.before, CHANGE.after]
    check_second_run(RunCounts(found=10, changed=1), first, CHANGE, both)
    for wrong in (RunCounts(found=10, changed=0), RunCounts(found=10, changed=2), RunCounts(found=9, changed=1)):
        with pytest.raises(StackError, match="one of 10 was to change"):
            check_second_run(wrong, first, CHANGE, both)
    for balances in ([], [CHANGE.before], [CHANGE.after], both[::-1], [*both, CHANGE.after]):
        with pytest.raises(StackError, match=r"where the simulator had 0.10, then 0.40"):
            check_second_run(RunCounts(found=10, changed=1), first, CHANGE, balances)


def test_counts_of_a_run_are_those_of_all_its_tasks_and_of_no_other_run(warehouse_dsn: str) -> None:
    insert = (
        "insert into sync.run (run_id, task, map_index, found, calls, seconds) values (%s, 'd.pull', %s, %s, %s, %s)"
    )
    connection = psycopg2.connect(warehouse_dsn)
    with connection, connection.cursor() as cursor:
        cursor.executemany(insert, [("r", 0, 5, 6, "0.5"), ("r", 1, 7, 8, "1.25"), ("other", 0, 100, 100, "9")])
    connection.close()
    warehouse = Warehouse(warehouse_dsn)
    assert warehouse.run_counts("r") == RunCounts(found=12, calls=14, seconds=Decimal("1.75"))
    assert warehouse.run_counts("none") == RunCounts()


def test_every_table_of_the_report_is_one_of_the_warehouse(warehouse_dsn: str) -> None:
    assert Warehouse(warehouse_dsn).rows_by_table() == dict.fromkeys(TABLES, 0)
    assert Warehouse(warehouse_dsn).balances(*["00000000-0000-0000-0000-000000000001"] * 3) == []


def test_a_warehouse_that_cannot_be_read_is_said_without_its_address(empty_database_dsn: str) -> None:
    with pytest.raises(StackError, match="could not be read") as caught:
        Warehouse(empty_database_dsn).rows_by_table()
    assert empty_database_dsn not in str(caught.value)


def plain_teller() -> tuple[Teller, io.StringIO]:
    output = io.StringIO()
    return Teller(Console(file=output, force_terminal=False, highlight=False)), output


def test_square_brackets_in_a_message_are_shown_and_not_taken_for_markup() -> None:
    teller, output = plain_teller()
    teller.say("pull[3] [bold]failed[/bold]")
    assert output.getvalue().endswith("s  pull[3] [bold]failed[/bold]\n")


def test_without_a_terminal_progress_comes_now_and_then_and_only_when_something_moved() -> None:
    teller, output = plain_teller()
    with teller.progress():
        for _ in range(50):
            teller.progressing("pull 1 running")
        teller.progressing("pull 2 running")
    assert output.getvalue().count("running") == 1


def test_a_failure_ends_with_the_path_and_the_last_lines_of_its_log(tmp_path_factory: pytest.TempPathFactory) -> None:
    log = tmp_path_factory.mktemp("logs") / "scheduler.log"
    log.write_text("first\nlast words\n")
    teller, output = plain_teller()
    teller.failed(StackError("scheduler ended", log))
    assert output.getvalue().split() == [
        *["FAILED:", "scheduler", "ended", "Its", "log", "is"],
        str(log) + ",",
        *["and", "ends:", "first", "last", "words"],
    ]
