"""Answers whether this container's part of Airflow does its work: exit code 0, or 1 and the reason on standard output.

Run by the health checks of docker-compose.yml every half minute in every container, so it imports nothing of Airflow: `airflow jobs
check` answers the same question at the price of seconds of CPU each time.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import urllib.request
from collections.abc import Callable
from typing import Any

API_SERVER_URL = "http://127.0.0.1:8080/api/v2/monitor/health"
EXECUTION_API_URL = "http://127.0.0.1:8080/execution/health"
SCHEDULER_URL = "http://127.0.0.1:8974/health"
SIMULATOR_URL = "http://127.0.0.1:8080/_control/health"
TIMEOUT_SECONDS = 10
MAXIMUM_HEARTBEAT_AGE_SECONDS = 60


class UnhealthyError(Exception):
    """The component does not do its work; the text says why."""


def check_api_server() -> None:
    """Ask the API for its health, which includes that of the metadata database, and the API that tasks report to."""
    # Airflow builds the latter at its first call, which takes longer than a task waits: now, before a worker starts.
    _get(EXECUTION_API_URL)
    health = _get(API_SERVER_URL)
    if health["metadatabase"]["status"] != "healthy":
        raise UnhealthyError("the metadata database is not reachable")


def check_scheduler() -> None:
    """Ask the scheduler's own health server, which answers 503 when the heartbeat is late."""
    _get(SCHEDULER_URL)


def check_dag_processor() -> None:
    """Look for a recent heartbeat of this container's DAG processor."""
    _check_heartbeat("DagProcessorJob")


def check_triggerer() -> None:
    """Look for a recent heartbeat of this container's triggerer."""
    _check_heartbeat("TriggererJob")


def check_worker() -> None:
    """Ask this container's Celery worker to answer through the broker, the way its tasks arrive."""
    from celery import Celery

    worker = f"celery@{socket.gethostname()}"
    with Celery(broker=os.environ["AIRFLOW__CELERY__BROKER_URL"], set_as_current=False) as app:
        answers = app.control.inspect(destination=[worker], timeout=TIMEOUT_SECONDS / 2).ping()
    if not answers:
        raise UnhealthyError(f"{worker} does not answer through the broker")


def check_simulator() -> None:
    """Ask the simulator on its control path."""
    _get(SIMULATOR_URL)


CHECKS: dict[str, Callable[[], None]] = {
    "api-server": check_api_server,
    "scheduler": check_scheduler,
    "dag-processor": check_dag_processor,
    "triggerer": check_triggerer,
    "worker": check_worker,
    "simulator": check_simulator,
}


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 (always loopback)
        body = answer.read()
    return json.loads(body) if body else None


def _check_heartbeat(job_type: str) -> None:
    import psycopg2

    dsn = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("postgresql+psycopg2://", "postgresql://", 1)
    query = (
        "select extract(epoch from now() - max(latest_heartbeat))::float from job"
        " where job_type = %s and hostname = %s and state = 'running'"
    )
    connection = psycopg2.connect(dsn, connect_timeout=TIMEOUT_SECONDS)
    try:
        with connection.cursor() as cursor:
            cursor.execute(query, [job_type, socket.gethostname()])
            row = cursor.fetchone()
    finally:
        connection.close()
    age_seconds = row[0] if row else None
    if age_seconds is None:
        raise UnhealthyError(f"no running {job_type} on this host")
    if age_seconds > MAXIMUM_HEARTBEAT_AGE_SECONDS:
        raise UnhealthyError(f"the last heartbeat of {job_type} is {age_seconds:.0f} s old")


def main(arguments: list[str]) -> int:
    """Check the component named by the one argument."""
    if len(arguments) != 1 or arguments[0] not in CHECKS:
        print(f"usage: healthcheck.py {'|'.join(CHECKS)}", file=sys.stderr)
        return 2
    try:
        CHECKS[arguments[0]]()
    except Exception as error:  # noqa: BLE001 (whatever it is, the answer is: not healthy)
        # The type before the text, and no more than a line: a driver's message may go on to quote its address.
        print(f"{arguments[0]}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
        return 1
    print("healthy")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
