"""Writes docs/dictionary.md and docs/dbt/sources.yml from the catalogue: `python -m syrve.warehouse dictionary | dbt-sources`.

What a row is, its key and its joins are read from the comments of the views (`One row per X. Key: a, b. Joins: view (a, b).`), because
a view has no key; of tables the primary key is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from syrve.warehouse.database import Cursor
from syrve.warehouse.errors import WarehouseConfigError
from syrve.warehouse.sql_files import sql

SCHEMAS = ("analytics", "syrve")
_STATED = re.compile(r"\s*(One row per .+?)\. Key: (.+?)\.(?: Joins: (.+)\.)?$", re.DOTALL)
_JOIN = re.compile(r"(\w+) \(([^)]+)\)")

_HEAD = """# Dictionary

Generated from the catalogue: `python -m syrve.warehouse dictionary > docs/dictionary.md` (a test compares). The schema `analytics` is for
analysts and holds pseudonyms; `syrve` is the mirror behind it, with personal data, for the DAGs and the owner.

"""


@dataclass(frozen=True, slots=True)
class Relation:
    """A view or table with its columns as (name, type, meaning); `joins` are (view, columns)."""

    schema: str
    name: str
    meaning: str
    grain: str
    key: tuple[str, ...]
    joins: tuple[tuple[str, tuple[str, ...]], ...]
    columns: tuple[tuple[str, str, str], ...]


def read_relations(cursor: Cursor) -> list[Relation]:
    """Return the relations of `SCHEMAS` in order of schema and name, partitions left out.

    Raises `WarehouseConfigError` if a view of `analytics` does not state its row and key, or names a column that it does not have.
    """
    cursor.execute(sql("rights/relations.sql"), {"schemas": list(SCHEMAS)})
    return [_relation(*row) for row in cursor.fetchall()]


def markdown(relations: Iterable[Relation]) -> str:
    """Render the dictionary with an entity-relationship diagram of `analytics`."""
    known = list(relations)
    views = [each for each in known if each.schema == "analytics"]
    lines = [_HEAD, "## How the views hang together\n\n", _diagram(views)]
    for schema in SCHEMAS:
        lines.append(f"## Schema `{schema}`\n\n")
        lines += [_section(each) for each in known if each.schema == schema]
    return "".join(lines).rstrip() + "\n"


def dbt_sources(relations: Iterable[Relation]) -> str:
    """Render the views of `analytics` as sources of dbt, with descriptions, and keys and joins as tests."""
    lines = [
        "# Generated: python -m syrve.warehouse dbt-sources > docs/dbt/sources.yml (needs the package dbt_utils)",
        "version: 2",
        "sources:",
        "  - name: analytics",
        "    schema: analytics",
        "    tables:",
    ]
    for each in relations:
        if each.schema == "analytics":
            lines += _dbt_table(each)
    return "\n".join(lines) + "\n"


def _relation(
    schema: str, name: str, comment: str, primary_key: list[str] | None, columns: list[list[str]]
) -> Relation:
    stated = _STATED.search(comment)
    if stated is None and schema == "analytics":
        raise WarehouseConfigError(
            f"the comment of {schema}.{name} must end with: One row per X. Key: a, b. Joins: view (a, b)."
        )
    key = tuple(stated[2].split(", ")) if stated else tuple(primary_key or ())
    joins = tuple((view, tuple(names.split(", "))) for view, names in _JOIN.findall((stated and stated[3]) or ""))
    names = {column[0] for column in columns}
    for column in (*key, *(column for _, used in joins for column in used)):
        if column not in names:
            raise WarehouseConfigError(
                f"the comment of {schema}.{name} names the column {column}, which it does not have"
            )
    meaning = comment[: stated.start()].strip() if stated else comment
    grain = stated[1] if stated else ""
    return Relation(schema, name, meaning, grain, key, joins, tuple((c[0], c[1], c[2]) for c in columns))


def _diagram(views: Iterable[Relation]) -> str:
    known = {each.name: each for each in views}
    lines = ["```mermaid", "erDiagram"]
    for each in known.values():
        lines.append(f"    {each.name} {{")
        types: Mapping[str, str] = {name: kind for name, kind, _ in each.columns}
        lines += [f"        {re.sub(r'[^a-z]+', '_', types[column])} {column} PK" for column in each.key]
        lines.append("    }")
    for each in known.values():
        for view, columns in each.joins:
            many = "|o--o|" if set(each.key) <= set(columns) else "|o--o{"
            lines.append(f'    {view} {many} {each.name} : "{", ".join(columns)}"')
    return "\n".join([*lines, "```"]) + "\n\n"


def _section(each: Relation) -> str:
    lines = [f"### {each.schema}.{each.name}", "", each.meaning, ""]
    if each.grain:
        lines.append(f"- {each.grain}")
    if each.key:
        lines.append(f"- Key: {', '.join(f'`{column}`' for column in each.key)}")
    lines += [f"- Joins `{view}` on {', '.join(f'`{column}`' for column in columns)}" for view, columns in each.joins]
    lines += ["", "| column | type | meaning |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | {kind} | {_cell(meaning)} |" for name, kind, meaning in each.columns]
    return "\n".join(lines) + "\n\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("{", "&#123;").replace("<", "&lt;")


def _dbt_table(each: Relation) -> list[str]:
    lines = [
        f"      - name: {each.name}",
        f"        description: {json.dumps(f'{each.meaning} {each.grain}.')}",
        "        data_tests:",
        "          - dbt_utils.unique_combination_of_columns:",
        f"              combination_of_columns: {json.dumps(list(each.key))}",
        "        columns:",
    ]
    references = {columns[0]: view for view, columns in each.joins if len(columns) == 1}
    for name, kind, meaning in each.columns:
        lines += [
            f"          - name: {name}",
            f"            data_type: {json.dumps(kind)}",
            f"            description: {json.dumps(meaning)}",
        ]
        tests = ["              - not_null"] if name in each.key and "null" not in meaning else []
        if name in references:
            tests += [
                "              - relationships:",
                f"                  to: source('analytics', '{references[name]}')",
                f"                  field: {name}",
            ]
        lines += ["            data_tests:", *tests] if tests else []
    return lines
