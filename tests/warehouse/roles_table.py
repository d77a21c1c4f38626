"""What each role may do, as the table of docs/roles.md, read from a warehouse."""

from pathlib import Path
from typing import Any

from syrve.warehouse.database import Cursor
from syrve.warehouse.grants import SCHEMAS, roles

DOCUMENT = Path(__file__).parents[2] / "docs" / "roles.md"
BEGIN, END = "<!-- rights: begin -->\n", "<!-- rights: end -->\n"

LETTERS = {"select": "S", "insert": "I", "update": "U", "delete": "D", "usage": "X", "execute": "X"}

QUERY = """
    select
        things.kind, things.name, role_name,
        array(select kind_right from unnest(things.rights) as kind_right where case things.kind
            when 'function' then has_function_privilege(role_name, things.oid, kind_right)
            when 'sequence' then has_sequence_privilege(role_name, things.oid, kind_right)
            else has_table_privilege(role_name, things.oid, kind_right) end),
        case when things.kind in ('table', 'view') then
            array(select kind_right from unnest(things.rights) as kind_right
                where kind_right <> 'delete' and has_any_column_privilege(role_name, things.oid, kind_right))
        else '{}' end
    from (
        select 'table' as kind, oid, oid::regclass::text as name, array['select', 'insert', 'update', 'delete'] as rights
        from pg_class where relkind in ('r', 'p') and not relispartition and relnamespace::regnamespace::text = any(%(schemas)s)
        union all
        select 'view', oid, oid::regclass::text, array['select', 'insert', 'update', 'delete']
        from pg_class where relkind in ('v', 'm') and relnamespace::regnamespace::text = any(%(schemas)s)
        union all
        select 'sequence', oid, oid::regclass::text, array['usage']
        from pg_class where relkind = 'S' and relnamespace::regnamespace::text = any(%(schemas)s)
        union all
        select 'function', oid, oid::regprocedure::text, array['execute']
        from pg_proc where pronamespace::regnamespace::text = any(%(schemas)s)
    ) as things
    cross join unnest(%(roles)s::text[]) as role_name
    order by things.name, role_name
"""


def table(cursor: Cursor) -> str:
    """Render the rights of every role on every object of our schemas as Markdown."""
    cursor.execute(QUERY, {"schemas": list(SCHEMAS), "roles": list(roles())})
    rows: dict[str, dict[str, str]] = {}
    for _kind, name, role, whole, some in cursor.fetchall():
        rows.setdefault(name, {})[role] = _cell(whole, some)
    lines = [["object", *roles()], ["---"] * (len(roles()) + 1)]
    lines += [[f"`{name}`", *(cells[role] for role in roles())] for name, cells in rows.items()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(whole: list[Any], some: list[Any]) -> str:
    letters = [
        LETTERS[right] if right in whole else LETTERS[right].lower() for right in LETTERS if right in {*whole, *some}
    ]
    return " ".join(letters)
