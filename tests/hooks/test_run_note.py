"""The run's note is a courtesy: written where Airflow's API is there, and never a reason for a pull to fail."""

import logging
from typing import Any
from urllib.parse import unquote

import pytest

from fixtures.airflow import SetConnection
from fixtures.run_notes import PASSWORD, TOKEN, AirflowLike
from syrve.hooks import run_note
from syrve.hooks.run_note import MAX_NOTE_LENGTH, RunNote, with_progress


@pytest.fixture
def api(airflow_api: AirflowLike) -> AirflowLike:
    return airflow_api


@pytest.fixture(autouse=True)
def _warnings_are_seen(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever another test did to the root logger."""
    caplog.set_level(logging.WARNING)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def note(**options: Any) -> RunNote:
    return RunNote("syrve_backfill", "manual__2026-09-01T00:00:00+00:00", **options)


def test_note_is_written_and_replaced(api: AirflowLike) -> None:
    written = note()
    written.write("one")
    written.write("two")

    assert api.note == "Progress: two"
    path = "/api/v2/dags/syrve_backfill/dagRuns/manual__2026-09-01T00:00:00+00:00"
    assert [(method, unquote(where)) for method, where in api.requests] == [
        ("POST", "/auth/token"),
        ("GET", path),
        ("PATCH", f"{path}?update_mask=note"),
        ("GET", path),
        ("PATCH", f"{path}?update_mask=note"),
    ]
    assert "+" not in api.requests[1][1]


def test_what_a_person_wrote_on_the_run_is_kept(api: AirflowLike) -> None:
    api.note = "after the move of Tverskaya, ask Olga"
    written = note()
    written.write("one")
    written.write("two")

    assert api.note == "after the move of Tverskaya, ask Olga\n\nProgress: two"


def test_note_without_room_for_progress_is_left_alone() -> None:
    full = "x" * (MAX_NOTE_LENGTH - 10)

    assert with_progress(full, "12 of 15") == full


def test_note_is_due_at_once_and_then_at_intervals(api: AirflowLike) -> None:
    clock = Clock()
    written = note(every_seconds=20, clock=clock)
    assert written.is_due()
    written.write("one")
    clock.now = 19
    assert not written.is_due()
    clock.now = 20
    assert written.is_due()


def test_token_that_has_ended_is_renewed(api: AirflowLike) -> None:
    written = note()
    written.write("one")
    api.tokens += 1
    written.write("two")

    assert (api.note, api.tokens) == ("Progress: two", 3)


def test_without_the_connection_nothing_happens_and_one_line_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    written = note()

    written.write("one")
    written.write("two")

    assert not written.is_due()
    assert [each.levelname for each in caplog.records if "syrve_airflow_api" in each.message] == ["INFO"]


@pytest.mark.parametrize("statuses", [[500], [403], [302], [200], [201, 500], [401, 401, 401]])
def test_failure_is_a_warning_once_and_no_matter_of_the_caller(
    api: AirflowLike, caplog: pytest.LogCaptureFixture, statuses: list[int]
) -> None:
    clock = Clock()
    api.statuses = statuses * 9
    caplog.set_level(logging.DEBUG)
    written = note(again_after_seconds=300, clock=clock)

    written.write("one")
    assert not written.is_due()
    clock.now = 300
    assert written.is_due()
    written.write("two")
    api.statuses = []
    written.write("three")

    assert api.note == "Progress: three"
    warnings = [each.message for each in caplog.records if each.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "the work goes on" in warnings[0]
    for secret in (TOKEN, PASSWORD):
        assert secret not in caplog.text


def test_api_that_is_not_there_is_a_warning_without_its_address(
    set_connection: SetConnection, caplog: pytest.LogCaptureFixture
) -> None:
    set_connection("syrve_airflow_api", conn_type="http", host="127.0.0.1", port=1, login="admin", password=PASSWORD)

    note().write("one")

    assert "The run's note could not be written: ConnectionError; the work goes on" in caplog.text
    assert "127.0.0.1" not in "".join(each.message for each in caplog.records if each.levelname == "WARNING")


def test_server_that_keeps_silent_holds_nobody_up_for_long(
    set_connection: SetConnection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import socket

    monkeypatch.setattr(run_note, "TIMEOUT_SECONDS", (0.2, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        fields = {"conn_type": "http", "schema": "http", "host": "127.0.0.1", "port": silent.getsockname()[1]}
        set_connection("syrve_airflow_api", **fields, login="admin", password=PASSWORD)

        note().write("one")

    assert "The run's note could not be written: ReadTimeout; the work goes on" in caplog.text


def test_netrc_of_the_worker_does_not_replace_the_token(
    api: AirflowLike, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    note().write("one")

    assert api.note == "Progress: one"
