"""What buttons of the Syrve page do on a real api-server: masked values, the audit, and runs that are started as the person."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import psycopg2
import pytest
import requests

from e2e.test_page_rights import ask, audit_rows, form_token
from fixtures.api_servers import Site

PHONE, NAME = "+79757771234", "Canaryname"
CUSTOMER = "5f4e0001-0000-4000-8000-000000000001"
ORGANIZATION = "5f4e0009-0000-4000-8000-000000000001"
CONFLICTING = 424_242
"""Row of the CRM."""


def query(site: Site, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(site.warehouse_dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())
    finally:
        connection.close()


def press(site: Site, role: str, path: str, /, **values: Any) -> requests.Response:
    data = {"form_token": form_token(site, role), **values}
    return ask(site, role, "POST", path, data=data, allow_redirects=False)


@pytest.fixture
def customer(site: Site) -> None:
    query(
        site,
        "insert into syrve.customer (organization_id, customer_id, phone, name, is_deleted, extra, digest, first_seen_at,"
        " changed_at, profile_changed_at, fetched_at)"
        " values (%s, %s, %s, %s, false, '{}', '\\x00', now(), now(), now(), now()) on conflict do nothing returning 1",
        *(ORGANIZATION, CUSTOMER, PHONE, NAME),
    )


@pytest.fixture
def conflict(site: Site) -> Iterator[None]:
    """A conflict about a name, which waits for a decision."""
    query(
        site,
        "insert into crm.conflict (crm_id, organization_id, customer_id, field, crm_value, syrve_value, policy, outcome)"
        " values (%s, %s, %s, 'name', %s, null, 'ask', 'waits') returning 1",
        *(CONFLICTING, ORGANIZATION, CUSTOMER, NAME),
    )
    yield
    query(site, "delete from crm.conflict where crm_id = %s returning 1", CONFLICTING)


@pytest.mark.usefixtures("customer")
def test_customer_is_masked_without_the_right_for_clear(site: Site) -> None:
    shown = press(site, "User", "/customer", key=PHONE, clear="true")

    assert shown.status_code == 200
    assert CUSTOMER in shown.text
    assert PHONE not in shown.text
    assert NAME not in shown.text


@pytest.mark.usefixtures("customer")
def test_view_in_clear_needs_a_right_and_is_noted(site: Site) -> None:
    shown = press(site, "Op", "/customer", key=CUSTOMER, clear="true")

    noted = query(site, "select subject from sync.audit where action = 'see a customer in clear'")
    may = site.kind == "simple"  # under FAB the right has to be given first
    assert (PHONE in shown.text) == may
    assert bool(noted) == may
    assert PHONE not in str(noted)


@pytest.mark.usefixtures("conflict")
def test_values_of_a_conflict_need_the_right_for_clear(site: Site) -> None:
    masked = ask(site, "Op", "GET", "/inbox").text
    shown = ask(site, "Op", "GET", "/inbox?clear=true").text

    noted = query(site, "select subject from sync.audit where action = 'see conflicts in clear'")
    may = site.kind == "simple"  # under FAB the right has to be given first
    assert "masked" in masked
    assert NAME not in masked
    assert (NAME in shown) == may
    assert bool(noted) == may
    assert ("Show the values in clear" in masked) == may


@pytest.mark.usefixtures("conflict")
def test_decided_conflict_is_said_and_gone(site: Site) -> None:
    [(conflict_id,)] = query(site, "select conflict_id from crm.conflict where crm_id = %s", CONFLICTING)

    decided = press(site, "Op", "/inbox/conflict", conflict_id=str(conflict_id), decision="crm")
    page = ask(site, "Op", "GET", decided.headers["location"].removeprefix("/syrve")).text

    assert "Decided. The next push follows it." in page
    assert f'value="{conflict_id}"' not in page
    stale = press(site, "Admin", "/inbox/conflict", conflict_id=str(conflict_id), decision="syrve")
    assert stale.status_code == 404
    assert "another person has already dealt with it" in stale.text
    assert query(site, "select decision from crm.conflict where conflict_id = %s", conflict_id) == [("crm",)]


def test_key_that_cannot_be_read_is_not_repeated(site: Site) -> None:
    refused = press(site, "User", "/customer", key="Ivan Canary")

    assert refused.status_code == 400
    assert "Canary" not in refused.text


def plan_of_four(site: Site) -> str:
    """A preview that would change four customers, the newest plan; returns its number."""
    columns = "considered, creates, updates, memberships, conflicts, asking, refused, waiting, agreed, fields"
    [(plan_id,)] = query(
        site,
        f"insert into crm.push_plan_summary (plan_id, run_id, is_dry_run, planned_at, {columns}) select "
        "coalesce(max(plan_id), 0) + 1, 'r', true, clock_timestamp(), 4, 1, 2, 1, 0, 0, 0, 0, 0, '{}' "
        "from crm.push_plan_summary returning plan_id",
    )
    return str(plan_id)


def test_send_is_refused_with_another_number(site: Site) -> None:
    before = query(site, "select count(*) from sync.audit")

    refused = press(site, "Admin", "/push/start", choice="send", number="3", plan_id=plan_of_four(site))

    assert refused.status_code == 400
    assert "Nothing was sent. Type 4" in refused.text
    assert query(site, "select count(*) from sync.audit") == before


def test_plan_of_a_window_left_open_is_not_sent(site: Site) -> None:
    shown = plan_of_four(site)
    plan_of_four(site)

    refused = press(site, "Admin", "/push/start", choice="send", number="4", plan_id=shown)

    assert refused.status_code == 409
    assert "This is not the newest plan" in refused.text


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("/push/start", {"choice": "preview"}),
        ("/backfill/start", {"choice": "preview"}),
        ("/holds/evaluate", {"first_day": "2026-05-01", "last_day": "2026-05-02"}),
    ],
)
def test_form_sent_twice_starts_one_run(site: Site, path: str, values: dict[str, str]) -> None:
    data = values | {"form_token": form_token(site, "Admin")}

    first, second = (ask(site, "Admin", "POST", path, data=data, allow_redirects=False) for _ in range(2))
    reloaded = press(site, "Admin", path, **values)

    assert (first.status_code, second.status_code) == (303, 303), second.text[:2000]
    assert first.headers["location"] == second.headers["location"]
    assert reloaded.headers["location"] != first.headers["location"]


def test_plan_is_sent_once_however_often_its_form_comes(site: Site) -> None:
    values = {"choice": "send", "number": "4", "plan_id": plan_of_four(site)}

    first, again, others = (press(site, role, "/push/start", **values) for role in ("Admin", "Admin", "User"))

    assert [each.status_code for each in (first, again, others)] == [303, 303, 303], others.text[:2000]
    assert first.headers["location"] == again.headers["location"] == others.headers["location"]
    end_run(site, "syrve_crm_push", first.headers["location"].rpartition("=")[2])
    failed = press(site, "Admin", "/push/start", **values)
    assert failed.status_code == 409
    assert "This was started before, and failed" in failed.text
    other_plan = press(site, "Admin", "/push/start", **values | {"plan_id": plan_of_four(site)})
    assert other_plan.headers["location"] != first.headers["location"]


def end_run(site: Site, dag_id: str, run_id: str) -> None:
    """Mark a run as failed."""
    path = f"{site.url}/api/v2/dags/{dag_id}/dagRuns/{run_id}"
    headers = {"Authorization": f"Bearer {site.tokens['Admin']}"}
    answer = requests.patch(path, json={"state": "failed"}, headers=headers, timeout=60, proxies={"http": ""})
    assert answer.ok, answer.text


def test_backfill_of_a_stale_window_is_left_as_it_is(site: Site) -> None:
    started = press(site, "Admin", "/backfill/start", choice="preview")
    run_id = started.headers["location"].rpartition("=")[2]
    before = audit_rows(site)

    waiting = press(site, "Admin", "/backfill/continue", run_id=run_id)
    end_run(site, "syrve_backfill", run_id)
    ended = press(site, "Admin", "/backfill/stop", run_id=run_id)

    assert (waiting.status_code, ended.status_code) == (409, 409)
    assert "This backfill is not stopped" in waiting.text
    assert "This backfill has already ended" in ended.text
    assert audit_rows(site) == before


def test_dags_have_the_names_that_airflow_shows(site: Site) -> None:
    insert = (
        "insert into sync.run (run_id, task, map_index, requested, updated_at) values (%s, %s, 0, 1, now()) returning 1"
    )
    query(site, insert, f"named of {site.kind}", "syrve_customers.pull")

    for view in ("/", "/runs"):
        assert ">Syrve: refresh customers</a>" in ask(site, "Viewer", "GET", view).text


def test_preview_starts_the_dag_as_the_person(site: Site) -> None:
    started = press(site, "User", "/push/start", choice="preview")

    assert started.status_code == 303, started.text[:2000]
    runs = requests.get(
        f"{site.url}/api/v2/dags/syrve_crm_push/dagRuns",
        headers={"Authorization": f"Bearer {site.tokens['Admin']}"},
        timeout=60,
        proxies={"http": ""},
    ).json()["dag_runs"]
    [run] = [each for each in runs if each["dag_run_id"] in started.headers["location"]]
    assert (run["conf"], run["triggering_user_name"]) == ({"dry_run": True}, "User")
    newest = "select user_name from sync.audit where action = 'start a push: preview' order by audit_id desc limit 1"
    assert query(site, newest) == [("User",)]
    page = ask(site, "User", "GET", started.headers["location"].removeprefix("/syrve"))
    assert f"/dags/syrve_crm_push/runs/{quote(run['dag_run_id'], safe='')}" in page.text


@pytest.mark.parametrize(
    "path", ["/rejects?entity=%00", "/rejects.csv?stage=a%1b", "/push?started=%0A", "/rejects?%00=a"]
)
def test_control_characters_are_refused_in_words(site: Site, path: str) -> None:
    refused = ask(site, "User", "GET", path)

    assert refused.status_code == 400
    assert "A value has control characters" in refused.text


def test_form_with_control_characters_is_refused(site: Site) -> None:
    refused = press(site, "User", "/customer", key="+79757771234\0")

    assert refused.status_code == 400
    assert "A value has control characters" in refused.text


MISSING = [
    ("/rejects/resolve", {"reject_ids": "987654321"}),
    ("/inbox/unblock", {"crm_id": "987654321"}),
    ("/inbox/conflict", {"conflict_id": "987654321", "decision": "crm"}),
    ("/holds/decide", {f"finding:{CUSTOMER}": "keep"}),
]


@pytest.mark.parametrize(("path", "values"), MISSING)
def test_change_of_what_is_not_there_says_so(site: Site, path: str, values: dict[str, str]) -> None:
    before = query(site, "select count(*) from sync.audit")

    refused = press(site, "Admin", path, **values)

    assert refused.status_code == 404
    assert "Nothing was found to change" in refused.text
    assert query(site, "select count(*) from sync.audit") == before


@pytest.mark.parametrize("number", ["99999999999999999999999", "-99999999999999999999999"])
def test_number_out_of_range_is_refused_in_words(site: Site, number: str) -> None:
    for path, values in MISSING[:3]:
        refused = press(
            site,
            "Admin",
            path,
            **{name: number if name.endswith(("_id", "_ids")) else each for name, each in values.items()},
        )

        assert refused.status_code == 400
        assert "values that cannot be read" in refused.text


def test_audit_names_only_the_rejects_that_were_closed(site: Site) -> None:
    [(reject_id,)] = query(
        site,
        "insert into sync.reject (run_id, entity, identity, stage, reason) values ('r', 'roster', %s, 'import', 'x') returning reject_id",
        f"line of {site.kind}",
    )

    closed = press(site, "Admin", "/rejects/resolve", reject_ids=[str(reject_id), "987654321"])

    assert closed.status_code == 303
    noted = query(
        site, "select subject from sync.audit where action = 'resolve rejects' order by audit_id desc limit 1"
    )
    assert noted == [({"reject_ids": [reject_id]},)]
    assert press(site, "Admin", "/rejects/resolve", reject_ids=[str(reject_id)]).status_code == 404


def test_chart_of_look_ups_leaves_out_imported_rows(site: Site) -> None:
    insert = (
        "insert into sync.run (run_id, task, map_index, requested, changed, updated_at)"
        " values (%s, %s, 0, %s, %s, now() - interval '5 days') returning 1"  # no other test has runs on that day
    )
    query(site, insert, f"look-ups of {site.kind}", "syrve_customers.pull", 3_141, 271)
    query(site, insert, f"import of {site.kind}", "syrve_roster_import.import_roster", 70_000, 60_000)

    charts, _, newest = ask(site, "User", "GET", "/runs").text.partition("Newest runs")

    assert [each for each in ("3,141", "271") if each not in charts] == []
    assert [each for each in ("70,000", "73,141", "60,000", "60,271") if each in charts] == []
    assert "70,000 read" in newest
