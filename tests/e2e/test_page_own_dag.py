"""A person writes a DAG of their own by docs/own-dags.md, runs it, and finds it on the Syrve page."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devstack import names
from devstack.cli import REPOSITORY
from devstack.dag_runs import wait_until_parsed
from e2e.test_page_in_browser import page  # noqa: F401 - a fixture
from fixtures.browser import Browser

GUIDE = (REPOSITORY / "docs" / "own-dags.md").read_text(encoding="utf-8")
DAG_ID = "no_email"


@pytest.fixture
def own_dag(airflow: Any) -> Iterator[Path]:
    """The file of the guide in the DAGs folder; Airflow forgets it afterwards."""
    (text,) = re.findall(r"^```python\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
    path: Path = airflow.stack.paths.dags / f"{DAG_ID}.py"
    path.write_text(text)
    yield path
    path.unlink()
    airflow.api.call("DELETE", f"/dags/{DAG_ID}", "forget a DAG")


def row_of(page: Browser) -> str:  # noqa: F811
    return page.text(f"//tr[th[contains(., {DAG_ID!r})]]")


@pytest.mark.usefixtures("own_dag")
def test_dag_written_by_the_guide_is_on_the_page(airflow: Any, page: Browser) -> None:  # noqa: F811
    people = airflow.fresh(customers=20)
    wait_until_parsed(airflow.api, airflow.stack.paths.dags, DAG_ID, not_before=0.0)
    assert "No data found" in airflow.command("dags", "list-import-errors")
    page.open("")
    assert "by hand only" in row_of(page)
    assert "It has not run" in row_of(page)

    airflow.command("dags", "unpause", DAG_ID)
    outcome, run = airflow.run(DAG_ID)

    assert outcome == "success", airflow.task_states()
    page.open("")
    assert "20 looked up, 20 changed" in row_of(page)
    page.shoot("overview-with-a-dag-of-ones-own")
    page.open("runs")
    assert run.run_id in page.text()
    assert "20 looked up, 20 changed" in (airflow.note(run) or "")
    counted = "select count(distinct customer_id) from syrve.customer join syrve.wallet_balance using (organization_id, customer_id)"
    [(expected,)] = airflow.rows(f"{counted} where balance > 0 and email is null and not is_deleted")
    left = "select value from xcom where dag_id = %s and task_id = 'count' and key = 'return_value'"
    assert airflow.rows(left, DAG_ID, database=names.METADATA_DATABASE) == [(expected,)]
    assert people[0]["phone"][2:] not in airflow.task_log(run, "pull") + airflow.task_log(run, "count")


def test_guide_names_operators_that_exist() -> None:
    code = "".join(path.read_text() for path in (REPOSITORY / "plugins" / "syrve" / "operators").glob("*.py"))
    named = set(re.findall(r"`(Syrve\w+Operator|wallet_\w+)`", GUIDE))

    assert len(named) > 8
    assert [each for each in named if f"class {each}(" not in code and f"def {each}(" not in code] == []
