"""The client of Airflow's REST API, against a server that answers what it is told."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from devstack.airflow_api import AirflowApi, TaskState
from devstack.errors import StackError

SILENCE = (0, None)
"""An answer that never comes."""


class Script:
    """Answers by method and path, in order, the last one for ever; notes down what was asked with which token."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, Any]]] = {}
        self.asked: list[tuple[str, str | None, Any]] = []
        self.tokens = 0

    def answer(self, request: str, token: str | None, body: Any) -> tuple[int, Any]:
        if request == "POST /auth/token":
            self.tokens += 1
            return 201, {"access_token": f"token-{self.tokens}"}
        self.asked.append((request, token, body))
        replies = self.answers[request]
        return replies.pop(0) if len(replies) > 1 else replies[0]


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def api(script: Script) -> Iterator[AirflowApi]:
    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            status, answer = script.answer(
                f"{self.command} {self.path}", self.headers["Authorization"], json.loads(body or "null")
            )
            if (status, answer) == SILENCE:
                self.connection.recv(1)  # until the client hangs up
                return
            content = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = handle_one  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield AirflowApi(f"http://127.0.0.1:{server.server_port}", "admin", "secret")
        server.shutdown()
        thread.join()


def test_one_token_serves_many_calls(api: AirflowApi, script: Script) -> None:
    script.answers["GET /api/v2/dags/d/dagRuns/r"] = [(200, {"state": "running"})]
    assert [api.run_state("d", "r") for _ in range(3)] == ["running"] * 3
    assert script.tokens == 1
    assert {token for _, token, _ in script.asked} == {"Bearer token-1"}


def test_a_token_that_is_refused_is_renewed_once(api: AirflowApi, script: Script) -> None:
    script.answers["GET /api/v2/dags/d/dagRuns/r"] = [(200, {"state": "a"}), (401, {}), (200, {"state": "b"})]
    assert [api.run_state("d", "r"), api.run_state("d", "r")] == ["a", "b"]
    assert script.tokens == 2
    assert script.asked[-1][1] == "Bearer token-2"


def test_a_refusal_is_said_with_what_was_wanted_and_why(api: AirflowApi, script: Script) -> None:
    script.answers["POST /api/v2/dags/d/dagRuns"] = [(400, {"detail": "Invalid input for param force"})]
    with pytest.raises(StackError, match="would not trigger d: HTTP 400, Invalid input for param force"):
        api.trigger("d", "r", {"force": 1})


def test_a_refusal_without_a_reason_is_said_as_well(api: AirflowApi, script: Script) -> None:
    script.answers["POST /api/v2/dags/d/dagRuns"] = [(500, "<html>")]
    with pytest.raises(StackError, match="HTTP 500, without saying why"):
        api.trigger("d", "r", {})


def test_a_server_that_is_gone_is_said_to_be_so() -> None:
    with pytest.raises(StackError, match="could not be asked to look at the run: ConnectionError"):
        AirflowApi("http://127.0.0.1:1", "admin", "secret").run_state("d", "r")


def test_a_run_is_triggered_with_its_configuration_and_a_date(api: AirflowApi, script: Script) -> None:
    script.answers["POST /api/v2/dags/d/dagRuns"] = [(200, {})]
    api.trigger("d", "r1", {"force": True})
    _, _, body = script.asked[0]
    assert (body["dag_run_id"], body["conf"]) == ("r1", {"force": True})
    assert body["logical_date"].endswith("+00:00")


@pytest.mark.parametrize("second", [(200, {}), (409, {"detail": "there is such a run"})])
def test_trigger_without_an_answer_is_sent_again(
    api: AirflowApi, script: Script, monkeypatch: pytest.MonkeyPatch, second: tuple[int, Any]
) -> None:
    monkeypatch.setattr("devstack.airflow_api.ANSWER_SECONDS", 0.5)
    script.answers["POST /api/v2/dags/d/dagRuns"] = [SILENCE, second]
    api.trigger("d", "r1", {})
    assert [body["dag_run_id"] for _, _, body in script.asked] == ["r1", "r1"]


def test_question_without_an_answer_is_asked_again(
    api: AirflowApi, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devstack.airflow_api.ANSWER_SECONDS", 0.5)
    script.answers["GET /api/v2/dags/d/dagRuns/r"] = [SILENCE, (200, {"state": "success"})]
    assert api.run_state("d", "r") == "success"


def test_trigger_that_is_never_answered_says_so(
    api: AirflowApi, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devstack.airflow_api.ANSWER_SECONDS", 0.2)
    script.answers["POST /api/v2/dags/d/dagRuns"] = [SILENCE]
    with pytest.raises(StackError, match="did not trigger d within"):
        api.trigger("d", "r1", {})


def test_refusal_of_a_run_that_exists_is_said(api: AirflowApi, script: Script) -> None:
    script.answers["POST /api/v2/dags/d/dagRuns"] = [(409, {"detail": "there is such a run"})]
    with pytest.raises(StackError, match="HTTP 409, there is such a run"):
        api.trigger("d", "r1", {})


def test_all_pages_of_tasks_are_read_and_those_that_started_first_come_first(api: AirflowApi, script: Script) -> None:
    def item(task_id: str, index: int, start: str | None) -> dict[str, Any]:
        return {"task_id": task_id, "map_index": index, "state": "success", "try_number": 1, "start_date": start}

    path = "GET /api/v2/dags/d/dagRuns/r/taskInstances?limit=100&offset="
    waiting, late = item("a", -1, None), item("b", 1, "2026-01-01T00:00:02Z")
    early = item("b", 0, "2026-01-01T00:00:01Z")
    script.answers[f"{path}0"] = [(200, {"task_instances": [waiting, late], "total_entries": 3})]
    script.answers[f"{path}2"] = [(200, {"task_instances": [early], "total_entries": 3})]
    assert [task.label for task in api.tasks("d", "r")] == ["b[0]", "b[1]", "a"]


def test_a_dag_that_airflow_does_not_know_is_none(api: AirflowApi, script: Script) -> None:
    script.answers["GET /api/v2/dags/d"] = [(404, {"detail": "no"})]
    assert api.dag("d") is None


def test_a_pool_that_exists_is_left_alone(api: AirflowApi, script: Script) -> None:
    script.answers["POST /api/v2/pools"] = [(409, {"detail": "exists"})]
    api.ensure_pool("syrve_api", 4, "calls")
    assert script.asked[0][2]["slots"] == 4


def test_signs_of_life_are_read_by_component(api: AirflowApi, script: Script) -> None:
    script.answers["GET /execution/health"] = [(200, {})]
    script.answers["GET /api/v2/monitor/health"] = [
        (
            200,
            {
                "scheduler": {"status": "healthy", "latest_scheduler_heartbeat": "1970-01-01T00:01:40+00:00"},
                "triggerer": {"status": None, "latest_triggerer_heartbeat": None},
                "dag_processor": {"latest_dag_processor_heartbeat": "1970-01-01T00:00:50+00:00"},
            },
        )
    ]
    beats = api.heartbeats()
    assert (beats["scheduler"], beats["dag-processor"]) == (100.0, 50.0)
    assert "triggerer" not in beats
    assert "api-server" in beats


def test_there_are_no_signs_of_life_while_the_server_does_not_answer() -> None:
    assert AirflowApi("http://127.0.0.1:1", "admin", "secret").heartbeats() == {}


def test_a_mapped_task_is_shown_with_its_index() -> None:
    assert TaskState("pull", 3, None, 0).label == "pull[3]"
    assert TaskState("plan", -1, None, 0).label == "plan"
