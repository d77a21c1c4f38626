"""`python -m syrve`: what each command says of a warehouse whose every figure is known, and the exit code that a script reads."""

import io
import json
from typing import Any

import pytest

from fixtures.airflow import SetConnection
from fixtures.pulls import phone_in
from syrve.__main__ import main
from syrve.command_line import pull
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve_simulator.process import SimulatorProcess
from warehouse.planted import HOLDS, customer_id, plant

FINE, FAILED, USAGE, ATTENTION = 0, 1, 2, 3
NOBODY = "5f4e0001-0000-4000-8000-00000000dead"


@pytest.fixture
def empty(emptied_warehouse_dsn: str, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    monkeypatch.setenv("SYRVE_WAREHOUSE_DSN", emptied_warehouse_dsn)
    return Warehouse(url_from_text(emptied_warehouse_dsn))


@pytest.fixture
def planted(empty: Warehouse) -> Warehouse:
    plant(empty)
    return empty


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    code = main([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def value(warehouse: Warehouse, query: str) -> Any:
    with warehouse.transaction("look") as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
        assert row
        return row[0]


@pytest.mark.parametrize("command", ["status", "plan", "findings", "rejects"])
def test_empty_warehouse_is_fine_and_says_so(
    command: str, empty: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command]) == FINE

    assert "none" in capsys.readouterr().out


@pytest.mark.usefixtures("planted")
def test_status_counts_what_waits_and_ends_with_three(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = asked(capsys, "status")

    assert code == ATTENTION
    assert told["figures"]["findings"] > 0
    assert told["figures"]["grave"] > 0


@pytest.mark.usefixtures("planted")
def test_findings_and_their_stories_agree(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = asked(capsys, "findings")
    assert code == ATTENTION

    for finding in told["findings"]:
        code, story = asked(capsys, "explain", finding["finding_id"])
        assert (code, story["is"], story["facts"]["rule"]) == (FINE, "finding", finding["rule"])
        assert any(event["what"].startswith("Finding open") for event in story["events"])


@pytest.mark.usefixtures("planted")
def test_explain_tells_operations_from_customers(capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(capsys, "explain", HOLDS[0])[1]["is"] == "operation"
    code, told = asked(capsys, "explain", customer_id(1))
    assert (code, told["is"]) == (FINE, "customer")
    assert any(event["what"] == "Balance of a wallet" and event["amount"] == "100.10" for event in told["events"])

    code, told = asked(capsys, "explain", NOBODY)
    assert (code, told["is"]) == (FAILED, None)


@pytest.mark.usefixtures("planted")
def test_no_command_shows_a_phone(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["status"], ["plan"], ["findings"], ["rejects"], ["explain", customer_id(1)]):
        main(command)
        main([*command, "--json"])

    assert "7975" not in capsys.readouterr().out


def test_rejects_are_counted_by_reason(empty: Warehouse, capsys: pytest.CaptureFixture[str]) -> None:
    with empty.transaction("reject") as cursor:
        cursor.execute(
            "insert into sync.reject (run_id, entity, identity, stage, reason, occurrences)"
            " select 'r', 'roster', number::text, 'import', 'is no phone', 2 from generate_series(1, 3) as number"
        )

    code, told = asked(capsys, "rejects")

    assert code == ATTENTION
    assert [(each["rejects"], each["occurrences"], each["reason"]) for each in told["reasons"]] == [
        (3, 6, "is no phone")
    ]


def test_warehouse_that_is_away_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYRVE_WAREHOUSE_DSN", "postgresql://nobody@127.0.0.1:9/nowhere")

    assert main(["status"]) == FAILED

    assert "no connection to the warehouse" in capsys.readouterr().err


@pytest.mark.parametrize("typed", [["--phone", "+79750000001"], ["--phone=+79750000001"]])
def test_phone_typed_as_an_argument_is_not_repeated(capsys: pytest.CaptureFixture[str], typed: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["pull", *typed])

    assert ended.value.code == USAGE
    assert "7975" not in "".join(capsys.readouterr())


@pytest.fixture
def account(simulator: SimulatorProcess, set_connection: SetConnection, empty: Warehouse) -> Warehouse:
    set_connection(
        "syrve_default",
        conn_type="syrve",
        host=simulator.url,
        password="demo-login",
        extra=json.dumps({"budgets": {"customer": 10_000, "dictionary": 10_000}}),
    )
    return empty


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{text}\n"))


def test_pull_looks_one_phone_up_now(
    account: Warehouse,
    simulator: SimulatorProcess,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    organization_id = simulator.control.organizations()[0]["organization_id"]
    person = simulator.control.customers_page(organization_id, limit=1)[0]
    phone = phone_in(person)
    typed(monkeypatch, f"8{phone[2:]}")

    code, told = asked(capsys, "pull", "--phone", "--organization", organization_id)

    assert (code, told["counts"]["found"], told["counts"]["requested"]) == (FINE, 1, 1)
    assert value(account, "select customer_id::text from syrve.customer") == person["customer_id"]
    assert value(account, "select count(*) from sync.roster where backfill_id is not null") == 0
    assert value(account, "select bool_and(finished_at is not null) from sync.backfill")
    assert phone[2:] not in json.dumps(told)


@pytest.mark.usefixtures("account")
def test_phone_that_nobody_has_ends_with_three(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "+79759999999")

    code, told = asked(capsys, "pull", "--phone")

    assert (code, told["counts"]["not_found"]) == (ATTENTION, 2)


@pytest.mark.usefixtures("account")
def test_text_that_is_no_phone_is_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "Ivan Canary")

    assert main(["pull", "--phone"]) == FAILED

    told = capsys.readouterr()
    assert "this is not a phone" in told.err
    assert "Canary" not in told.err + told.out


def test_phone_is_asked_for_at_a_terminal_only() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    asked_at = io.StringIO()
    assert pull.read_phone(Terminal("+79750000001\n"), asked_at) == "+79750000001"
    assert asked_at.getvalue().startswith("Phone")
    silent = io.StringIO()
    pull.read_phone(io.StringIO("x\n"), silent)
    assert silent.getvalue() == ""
