"""Health checks tell a part of the stack that works from one that does not."""

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import psycopg2
import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker

from compose.stack_files import StackFiles


class Answers(ThreadingHTTPServer):
    """A component's HTTP side: answers every path with what it is told to."""

    status = 200
    status_of: ClassVar[dict[str, int]] = {}
    body = b""

    class Handler(BaseHTTPRequestHandler):
        """Answers from the server's attributes."""

        server: "Answers"

        def do_GET(self) -> None:
            """Answer."""
            self.send_response(self.server.status_of.get(self.path, self.server.status))
            self.end_headers()
            self.wfile.write(self.server.body)

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), self.Handler)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}/"


URLS = ("API_SERVER_URL", "EXECUTION_API_URL", "SCHEDULER_URL", "SIMULATOR_URL")


@pytest.fixture
def answers(healthcheck: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    with Answers() as server:
        for name in URLS:
            path = urlsplit(getattr(healthcheck, name)).path
            monkeypatch.setattr(healthcheck, name, server.url.rstrip("/") + path)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_api_server_is_healthy_when_its_database_is(healthcheck: ModuleType, answers: Answers) -> None:
    answers.body = b'{"metadatabase": {"status": "healthy"}, "scheduler": {"status": "unhealthy"}}'

    assert healthcheck.main(["api-server"]) == 0


def test_api_server_without_its_database_is_unhealthy(
    healthcheck: ModuleType, answers: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    answers.body = b'{"metadatabase": {"status": "unhealthy"}}'

    assert healthcheck.main(["api-server"]) == 1
    assert "metadata database" in capsys.readouterr().out


def test_api_server_that_takes_no_tasks_yet_is_unhealthy(
    healthcheck: ModuleType, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers.body = b'{"metadatabase": {"status": "healthy"}}'
    monkeypatch.setitem(answers.status_of, "/execution/health", 503)

    assert healthcheck.main(["api-server"]) == 1


@pytest.mark.parametrize("component", ["scheduler", "simulator"])
def test_answering_component_is_healthy(healthcheck: ModuleType, answers: Answers, component: str) -> None:
    assert healthcheck.main([component]) == 0


@pytest.mark.parametrize("component", ["api-server", "scheduler", "simulator"])
def test_component_that_answers_with_an_error_is_unhealthy(
    healthcheck: ModuleType, answers: Answers, component: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answers.status = 503

    assert healthcheck.main([component]) == 1
    assert capsys.readouterr().out.startswith(f"{component}: HTTPError")


@pytest.mark.parametrize("component", ["api-server", "scheduler", "simulator"])
def test_component_that_does_not_listen_is_unhealthy(
    healthcheck: ModuleType, monkeypatch: pytest.MonkeyPatch, component: str
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        for name in URLS:
            monkeypatch.setattr(healthcheck, name, f"http://127.0.0.1:{port}/")

        assert healthcheck.main([component]) == 1


class TestHeartbeat:
    """Against Airflow's own table of jobs."""

    @pytest.fixture
    def jobs(self, empty_database_dsn: str, monkeypatch: pytest.MonkeyPatch) -> "Jobs":
        from airflow.jobs.job import Job
        from sqlalchemy import create_engine

        parts = urlsplit(empty_database_dsn)
        engine = create_engine(
            f"postgresql+psycopg2://{parts.netloc}{parts.path}?{urlencode(dict(parse_qsl(parts.query)))}"
        )
        Job.__table__.create(engine)
        engine.dispose()
        monkeypatch.setenv(
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
            empty_database_dsn.replace("postgresql://", "postgresql+psycopg2://", 1),
        )
        return Jobs(empty_database_dsn)

    @pytest.mark.parametrize(
        ("component", "job_type"), [("dag-processor", "DagProcessorJob"), ("triggerer", "TriggererJob")]
    )
    def test_recent_heartbeat_of_this_host_is_healthy(
        self, healthcheck: ModuleType, jobs: "Jobs", component: str, job_type: str
    ) -> None:
        jobs.add(job_type, age_seconds=5)

        assert healthcheck.main([component]) == 0

    def test_job_types_are_the_ones_that_airflow_writes(self) -> None:
        from airflow.jobs.dag_processor_job_runner import DagProcessorJobRunner
        from airflow.jobs.triggerer_job_runner import TriggererJobRunner

        assert (DagProcessorJobRunner.job_type, TriggererJobRunner.job_type) == ("DagProcessorJob", "TriggererJob")

    def test_old_heartbeat_is_unhealthy(
        self, healthcheck: ModuleType, jobs: "Jobs", capsys: pytest.CaptureFixture[str]
    ) -> None:
        jobs.add("TriggererJob", age_seconds=300)

        assert healthcheck.main(["triggerer"]) == 1
        assert "300 s old" in capsys.readouterr().out

    @pytest.mark.parametrize(
        "other",
        [{"hostname": "another-container"}, {"job_type": "SchedulerJob"}, {"state": "failed"}],
        ids=["another host's", "another component's", "a stopped one's"],
    )
    def test_heartbeat_of_something_else_does_not_count(
        self,
        healthcheck: ModuleType,
        jobs: "Jobs",
        other: dict[str, Any],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        given: dict[str, Any] = {"job_type": "TriggererJob"} | other
        jobs.add(**given)

        assert healthcheck.main(["triggerer"]) == 1
        assert "no running TriggererJob" in capsys.readouterr().out

    def test_unreachable_database_is_unhealthy_and_shows_no_password(
        self, healthcheck: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        url = "postgresql+psycopg2://airflow:canary-password@127.0.0.1:1/airflow"
        monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", url)

        assert healthcheck.main(["dag-processor"]) == 1
        output = capsys.readouterr().out
        assert "dag-processor: OperationalError" in output
        assert "canary" not in output


class Jobs:
    """Rows of Airflow's job table."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    def add(self, job_type: str, age_seconds: float = 0, hostname: str | None = None, state: str = "running") -> None:
        """A job whose last heartbeat is that old; of this host unless told otherwise."""
        heartbeat = datetime.now(UTC) - timedelta(seconds=age_seconds)
        values = [job_type, hostname or socket.gethostname(), state, heartbeat]
        connection = psycopg2.connect(self.dsn)
        try:
            with connection, connection.cursor() as cursor:
                columns = "job_type, hostname, state, latest_heartbeat"
                cursor.execute(f"insert into job ({columns}) values (%s, %s, %s, %s)", values)
        finally:
            connection.close()


class TestWorker:
    """Against a Celery worker of this process, on a broker in memory."""

    @pytest.fixture(autouse=True)
    def _broker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW__CELERY__BROKER_URL", "memory://")

    def test_worker_that_answers_through_the_broker_is_healthy(self, healthcheck: ModuleType) -> None:
        app = Celery(broker="memory://", set_as_current=False)
        name = f"celery@{socket.gethostname()}"
        with start_worker(app, perform_ping_check=False, hostname=name, shutdown_timeout=30):
            assert healthcheck.main(["worker"]) == 0

    def test_worker_of_another_container_does_not_count(
        self, healthcheck: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(healthcheck, "TIMEOUT_SECONDS", 1)
        app = Celery(broker="memory://", set_as_current=False)
        with start_worker(app, perform_ping_check=False, hostname="celery@another-container", shutdown_timeout=30):
            assert healthcheck.main(["worker"]) == 1
        assert "does not answer through the broker" in capsys.readouterr().out


def test_every_component_that_the_stack_checks_is_known(healthcheck: ModuleType) -> None:
    tests = [definition.get("healthcheck", {}).get("test", []) for definition in StackFiles.read().services.values()]
    checked = {test[-1] for test in tests if "docker/healthcheck.py" in test}

    assert checked == set(healthcheck.CHECKS)


@pytest.mark.parametrize("arguments", [[], ["warehouse"], ["worker", "worker"]])
def test_unknown_component_is_refused(healthcheck: ModuleType, arguments: list[str]) -> None:
    assert healthcheck.main(arguments) == 2
