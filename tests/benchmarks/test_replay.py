"""The replay of a log of visits: what it does with a log, and with what is none."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.__main__ import main
from benchmarks.replay import replay_in
from benchmarks.visits import (
    DAY_MINUTES,
    Log,
    LogError,
    busiest_day,
    delays,
    known_rates,
    longest_age,
    make_log,
    read_log,
    round_robin,
)

ROUND_DAYS = 7


@pytest.fixture(scope="module")
def log() -> Log:
    return make_log(customers=80, days=120, shape=0.3, visits=60.0, drop_out=0.0, seed=3)


def test_replay_spends_the_budget_evenly_and_beats_round_robin(warehouse_dsn: str, log: Log) -> None:
    looks = replay_in(warehouse_dsn, log, ROUND_DAYS)

    budget = len(log.names) / ROUND_DAYS * log.end / DAY_MINUTES
    assert len(looks) == pytest.approx(budget, abs=2)
    assert busiest_day(log, looks, ROUND_DAYS) <= 1.1
    assert {customer for customer, _ in looks} == set(range(len(log.names)))
    assert longest_age(log, looks) <= 30
    assert delays(log, looks).mean() < 0.95 * delays(log, round_robin(log, ROUND_DAYS)).mean()


def test_known_rates_wait_less_than_round_robin_and_cost_the_same(log: Log) -> None:
    robin, known = round_robin(log, ROUND_DAYS), known_rates(log, ROUND_DAYS)

    assert len(robin) == len(known)
    assert delays(log, robin).mean() == pytest.approx(ROUND_DAYS / 2, rel=0.1)
    assert delays(log, known).mean() < delays(log, robin).mean()


def test_delay_is_the_time_to_the_next_look_up_or_the_end() -> None:
    log = Log(["a"], [np.array([0.0, 7 * DAY_MINUTES, 9 * DAY_MINUTES])])

    assert log.end == 10 * DAY_MINUTES
    assert delays(log, [(0, 8 * DAY_MINUTES)]).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "holds no visit"),
        ("customer,minute\n", "holds no visit"),
        ("a,1\nb\n", "line 2: expected customer,minute"),
        ("a,1,2\n", "line 1: expected customer,minute"),
        ("a,soon\n", "line 1: the minute is no number"),
        ("a,-5\n", "line 1: the minute must be 0 or more"),
        ("a,nan\n", "line 1: the minute must be 0 or more"),
        ("a,1\na,100\n", "covers 1 days"),
        ("a,9e12\n", "covers"),
    ],
)
def test_unusable_log_is_refused_with_line_and_reason(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text)

    with pytest.raises(LogError, match=problem):
        read_log(path)


def test_log_is_read_in_any_order_with_heading_or_not(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("customer,minute\nb,5000\na,9\n\nb,3\n")

    log = read_log(path)

    assert log.names == ["b", "a"]
    assert [each.tolist() for each in log.visits] == [[3, 5000], [9]]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--log", "missing.csv", "--round-days", "14"], "can't be read"),
        (["--log", "good.csv", "--round-days", "0"], "--round-days must be"),
        (["--log", "good.csv", "--round-days", "nan"], "--round-days must be"),
        (["--log", "good.csv", "--round-days", "14", "--trace", "no/such/folder.csv"], "can't be written"),
    ],
)
def test_bad_command_ends_with_a_text_and_a_status(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    problem: str,
) -> None:
    (tmp_path / "good.csv").write_text("a,1\na,9000\n")
    monkeypatch.chdir(tmp_path)

    assert main(["freshness", *arguments]) == 2
    assert problem in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["freshness", "--log", "a"], ["claim", "--log", "a", "--round-days", "3"]])
def test_replay_without_its_options_is_explained(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert "--round-days N" in capsys.readouterr().err
