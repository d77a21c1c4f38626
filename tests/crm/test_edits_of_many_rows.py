"""Edits of many rows by a CRM: what one statement reads is in proportion to what it edits, whatever the session did before."""

import json
from contextlib import closing
from typing import Any
from uuid import uuid4

import psycopg2

EDITS = 2_000
FILL = (
    "insert into crm.customer (crm_id, organization_id) select number, %(organization)s from generate_series(1, %(edits)s) as number",
    "insert into crm.customer_category (crm_id, category_id) select crm_id, gen_random_uuid() from crm.customer",
    "delete from crm.customer_category",
    # It counts no row, though the index is deep enough for the rows to come: none of them makes the session plan again.
    "analyze crm.customer, crm.customer_category, crm.customer_card, crm.customer_program",
)
EXPLAINING = (
    "load 'auto_explain'; set auto_explain.log_min_duration = 0; set auto_explain.log_nested_statements = on; "
    "set auto_explain.log_analyze = on; set auto_explain.log_timing = off; set auto_explain.log_format = json; "
    "set auto_explain.log_level = notice"
)
EDIT = "insert into crm.customer_category (crm_id, category_id) select crm_id, gen_random_uuid() from crm.customer where crm_id <= %s"


def rows_touched(plan: dict[str, Any]) -> float:
    """The rows that the nodes of a plan gave on or threw away, loops counted."""
    rows = sum(plan.get(kind, 0) for kind in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter"))
    return float(rows * plan["Actual Loops"]) + sum(rows_touched(each) for each in plan.get("Plans", []))


def test_large_edit_after_a_small_one_reads_few_rows(warehouse_dsn: str) -> None:
    with closing(psycopg2.connect(warehouse_dsn)) as session, session.cursor() as cursor:
        for statement in FILL:
            cursor.execute(statement, {"organization": str(uuid4()), "edits": EDITS})
        session.commit()
        cursor.execute(EDIT, (1,))
        cursor.execute(EXPLAINING)

        session.notices = []  # its own list forgets all but the last fifty
        cursor.execute(EDIT, (EDITS,))

        plans = [json.loads(notice[notice.index("{") :])["Plan"] for notice in session.notices if "plan:" in notice]
    assert len(plans) >= 3, "the edit itself, and what its trigger does"
    assert sum(map(rows_touched, plans)) < 20 * EDITS
