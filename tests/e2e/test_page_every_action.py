"""Every change that the page offers, made by each role under both auth managers: done and noted for those who may, else nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from uuid import uuid4

import pytest
import requests

from e2e.test_page_actions import plan_of_four, press, query
from e2e.test_page_rights import EDITORS, READ, RIGHTS, ask, audit_rows
from fixtures.api_servers import Site

ORGANIZATION = "5f4e0009-0000-4000-8000-0000000000e1"
ELSEWHERE = {"POST /test-connection", "POST /inbox/answer"}
"""Tested in test_page_rights, and on a stack whose runs ask: test_page_in_browser, test_page_journeys."""
Values = dict[str, str]


@dataclass(frozen=True)
class Action:
    """A form: its values, what the audit says of it, the run that it starts, and what has to be there first."""

    route: str
    values: Values
    noted: str
    dag_id: str = ""
    conf: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[Site], Values] = lambda site: {}

    @property
    def path(self) -> str:
        return self.route.removeprefix("POST ")


def blocked_row(site: Site) -> Values:
    crm_id = str(uuid4().int % 10**9)
    query(
        site,
        "insert into crm.push_blocked (crm_id, organization_id, stage, reason, times, edited_at, run_id)"
        " values (%s, %s, 'plan', 'planted', 1, now(), 'r') returning 1",
        *(crm_id, ORGANIZATION),
    )
    return {"crm_id": crm_id}


def conflict(site: Site) -> Values:
    insert = (
        "insert into crm.conflict (crm_id, organization_id, customer_id, field, crm_value, syrve_value, policy, outcome)"
        " values (%s, %s, %s, 'sex', 'male', 'female', 'ask', 'waits') returning conflict_id"
    )
    [(conflict_id,)] = query(site, insert, uuid4().int % 10**9, ORGANIZATION, str(uuid4()))
    return {"conflict_id": str(conflict_id)}


def reject(site: Site) -> Values:
    columns = "run_id, entity, identity, stage, reason"
    insert = f"insert into sync.reject ({columns}) values ('r', 'roster', %s, 'import', 'x') returning reject_id"
    [(reject_id,)] = query(site, insert, str(uuid4()))
    return {"reject_ids": str(reject_id)}


def organization(site: Site) -> Values:
    query(
        site,
        "insert into syrve.organization (organization_id, name, time_zone, synced_at, account) values (%s, 'One', 'UTC', now(), 'a')"
        " on conflict do nothing returning 1",
        ORGANIZATION,
    )
    stored = query(site, "select max_age_seconds from sync.refresh_policy where organization_id = %s", ORGANIZATION)
    return {"organization_id": ORGANIZATION, "shown_max_age_seconds": str(stored[0][0]) if stored else ""}


def backfill_run(site: Site) -> Values:
    """A run to stop or to continue, started by the admin."""
    started = press(site, "Admin", "/backfill/start", choice="preview")
    return {"run_id": run_of(started.headers["location"])}


def stopped_backfill_run(site: Site) -> Values:
    values = backfill_run(site)
    assert press(site, "Admin", "/backfill/stop", **values).status_code == 303
    return values


def newest_plan(site: Site) -> Values:
    return {"plan_id": plan_of_four(site)}


def run_of(location: str) -> str:
    """The run that an address names as started here."""
    asked = parse_qs(urlsplit(location).query)
    return (asked.get("started") or asked.get("evaluating") or [""])[0]


FINDING = str(uuid4())
FILE = {"path": "guests.csv", "choice": "preview"}
FILE_CONF = {"source": "file", "path": "guests.csv", "dry_run": True}
RELEASED = {"dry_run": False, "finding_ids": [FINDING], "max_holds": 1}
PUSHED = {"dry_run": False, "limit": 4}
ACTIONS = [
    Action("POST /inbox/unblock", {}, "let a blocked row go again", prepare=blocked_row),
    Action("POST /inbox/conflict", {"decision": "crm"}, "decide a conflict", prepare=conflict),
    Action(
        "POST /inbox/breaker", {"breaker_id": "7", "choice": "Preview"}, "start to decide a breaker: Preview",
        "syrve_decide_breaker", {"breaker_id": 7, "choice": "Preview"},
    ),
    Action("POST /rejects/resolve", {}, "resolve rejects", prepare=reject),
    Action("POST /rejects/import-roster", FILE, "start an import: preview", "syrve_roster_import", FILE_CONF),
    Action("POST /rejects/import-crm", FILE, "start an import: preview", "syrve_crm_import", FILE_CONF),
    Action("POST /push/start", {"choice": "preview"}, "start a push: preview", "syrve_crm_push", {"dry_run": True}),
    Action("POST /push/start", {"choice": "send", "number": "4"}, "start a push: send", "syrve_crm_push", PUSHED, newest_plan),
    Action("POST /holds/decide", {f"finding:{FINDING}": "release"}, "ask for a release", "syrve_release_holds", RELEASED),
    Action("POST /holds/evaluate", {"first_day": "2026-05-01", "last_day": "2026-05-01"}, "evaluate days", "syrve_reconcile_holds",
           {"as_of": "2026-05-02T00:00:00Z"}),
    Action("POST /backfill/start", {"choice": "start"}, "start a backfill: start", "syrve_backfill", {"dry_run": False, "force": False}),
    Action("POST /backfill/stop", {}, "stop a backfill", prepare=backfill_run),
    Action("POST /backfill/continue", {}, "continue a backfill", prepare=stopped_backfill_run),
    Action("POST /freshness/policy", {"max_age_days": "14"}, "set what is promised", prepare=organization),
]  # fmt: skip


def newest_audit(site: Site) -> tuple[Any, ...]:
    [row] = query(site, "select action, user_name from sync.audit order by audit_id desc limit 1")
    return row


def run_conf(site: Site, dag_id: str, run_id: str) -> dict[str, Any]:
    run = requests.get(
        f"{site.url}/api/v2/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}",
        headers={"Authorization": f"Bearer {site.tokens['Admin']}"},
        timeout=60,
        proxies={"http": ""},
    )
    assert run.ok, run.text
    return dict(run.json()["conf"])


def test_every_change_of_the_page_is_made_here() -> None:
    changes = {route for route, right in RIGHTS.items() if route.startswith("POST ") and right != READ}

    assert changes - ELSEWHERE == {each.route for each in ACTIONS}


@pytest.mark.parametrize("role", EDITORS)
@pytest.mark.parametrize("action", ACTIONS, ids=lambda each: f"{each.path} {each.noted}")
def test_action_is_done_and_noted_for_those_who_may(site: Site, action: Action, role: str) -> None:
    values = action.values | action.prepare(site)

    done = press(site, role, action.path, **values)

    assert done.status_code == 303, done.text[:3000]
    assert newest_audit(site) == (action.noted, role)
    if action.dag_id:
        assert run_conf(site, action.dag_id, run_of(done.headers["location"])) == action.conf
    answer = ask(site, role, "GET", done.headers["location"].removeprefix("/syrve"))
    assert answer.status_code == 200
    assert 'role="status"' in answer.text, "the page says what was done"


@pytest.mark.parametrize("action", ACTIONS, ids=lambda each: f"{each.path} {each.noted}")
def test_action_of_a_viewer_does_nothing(site: Site, action: Action) -> None:
    values = action.values | action.prepare(site)
    before = audit_rows(site)

    refused = press(site, "Viewer", action.path, **values)

    assert refused.status_code == 403
    assert "You may not change this" in refused.text
    assert audit_rows(site) == before


@pytest.mark.parametrize("cap", ["0", "000"])
def test_backfill_with_a_cap_of_zero_is_refused(site: Site, cap: str) -> None:
    before = audit_rows(site)

    refused = press(site, "Admin", "/backfill/start", choice="start", cap_per_minute=cap)

    assert refused.status_code == 400
    assert "The calls per minute must be above zero" in refused.text
    assert audit_rows(site) == before


def test_promise_set_in_another_window_is_not_undone(site: Site) -> None:
    organization_id = "5f4e0009-0000-4000-8000-0000000000f1"
    query(
        site,
        "insert into syrve.organization (organization_id, name, time_zone, synced_at, account) values (%s, 'Two', 'UTC', now(), 'a')"
        " returning 1",
        organization_id,
    )

    first = press(site, "Admin", "/freshness/policy", organization_id=organization_id, max_age_days="7")
    stale = press(site, "Op", "/freshness/policy", organization_id=organization_id, min_interval_minutes="5")
    shown = {"shown_max_age_seconds": "604800", "max_age_days": "7", "min_interval_minutes": "5"}
    reloaded = press(site, "Op", "/freshness/policy", organization_id=organization_id, **shown)

    assert (first.status_code, stale.status_code, reloaded.status_code) == (303, 404, 303)
    assert "another person has already dealt with it" in stale.text
    stored = "select max_age_seconds, min_interval_seconds from sync.refresh_policy where organization_id = %s"
    assert query(site, stored, organization_id) == [(604_800, 300)]
