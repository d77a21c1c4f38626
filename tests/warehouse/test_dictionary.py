"""docs/dictionary.md and docs/dbt/sources.yml are what the catalogue says, and what they say of keys and joins is true."""

import re
from pathlib import Path

import pytest
import yaml

from syrve.warehouse.__main__ import main
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dictionary import Relation, dbt_sources, markdown, read_relations
from syrve.warehouse.errors import WarehouseConfigError
from warehouse.planted import plant

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def planted(lasting_warehouse: Warehouse) -> Warehouse:
    plant(lasting_warehouse)
    return lasting_warehouse


@pytest.fixture(scope="module")
def relations(planted: Warehouse) -> list[Relation]:
    with planted.transaction("read the catalogue") as cursor:
        return read_relations(cursor)


def test_dictionary_is_that_of_the_catalogue(relations: list[Relation]) -> None:
    told = (DOCS / "dictionary.md").read_text(encoding="utf-8")

    assert told == markdown(relations), "run: python -m syrve.warehouse dictionary > docs/dictionary.md"


def test_dbt_sources_are_those_of_the_catalogue(relations: list[Relation]) -> None:
    told = (DOCS / "dbt" / "sources.yml").read_text(encoding="utf-8")

    assert told == dbt_sources(relations), "run: python -m syrve.warehouse dbt-sources > docs/dbt/sources.yml"
    [source] = yaml.safe_load(told)["sources"]
    views = {each.name: [name for name, _, _ in each.columns] for each in relations if each.schema == "analytics"}
    assert {each["name"]: [column["name"] for column in each["columns"]] for each in source["tables"]} == views


def test_comments_of_views_name_nothing_closed_to_analysts(relations: list[Relation]) -> None:
    views = [each for each in relations if each.schema == "analytics"]
    told = [
        (each.name, text) for each in views for text in (each.meaning, *(comment for _, _, comment in each.columns))
    ]

    assert len(told) > 100
    assert [each for each in told if re.search(r"(?<!/)\b(syrve|sync|crm|wallet|secret)\.[a-z]", each[1] or "")] == []


def test_command_prints_what_the_pages_hold(
    planted: Warehouse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SYRVE_WAREHOUSE_DSN", planted.url.render_as_string(hide_password=False))

    assert main(["dictionary"]) == 0
    assert capsys.readouterr().out == (DOCS / "dictionary.md").read_text(encoding="utf-8")
    assert main(["dbt-sources"]) == 0
    assert capsys.readouterr().out == (DOCS / "dbt" / "sources.yml").read_text(encoding="utf-8")


def test_stated_keys_are_unique(planted: Warehouse, relations: list[Relation]) -> None:
    double = []
    with planted.transaction("compare") as cursor:
        for each in relations:
            columns = ", ".join(each.key)
            if each.key:
                cursor.execute(
                    f"select 1 from {each.schema}.{each.name} group by {columns} having count(*) > 1 limit 1"
                )
                double += [each.name] if cursor.fetchone() else []

    assert double == []


def test_joins_lead_to_one_row_each(relations: list[Relation]) -> None:
    keys = {each.name: set(each.key) for each in relations if each.schema == "analytics"}
    joins = [(each.name, view, columns) for each in relations for view, columns in each.joins]

    assert len(joins) > 20
    assert [join for join in joins if keys[join[1]] != set(join[2])] == []


@pytest.mark.parametrize(
    ("comment", "refusal"),
    [
        ("A view.", r"the comment of analytics\.wrong must end with: One row per X"),
        ("A view. One row per one. Key: two.", "names the column two, which it does not have"),
    ],
)
def test_view_that_states_its_row_wrongly_is_refused(planted: Warehouse, comment: str, refusal: str) -> None:
    with planted.connect() as connection:
        cursor = connection.cursor()
        cursor.execute("create view analytics.wrong as select 1 as one")
        cursor.execute("comment on view analytics.wrong is %s", (comment,))
        with pytest.raises(WarehouseConfigError, match=refusal):
            read_relations(cursor)
        connection.rollback()
