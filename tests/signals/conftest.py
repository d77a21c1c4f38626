"""A receiver as its own process, with a log-in that may do no more than receive."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import pytest

from signals.feeding import Feeding
from signals.shapes import ONE, TWO
from syrve.signals.secret_book import add_secret
from syrve.warehouse.database import Warehouse
from syrve_simulator.process import SimulatorProcess, start_simulator

SECRETS = {ONE: "secret-of-organization-one-0001", TWO: "secret-of-organization-two-0002"}


@dataclass
class RunningReceiver:
    """A receiver that listens; `log` is what it has written."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    client: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=30))

    def post(self, body: Any, secret: str | None = None, **options: Any) -> httpx.Response:
        headers = {"Authorization": secret} if secret else {}
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        return self.client.post(self.url, headers=headers, **content, **options)


@contextmanager
def running_receiver(dsn: str, log: Path) -> Iterator[RunningReceiver]:
    environment = {**os.environ, "SYRVE_SIGNALS_DSN": dsn, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "syrve.signals", "serve", "--port", "0"]
    with (
        log.open("ab") as written,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=written) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        assert "http://" in line, log.read_text()
        receiver = RunningReceiver(line.split()[-1], process, log)
        try:
            yield receiver
        finally:
            receiver.client.close()
            process.terminate()
            process.wait(timeout=30)


@pytest.fixture
def warehouse_dsn(emptied_warehouse_dsn: str) -> str:
    return emptied_warehouse_dsn


@pytest.fixture
def with_secrets(warehouse: Warehouse) -> Warehouse:
    for organization_id, secret in SECRETS.items():
        add_secret(warehouse, organization_id, secret)
    return warehouse


@pytest.fixture(scope="module")
def receiver_dsn(kept_warehouse: str, make_login: Callable[[str], str]) -> str:
    return kept_warehouse.replace("postgres@", f"{make_login('syrve_receiver')}@")


@pytest.fixture(scope="module")
def lasting_receiver(receiver_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningReceiver]:
    with running_receiver(receiver_dsn, tmp_path_factory.mktemp("receiver") / "receiver.log") as running:
        yield running


@pytest.fixture
def receiver(with_secrets: Warehouse, lasting_receiver: RunningReceiver) -> RunningReceiver:
    return lasting_receiver


@pytest.fixture
def query(warehouse_dsn: str) -> Callable[..., list[tuple[Any, ...]]]:
    def run(statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(psycopg2.connect(warehouse_dsn)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    return run


@pytest.fixture(scope="module")
def live_service() -> Iterator[SimulatorProcess]:
    with start_simulator(customers=40, seed=7, dialect="cloud", record_requests=True) as process:
        yield process


@pytest.fixture
def feeding(live_service: SimulatorProcess, warehouse: Warehouse) -> Feeding:
    return Feeding(live_service, warehouse)
