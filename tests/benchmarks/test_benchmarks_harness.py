"""The benchmarks compare what they say they compare, and say so when a promise is not kept."""

import importlib
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg2.extensions
import pytest
from benchmarks.bench_server import peer_dsn
from benchmarks.clients.limiter import WINDOW_SECONDS, Limiter
from benchmarks.measure import ClientFailedError, Figures, Promise, TooSlowError, in_turn, run_client
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import __main__ as command
from benchmarks import document, population

KEPT = Promise("kept", 2.0, 2.0)
SHORT = Promise("short", 1.9, 2.0)


def flat(*customers: dict[str, Any]) -> list[tuple[str, tuple[Any, ...]]]:
    return [each for customer in customers for each in population.flat_rows(customer)]


def test_the_same_seed_makes_the_same_customers_and_another_seed_makes_others() -> None:
    first = list(population.customers(50, seed=3))
    assert first == list(population.customers(50, seed=3))
    assert first[:20] == list(population.customers(20, seed=3))
    assert first != list(population.customers(50, seed=4))


def test_a_later_look_at_unchanged_customers_differs_in_its_time_alone() -> None:
    before, again = list(population.customers(50, 3)), list(population.customers(50, 3, again=True))
    assert {each["fetched_at"] for each in again} == {population.FETCHED_AGAIN_AT}
    assert [each | {"fetched_at": ""} for each in again] == [each | {"fetched_at": ""} for each in before]


def test_one_in_a_hundred_customers_changes() -> None:
    before, after = list(population.customers(500, 3)), list(population.customers(500, 3, changed=True))
    pairs = enumerate(zip(before, after, strict=True))
    assert [n for n, (old, new) in pairs if old | {"fetched_at": ""} != new | {"fetched_at": ""}] == [
        0,
        100,
        200,
        300,
        400,
    ]


def test_changed_rows_are_those_that_differ_appear_or_vanish() -> None:
    def keyed(changed: bool) -> dict[tuple[Any, ...], tuple[Any, ...]]:
        rows = flat(*population.customers(1_000, 3, changed=changed))
        # The time of the answer, the last column of a customer, is no change.
        return {(table, *row[: len(population.TABLES[table][1])]): row[:14] for table, row in rows}

    before, after = keyed(False), keyed(True)
    different = [key for key in before.keys() | after.keys() if before.get(key) != after.get(key)]
    assert population.changed_rows(1_000, 3) == len(different) >= 10


def test_customers_have_one_to_three_wallets_up_to_two_cards_and_up_to_three_categories() -> None:
    customers = list(population.customers(300, 3))
    assert {len(each["wallets"]) for each in customers} == {1, 2, 3}
    assert {len(each["cards"]) for each in customers} == {0, 1, 2}
    assert {len(each["categories"]) for each in customers} == {0, 1, 2, 3}
    keys = Counter((table, row[: len(population.TABLES[table][1])]) for table, row in flat(*customers))
    assert max(keys.values()) == 1


def test_ratios_are_of_medians() -> None:
    figures = Figures()
    for ours, peer in ((1.0, 10.0), (1.0, 12.0), (9.0, 400.0)):
        figures.add("ours", seconds=ours)
        figures.add("peer", seconds=peer)
    assert figures.ratio("peer", "ours") == 12.0
    assert figures.best(["peer", "ours"]) == "ours"
    assert figures.largest("ours", "seconds") == 9.0


def test_each_round_begins_with_another_contestant() -> None:
    assert [in_turn(["a", "b", "c"], number) for number in range(3)] == [
        ["a", "b", "c"],
        ["b", "c", "a"],
        ["c", "a", "b"],
    ]


@pytest.mark.parametrize(
    ("measured", "at_least", "kept"),
    [(2.0, True, True), (1.99, True, False), (2.0, False, True), (2.01, False, False), (float("nan"), True, False)],
)
def test_a_promise_is_kept_on_its_side_of_the_bound(measured: Any, at_least: Any, kept: Any) -> None:
    promise = Promise("merge", measured, 2.0, at_least)
    assert promise.is_kept is kept
    assert ("FALLS SHORT" in promise.line()) is not kept


def test_one_promise_that_falls_short_fails_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.report([KEPT], quick=False) == 0
    assert command.report([KEPT, SHORT], quick=False) == 1
    assert "FALLS SHORT" in capsys.readouterr().out


def test_small_sizes_are_not_judged(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.report([SHORT], quick=True) == 0
    assert "FALLS SHORT" not in capsys.readouterr().out


def test_a_client_that_fails_fails_the_benchmark_and_says_why() -> None:
    with pytest.raises(ClientFailedError, match="no such luck"):
        run_client("peer", [sys.executable, "-c", "raise SystemExit('no such luck')"])


def test_the_last_line_of_a_client_counts() -> None:
    assert run_client("peer", [sys.executable, "-c", "print('hello'); print('{\"done\": 3}')"]) == {"done": 3}


def test_client_over_its_bound_is_stopped_and_the_bound_named() -> None:
    with pytest.raises(TooSlowError, match="peer took longer than 1 s"):
        run_client("peer", [sys.executable, "-c", "import threading; threading.Event().wait()"], bound_seconds=1.0)


def test_seconds_name_the_bound_and_processor_time() -> None:
    figures = Figures()
    figures.add("ours", seconds=2.0, client_cpu=1.0, server_cpu=0.5)
    figures.add("peer", seconds=120.0, bound=1.0)

    assert figures.seconds("ours", "peer") == "ours 2.0 (CPU 1.0 + 0.5); peer over 120.0"


def test_document_replaces_the_section_of_one_benchmark_only(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    document.write("merge", ["a machine"], [KEPT], 3.0, path)
    document.write("claim", ["a machine"], [KEPT], 3.0, path)

    document.write("merge", ["another machine"], [SHORT], 4.0, path)

    text = path.read_text()
    assert text.count("## merge") == text.count("## claim") == 1
    assert "| short | 1.90x | at least 2.00x | **no** |" in text
    assert text.count("a machine") == text.count("another machine") == 1


def test_benchmarks_end_at_the_limit_and_name_what_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def endless(**_: Any) -> None:
        threading.Event().wait()

    monkeypatch.setattr(importlib.import_module("benchmarks.budget"), "run", endless)

    assert command.main(["budget", "claim", "--quick", "--limit-minutes", "0.01"]) == 1
    assert "Not measured within 0.01 minutes (--limit-minutes): budget, claim" in capsys.readouterr().out


@pytest.mark.parametrize("name", command.NAMES)
def test_every_name_is_a_benchmark(name: Any) -> None:
    assert callable(importlib.import_module(f"benchmarks.{name}").run)


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["marge"])
    assert ended.value.code == 2
    assert "no benchmark 'marge'" in capsys.readouterr().err


def test_peers_reach_the_same_socket() -> None:
    dsn = "postgresql://postgres@/work?host=%2Ftmp%2Fserver&port=5432"
    assert psycopg2.extensions.parse_dsn(peer_dsn(dsn))["host"] == "/tmp/server"


@given(st.lists(st.floats(0, 30), max_size=60))
def test_the_gateway_refuses_exactly_what_exceeds_its_limit_in_any_minute(distances: Any) -> None:
    limiter, now = Limiter("", 5), 0.0
    passed: list[float] = []
    for distance in distances:
        now += distance
        in_window = [moment for moment in passed if moment > now - WINDOW_SECONDS]
        assert limiter.admits(now) is (len(in_window) < 5)
        if len(in_window) < 5:
            passed.append(now)
