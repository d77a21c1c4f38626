"""A run that does not end is told by Airflow's scheduler and triggerer, while its task still waits; one that ended is not."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devstack.cli import REPOSITORY
from devstack.dag_runs import start_run, wait_until_parsed
from devstack.environments import StackPaths
from devstack.purposes import DEMO
from devstack.stack import Stack
from e2e_support import wait_until
from fixtures.channels import Webhook, open_webhook
from syrve.notifications.late import tell_late_run

DAG_FILE = """
from datetime import timedelta
from airflow.sdk import DAG, PokeReturnValue, task
from syrve.operators import settings

with DAG("slow", schedule=None, deadline=settings.late_run_alert(0)) as dag:
    @task.sensor(poke_interval=0.2, timeout=600)
    def gate() -> PokeReturnValue:
        from pathlib import Path
        return PokeReturnValue(Path({gate!r}).exists())
    gate()
"""


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with open_webhook() as hook:
        yield hook


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="syrve-e2e-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def slow_airflow(home: Path, webhook: Webhook) -> Iterator[Any]:
    dags = home / "dags"
    dags.mkdir()
    (dags / "slow.py").write_text(DAG_FILE.format(gate=str(home / "gate")))
    connection = {"conn_type": "apprise", "extra": {"config": {"path": webhook.path}}}
    environ = os.environ | {"AIRFLOW_CONN_SYRVE_NOTIFICATIONS": json.dumps(connection)}
    stack = Stack(StackPaths(REPOSITORY, home / "stack", dags), environ, print)
    state = stack.bring_up(replace(DEMO, components=(*DEMO.components, "triggerer"), shows_live_service=False))
    try:
        yield stack.api(state)
    finally:
        stack.take_down(state, grace_seconds=5.0)


@pytest.mark.timeout(600)
def test_late_run_is_told_while_its_task_still_waits(slow_airflow: Any, webhook: Webhook, home: Path) -> None:
    wait_until_parsed(slow_airflow, home / "dags", "slow", not_before=0.0)
    slow_airflow.set_paused("slow", paused=False)

    run = start_run(slow_airflow, "slow", {})
    wait_until(lambda: bool(webhook.taken), "a channel is told", timeout_seconds=180)

    [told] = webhook.taken
    assert told["title"] == "slow is late"
    assert f"Run: {run.run_id}" in told["message"]
    (home / "gate").touch()
    wait_until(lambda: slow_airflow.run_state("slow", run.run_id) == "success", "the run ends", timeout_seconds=120)


@pytest.mark.parametrize("state", ["failed", "success"])
async def test_run_that_ended_is_not_told_as_late(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syrve.notifications.late.send_through", pytest.fail)

    assert await tell_late_run(minutes=30, context={"dag_run": {"dag_id": "a", "state": state}})
