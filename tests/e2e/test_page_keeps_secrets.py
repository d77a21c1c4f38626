"""Planted names and phones are on no page of a viewer, whatever they ask for, and in no log of the api-server."""

import json

import pytest

from e2e.test_page_actions import ORGANIZATION, press, query
from e2e.test_page_rights import ask, routes
from fixtures.api_servers import Site

PHONE, NAME, MAIL = "+79757776655", "Canarinskaya", "canary.page@example.com"
CUSTOMER = "5f4e0001-0000-4000-8000-0000000000c1"
PLANTED = (PHONE, PHONE[1:], "9757776655", NAME, MAIL)


@pytest.fixture
def planted(site: Site) -> None:
    """One person in every table that views show: the mirror, rejects, plans, conflicts."""
    profile = {"phone": PHONE, "name": NAME, "email": MAIL, "line": 7}
    changes: dict[str, dict[str, str | None]] = {
        "name": {"from": None, "to": NAME},
        "email": {"from": MAIL, "to": None},
        f"card:{PHONE}": {"from": None, "to": PHONE},
    }
    query(
        site,
        "insert into syrve.customer (organization_id, customer_id, phone, name, email, is_deleted, extra, digest, first_seen_at,"
        " changed_at, profile_changed_at, fetched_at) values (%s, %s, %s, %s, %s, false, '{}', '\\x00', now(), now(), now(), now())"
        " on conflict do nothing returning 1",
        *(ORGANIZATION, CUSTOMER, PHONE, NAME, MAIL),
    )
    query(
        site,
        "insert into sync.reject (run_id, entity, identity, stage, reason, payload) values ('r', 'roster', %s, 'import', 'planted', %s)"
        " on conflict do nothing returning 1",
        *(PHONE, json.dumps({"received": profile})),
    )
    query(
        site,
        "insert into crm.push_plan_summary (plan_id, planned_at, run_id, is_dry_run, fields, considered, creates, updates, memberships,"
        " conflicts, asking, refused, waiting, agreed)"
        " values (77, now(), 'r', true, '{}', 1, 0, 1, 0, 1, 0, 0, 0, 0) on conflict do nothing returning 1",
    )
    query(
        site,
        "insert into crm.push_plan (plan_id, crm_id, organization_id, phone, action, changes, edited_at, agreed_version)"
        " values (77, 1, %s, %s, 'update', %s, now(), 1) on conflict do nothing returning 1",
        *(ORGANIZATION, PHONE, json.dumps(changes)),
    )
    query(
        site,
        "insert into crm.conflict (crm_id, organization_id, customer_id, field, crm_value, syrve_value, policy, outcome)"
        " values (1, %s, %s, 'name', %s, 'x', 'ask', 'waits') on conflict do nothing returning 1",
        *(ORGANIZATION, CUSTOMER, NAME),
    )


@pytest.mark.usefixtures("planted")
def test_no_page_of_a_viewer_shows_a_planted_person(site: Site) -> None:
    shown = {}
    for method, path, _ in routes():
        if method == "GET":
            for asked in ("", "?clear=true", "?clear=true&plan_id=77"):
                shown[path + asked] = ask(site, "Viewer", "GET", path + asked).text
    for key in (PHONE, CUSTOMER):
        shown[f"customer {key[:1]}"] = press(site, "Viewer", "/customer", key=key, clear="true").text

    assert "planted" in shown["/rejects"]
    assert "Plan 77" in shown["/push?clear=true&plan_id=77"]
    assert all(CUSTOMER in text for place, text in shown.items() if place.startswith("customer "))
    assert [(place, each) for place, text in shown.items() for each in PLANTED if each in text] == []


@pytest.mark.usefixtures("planted")
def test_no_log_of_the_server_holds_what_was_asked_or_shown(site: Site) -> None:
    for role in ("Viewer", "Admin"):
        press(site, role, "/customer", key=PHONE, clear="true")
        press(site, role, "/customer", key=f"{NAME} {MAIL}")
        ask(site, role, "GET", "/rejects?clear=true")
        ask(site, role, "GET", "/push?clear=true&plan_id=77")

    written = site.log.read_text()
    assert [each for each in PLANTED if each in written] == []
    assert "/syrve/customer" in written, "what is asked is logged, by its address alone"
