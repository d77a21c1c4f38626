"""docs/superset: what Superset asks with it runs as an analyst, and its parts fit together."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from devstack.postgres import PostgresServer
from fixtures.logins import login_of
from syrve.warehouse.database import Warehouse
from warehouse.planted import plant
from warehouse.superset_bundle import FOLDER, OVER_TIME, Described, bundle, questions

FILES = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.yaml"))


@pytest.fixture(scope="module")
def analyst(lasting_warehouse: Warehouse, postgres_server: PostgresServer) -> Iterator[Warehouse]:
    plant(lasting_warehouse)
    with login_of(postgres_server, "syrve_analyst") as name:
        yield Warehouse(lasting_warehouse.url.set(username=name))


def ask(warehouse: Warehouse, statement: str) -> tuple[Described, list[tuple[Any, ...]]]:
    with warehouse.transaction("ask") as cursor:
        cursor.execute(statement)
        columns = [(column.name, column.type_code) for column in cursor.description or ()]
        return columns, cursor.fetchall()


def read(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((FOLDER / name).read_text(encoding="utf-8")))


def test_files_are_made_from_the_page_of_questions(analyst: Warehouse) -> None:
    """Set SYRVE_WRITE_SUPERSET=1 to write them."""
    made = bundle(lambda statement: ask(analyst, statement)[0])
    if os.environ.get("SYRVE_WRITE_SUPERSET"):
        for name, content in made.items():
            (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
            (FOLDER / name).write_text(content, encoding="utf-8")
        return

    assert sorted(made) == FILES
    assert {name: (FOLDER / name).read_text(encoding="utf-8") for name in FILES} == made


@pytest.mark.parametrize("name", questions())
def test_chart_asks_what_an_analyst_may_ask(analyst: Warehouse, name: str) -> None:
    dataset, chart = read(f"datasets/Syrve_warehouse/question_{name}.yaml"), read(f"charts/question_{name}.yaml")
    wanted = chart["params"].get("all_columns") or [chart["params"]["x_axis"], *chart["params"]["groupby"]]
    amounts = [metric["sqlExpression"] for metric in chart["params"].get("metrics", [])]
    shown = ", ".join([*wanted, *amounts])
    grouped = f" group by {', '.join(wanted)}" if amounts else ""

    columns, rows = ask(analyst, f"select {shown} from ({dataset['sql']}) as virtual_table{grouped} limit 1000")

    assert rows
    assert len(columns) == len(wanted) + len(amounts)
    assert set(wanted) <= {column["column_name"] for column in dataset["columns"]}
    assert bool(amounts) == (name in OVER_TIME)


def test_parts_of_the_dashboard_fit_together() -> None:
    (database,) = [read(name)["uuid"] for name in FILES if name.startswith("databases/")]
    datasets = [read(name) for name in FILES if name.startswith("datasets/")]
    charts = [read(name) for name in FILES if name.startswith("charts/")]
    (dashboard,) = [read(name) for name in FILES if name.startswith("dashboards/")]

    shown = [
        part["meta"]["uuid"]
        for part in dashboard["position"].values()
        if isinstance(part, dict) and part["type"] == "CHART"
    ]
    assert {each["database_uuid"] for each in datasets} == {database}
    assert {each["dataset_uuid"] for each in charts} == {each["uuid"] for each in datasets}
    assert sorted(shown) == sorted(each["uuid"] for each in charts)
    assert "password" not in str(read("databases/Syrve_warehouse.yaml"))
