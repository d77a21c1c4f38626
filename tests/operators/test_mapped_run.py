"""A mapped task run by Airflow itself, with its own database: what an XCom gives it is not run as code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DAG_FILE = """
import json, sys

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG

from syrve.operators.base import WarehouseOperator

CODE = "{{ ''.__class__.__name__ }}"

class Keep(WarehouseOperator):
    template_fields = ("value", "written")

    def __init__(self, *, value, written, **kwargs):
        super().__init__(**kwargs)
        self.value, self.written = value, written

    def execute(self, context):
        with open(sys.argv[1], "a") as file:
            file.write(json.dumps([self.value, self.written]) + "\\n")

def plan():
    return [{"value": CODE}, {"value": [CODE]}, {"value": {"a": CODE}}]

def keep_quiet(context, result=None):
    pass

with DAG("mapped", schedule=None, render_template_as_native_obj=True) as dag:
    planned = PythonOperator(task_id="plan", python_callable=plan)
    Keep.partial(task_id="keep", written=CODE, post_execute=keep_quiet).expand_kwargs(planned.output)

if __name__ == "__main__":
    print("STATE", dag.test().state)
"""
CODE = "{{ ''.__class__.__name__ }}"


def test_airflow_runs_no_code_of_an_xcom(tmp_path: Path) -> None:
    file, kept = tmp_path / "mapped.py", tmp_path / "kept.jsonl"
    file.write_text(DAG_FILE)

    airflow(tmp_path, "-m", "airflow", "db", "migrate")
    told = airflow(tmp_path, str(file), str(kept))

    assert "STATE success" in told
    assert [json.loads(line) for line in kept.read_text().splitlines()] == [
        [CODE, "str"],
        [[CODE], "str"],
        [{"a": CODE}, "str"],
    ]


def airflow(home: Path, *arguments: str) -> str:
    own = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "false", "AIRFLOW__CORE__DAGS_FOLDER": str(home)}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")} | own
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(done.stdout[-3_000:] + done.stderr[-3_000:])
    return done.stdout
