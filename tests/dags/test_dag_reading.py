"""Reading the DAG files: no connection, no database, no process, nothing heavy, and soon done."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from fixtures.dag_files import DAGS

MOST_IMPORT_SECONDS = 1.0
READ_THE_DAGS = """
import importlib.util, json, pathlib, sys, time

def seconds():
    return time.perf_counter(), time.process_time()

def load(file):
    spec = importlib.util.spec_from_file_location(file.stem, file)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))

start = seconds()
import airflow.sdk
from airflow.sdk import (
    DAG, Asset, BaseHook, BaseOperator, Context, ExceptionRetryPolicy, ObjectStoragePath, Param, RetryRule, TriggerRule
)
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.log import mask_secret
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
with DAG(dag_id="airflow_alone", schedule="@daily"):
    EmptyOperator(task_id="nothing")
airflow_alone, before = seconds(), set(sys.modules)

FORBIDDEN = ("socket.", "sqlite3.", "subprocess.", "os.system", "os.fork", "os.exec", "os.posix_spawn", "urllib.")
events = []
sys.addaudithook(lambda event, arguments: events.append(event) if event.startswith(FORBIDDEN) else None)
for file in sorted(pathlib.Path(sys.argv[1]).glob("*.py")):
    load(file)
ours = seconds()
print(json.dumps({
    "airflow_seconds": airflow_alone[0] - start[0],
    "wall_seconds": ours[0] - airflow_alone[0],
    "processor_seconds": ours[1] - airflow_alone[1],
    "modules": sorted(set(sys.modules) - before),
    "events": events,
}))
"""


def read_dags(**environment: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", READ_THE_DAGS, str(DAGS)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def reading() -> Any:
    """What happens when all DAG files are read, in a process that has imported Airflow and nothing else of ours."""
    return read_dags()


def test_reading_the_files_opens_no_socket_no_database_and_no_process(reading: Any) -> None:
    assert reading["events"] == []


def test_reading_the_files_imports_nothing_heavy(reading: Any) -> None:
    heavy = {
        "aiohttp",
        "apprise",
        "matplotlib",
        "numpy",
        "openpyxl",
        "pandas",
        "phonenumbers",
        "psycopg",
        "psycopg2",
        "pyarrow",
        "requests",
        "uvloop",
        "yoyo",
    }

    assert heavy & {name.partition(".")[0] for name in reading["modules"]} == set()


def test_reading_the_files_takes_under_a_second_beyond_airflow_itself(reading: Any) -> None:
    print({name: value for name, value in reading.items() if name.endswith("_seconds")})

    # Processor time: on a busy machine the clock also counts what others do.
    assert reading["processor_seconds"] < MOST_IMPORT_SECONDS


def test_audit_that_finds_nothing_would_find_something() -> None:
    spoiled = READ_THE_DAGS.replace(
        "load(file)\nours", "load(file)\nimport socket, pandas; socket.socket().close()\nours"
    )
    done = subprocess.run([sys.executable, "-c", spoiled, str(DAGS)], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])

    assert "socket.__new__" in found["events"]
    assert "pandas" in found["modules"]
