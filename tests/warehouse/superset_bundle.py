"""Makes the dashboard of docs/superset from docs/questions.md: a dataset and a chart per question, as Superset exports them."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import yaml

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "superset"
DATABASE = "Syrve warehouse"
TITLE = "Syrve: ten questions"
WIDTH, HEIGHT = 12, 50
OVER_TIME = {
    "1": ("day", "balance", "name"),
    "4_2": ("day", "open_amount", "name"),
    "8": ("day", "topped_up", "name"),
}
"""Questions whose answer is drawn over time: day, amount and the column that tells the lines apart. The others are tables."""
_TYPES = {
    16: "BOOLEAN",
    20: "BIGINT",
    23: "INTEGER",
    1082: "DATE",
    1114: "TIMESTAMP",
    1184: "TIMESTAMPTZ",
    1186: "INTERVAL",
    1700: "NUMERIC",
}

Described = list[tuple[str, int]]
"""Names of the columns of an answer, with the type of each."""


def questions() -> dict[str, tuple[str, str]]:
    """Headings and statements by number; of several statements of a question the second is `_2`."""
    page = (DOCS / "questions.md").read_text(encoding="utf-8")
    found = {}
    for number, title, text in re.findall(r"^## (\d+)\. ([^\n]*)\n(.*?)(?=^## )", page, re.MULTILINE | re.DOTALL):
        for place, statement in enumerate(re.findall(r"```sql\n(.*?)```", text, re.DOTALL), start=1):
            name = number if place == 1 else f"{number}_{place}"
            found[name] = (title if place == 1 else f"{title} ({place})", statement.strip().rstrip(";"))
    return found


def bundle(describe: Callable[[str], Described]) -> dict[str, str]:
    """Return the files by name; `describe` gives the columns of a statement."""
    files: dict[str, Any] = {
        "metadata.yaml": {"version": "1.0.0", "type": "Dashboard", "timestamp": "2026-11-28T00:00:00+00:00"},
        "databases/Syrve_warehouse.yaml": _database(),
    }
    charts = []
    for name, (title, statement) in questions().items():
        columns = describe(statement)
        files[f"datasets/Syrve_warehouse/question_{name}.yaml"] = _dataset(name, title, statement, columns)
        files[f"charts/question_{name}.yaml"] = _chart(name, title, columns)
        charts.append((name, title))
    files["dashboards/syrve_ten_questions.yaml"] = _dashboard(charts)
    return {
        name: yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120) for name, content in files.items()
    }


def _id(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"airflow-provider-syrve/superset/{name}"))


def _database() -> dict[str, Any]:
    return {
        "database_name": DATABASE,
        "sqlalchemy_uri": "postgresql+psycopg2://analyst@warehouse-db:5432/warehouse",
        "cache_timeout": None,
        "expose_in_sqllab": True,
        "allow_run_async": False,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "allow_file_upload": False,
        "extra": {"allows_virtual_table_explore": True},
        "uuid": _id("database"),
        "version": "1.0.0",
    }


def _dataset(name: str, title: str, statement: str, columns: Described) -> dict[str, Any]:
    described: list[dict[str, Any]] = [
        {
            "column_name": column,
            "verbose_name": None,
            "is_dttm": _TYPES.get(kind, "TEXT") in ("DATE", "TIMESTAMP", "TIMESTAMPTZ"),
            "is_active": True,
            "type": _TYPES.get(kind, "TEXT"),
            "groupby": True,
            "filterable": True,
            "expression": None,
            "description": None,
            "python_date_format": None,
            "extra": {},
        }
        for column, kind in columns
    ]
    return {
        "table_name": f"question_{name}",
        "main_dttm_col": "day" if "day" in dict(columns) else None,
        "description": title,
        "default_endpoint": None,
        "offset": 0,
        "cache_timeout": None,
        "schema": "analytics",
        "sql": statement,
        "params": None,
        "template_params": None,
        "filter_select_enabled": True,
        "fetch_values_predicate": None,
        "extra": None,
        "uuid": _id(f"dataset {name}"),
        "metrics": [
            {
                "metric_name": "count",
                "verbose_name": "rows",
                "metric_type": "count",
                "expression": "COUNT(*)",
                "description": None,
                "d3format": None,
                "extra": {},
                "warning_text": None,
            }
        ],
        "columns": described,
        "version": "1.0.0",
        "database_uuid": _id("database"),
    }


def _chart(name: str, title: str, columns: Described) -> dict[str, Any]:
    if name in OVER_TIME:
        day, amount, lines = OVER_TIME[name]
        params: dict[str, Any] = {
            "viz_type": "echarts_timeseries_line",
            "x_axis": day,
            "time_grain_sqla": "P1D",
            "metrics": [{"expressionType": "SQL", "sqlExpression": f"SUM({amount})", "label": amount}],
            "groupby": [lines],
            "row_limit": 10_000,
            "show_legend": True,
        }
    else:
        params = {
            "viz_type": "table",
            "query_mode": "raw",
            "all_columns": [column for column, _ in columns],
            "row_limit": 1_000,
            "server_pagination": False,
        }
    return {
        "slice_name": title,
        "description": None,
        "certified_by": None,
        "certification_details": None,
        "viz_type": params["viz_type"],
        "params": params,
        "query_context": None,
        "cache_timeout": None,
        "uuid": _id(f"chart {name}"),
        "version": "1.0.0",
        "dataset_uuid": _id(f"dataset {name}"),
    }


def _dashboard(charts: list[tuple[str, str]]) -> dict[str, Any]:
    rows = [f"ROW-{name}" for name, _ in charts]
    position: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"id": "ROOT_ID", "type": "ROOT", "children": ["GRID_ID"]},
        "GRID_ID": {"id": "GRID_ID", "type": "GRID", "children": rows, "parents": ["ROOT_ID"]},
        "HEADER_ID": {"id": "HEADER_ID", "type": "HEADER", "meta": {"text": TITLE}},
    }
    for number, (name, title) in enumerate(charts, start=1):
        row, chart = f"ROW-{name}", f"CHART-{name}"
        position[row] = {
            "id": row,
            "type": "ROW",
            "children": [chart],
            "parents": ["ROOT_ID", "GRID_ID"],
            "meta": {"background": "BACKGROUND_TRANSPARENT"},
        }
        position[chart] = {
            "id": chart,
            "type": "CHART",
            "children": [],
            "parents": ["ROOT_ID", "GRID_ID", row],
            "meta": {
                "chartId": number,
                "uuid": _id(f"chart {name}"),
                "sliceName": title,
                "width": WIDTH,
                "height": HEIGHT,
            },
        }
    return {
        "dashboard_title": TITLE,
        "description": "docs/questions.md as charts; reads the schema analytics only.",
        "css": "",
        "slug": "syrve-ten-questions",
        "certified_by": None,
        "certification_details": None,
        "published": True,
        "uuid": _id("dashboard"),
        "position": position,
        "metadata": {"color_scheme": "", "refresh_frequency": 0, "cross_filters_enabled": False},
        "version": "1.0.0",
    }
