"""Canary values go through every DAG, well and badly; then everything that Airflow keeps or prints is searched for them."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from devstack import names
from devstack.errors import StackError
from devstack.postgres import installed_binaries
from syrve_simulator.control import RawAnswer

CUSTOMER_ID = "5f4e0003-0000-4000-8000-000000000001"
BROKEN_ID = "5f4e0003-0000-4000-8000-000000000002"
CANARIES = {
    "phone": "+79757771234",
    "phone without plus": "79757771234",
    "national phone": "975 777-12-34",
    "e-mail": "canary.kenar@example.com",
    "name": "Кенариус",
    "surname": "Canarinsky",
    "unusable phone": "not-a-phone-canary",
    "broken customer's phone": "+79757775678",
    "broken customer's name": "Brokencanary",
    "coupon": "CANARY-COUPON-77",
    "phone typed into the form": "+79757770002",
    "desired name": "Канареечкин",
    "desired e-mail": "canary.desired@example.com",
    "desired phone": "+79757779012",
    "desired card": "CANARYTRACK77",
    "api login": names.API_LOGIN,
}
EXPECTED = {
    "file": "success",
    "query": "success",
    "missing file": "failed",
    "customers": "success",
    "coupons": "success",
    "backfill from a file": "success",
    "backfill of typed phones": "refused",
    "desired states": "success",
    "push": "success",
    "refused push": "failed",
    "push without right": "failed",
    "customers without right": "failed",
    "customers cut off": "success",
    "customers with a broken warehouse": "failed",
    "top-up": "success",
    "top-up of a list without amounts": "failed",
    "wallet import": "success",
    "wallet import of another file": "failed",
    "findings": "success",
    "release": "success",
    "balances": "success",
    "checks": "success",
    "export": "success",
    "maintenance": "success",
    "signals": "success",
    "orders": "success",
    "webhooks": "success",
    "erasure of a typed phone": "refused",
    "preview of an erasure": "success",
    "decision about no breaker": "failed",
}
"""How each run must end, the well and the badly made ones."""
TOKEN = re.compile(r"\b[0-9a-f]{128}\b")


@pytest.mark.timeout(900)  # every DAG of the package
def test_no_canary_reaches_a_log_an_xcom_a_rendered_field_or_an_exception(airflow: Any, tmp_path: Path) -> None:
    airflow.fresh(customers=5)
    runs_before = _newest_run(airflow)
    organization_id = airflow.simulator.organizations()[0]["organization_id"]
    _plant(airflow, organization_id)
    roster = airflow.stack.paths.inbox / "canaries.csv"
    phones = [
        CANARIES["phone"],
        CANARIES["national phone"],
        CANARIES["unusable phone"],
        CANARIES["broken customer's phone"],
    ]
    roster.write_text("phone\n" + "\n".join(phones) + "\n")

    campaign, records = _plant_money(airflow, organization_id, phones)

    outcomes = _run_everything(airflow, organization_id, f"file://{roster}")
    outcomes |= _run_wallet(airflow, organization_id, f"file://{campaign}", f"file://{records}")
    outcomes |= _run_upkeep(airflow, organization_id)

    for file in (roster, campaign, records):
        file.unlink()
    assert outcomes == EXPECTED
    assert airflow.rows("select name, email from syrve.customer where customer_id = %s", CUSTOMER_ID) == [
        (CANARIES["desired name"], CANARIES["e-mail"])
    ], "the canaries did go through"
    assert airflow.rows(
        "select count(*) > 0 from sync.reject where identity like %s", f"%{CANARIES['unusable phone']}%"
    )[0][0]
    assert _erase(airflow, organization_id) == "success"
    assert _dags_run_since(airflow, runs_before) == {path.stem for path in airflow.stack.paths.dags.glob("*.py")}
    kept = _kept_by_airflow(airflow)
    assert '"name": "warehouse.syrve.customer"' in kept["logs/openlineage.log"], "lineage is among what is searched"
    assert "airflow.syrve.rows.changed:" in kept["logs/statsd.log"], "and so are metrics"
    assert "/syrve/customer" in kept["metadata database"], "and assets"
    assert _leaks(kept) == []


@pytest.mark.timeout(600)
def test_two_thousand_people_are_in_nothing_that_airflow_keeps(airflow: Any) -> None:
    airflow.fresh(organizations=2, customers=1000)
    for dag_id in (names.CUSTOMERS_DAG, names.RECONCILE_DAG, names.BALANCES_DAG):
        assert airflow.run(dag_id)[0] == "success"
    people = airflow.rows("select phone, email, surname || ' ' || name from syrve.customer where not is_deleted")
    phones = {str(phone)[-10:] for phone, _, _ in people if phone}
    texts = {text.lower() for _, *others in people for text in others if text and len(text) >= 8}

    kept = _kept_by_airflow(airflow)

    assert len(phones) >= 1900
    assert len(texts) >= 1000
    for kind in ("openlineage.log", "statsd.log", "metadata database", "latest.html", "task_id=pull"):
        assert any(kind in place for place in kept), f"{kind} is among what is searched"
    for place, text in kept.items():
        numbers = re.findall(r"(?<![0-9A-Za-z])\d{10,11}(?![0-9A-Za-z])", text)
        assert {number[-10:] for number in numbers} & phones == set(), place
        lower = text.lower()
        assert [each for each in texts if each in lower] == [], place


def test_the_search_would_find_a_leak(airflow: Any) -> None:
    kept = _kept_by_airflow(airflow)
    assert any("syrve_customers" in text for text in kept.values()), "task logs and tables are among what is searched"
    for name, canary in CANARIES.items():
        for written in (canary, json.dumps(canary)):
            assert _leaks({"log": f"something {written} something"}) == [("log", name)] or name.startswith("phone")
    assert _leaks({"log": f"Bearer {'0f' * 64}"}) == [("log", "token")]


def _plant(airflow: Any, organization_id: str) -> None:
    customer = {
        "id": CUSTOMER_ID,
        "name": CANARIES["name"],
        "surname": CANARIES["surname"],
        "phone": CANARIES["phone"],
        "email": CANARIES["e-mail"],
        "walletBalances": [],
        "cards": [],
        "categories": [],
    }
    airflow.simulator.add_customer(organization_id, customer)
    broken = {
        "id": BROKEN_ID,
        "name": CANARIES["broken customer's name"],
        "walletBalances": [{"id": "x", "balance": "y"}],
    }
    phone = CANARIES["broken customer's phone"]
    airflow.simulator.put_raw_answers([RawAnswer(organization_id, phone, json.dumps(broken).encode())])
    airflow.rows("insert into sync.coupon_watch values (%s, %s, 'test')", organization_id, CANARIES["coupon"])
    airflow.rows(
        "insert into crm.customer (organization_id, phone, name) values (%s, %s, %s)",
        organization_id,
        CANARIES["phone"],
        CANARIES["name"],
    )


def _run_everything(airflow: Any, organization_id: str, path: str) -> dict[str, str]:
    roster, customers = names.ROSTER_IMPORT_DAG, names.CUSTOMERS_DAG
    query = "select organization_id, phone, name from crm.customer"
    file = {"source": "file", "path": path, "dry_run": False}
    queried = {"source": "query", "query": query, "query_conn_id": "syrve_warehouse", "dry_run": False}
    done: dict[str, str] = airflow.run_together(
        {
            "file": (roster, file | {"organization_id": organization_id}),
            "query": (roster, queried),
            "missing file": (roster, {"source": "file", "path": "file:///nowhere/at-all.csv"}),
            "coupons": (names.COUPONS_DAG, {}),
        }
    )
    done |= airflow.run_together(
        {
            "customers": (customers, {}),
            "backfill from a file": (names.BACKFILL_DAG, file | {"organization_ids": [organization_id]}),
        }
    )
    done["backfill of typed phones"] = _outcome_of_typing_a_phone(airflow, organization_id)
    done |= _push_everything(airflow, organization_id)
    airflow.simulator.set_switches(removed_rights=["customer_info"])
    done["customers without right"] = airflow.run(customers, force=True)[0]
    airflow.simulator.set_switches(removed_rights=[])
    cut = [
        {"operation": "customer_info", "fault": kind, "count": 3} for kind in ("truncate", "not_json", "reset_before")
    ]
    airflow.simulator.set_faults(cut)
    done["customers cut off"] = airflow.run(customers, force=True)[0]
    airflow.rows("alter table syrve.customer add constraint canary check (name is null)  not valid")
    try:
        airflow.simulator.change_customer(organization_id, CUSTOMER_ID, fields={"middleName": "Кенариевич"})
        done["customers with a broken warehouse"] = airflow.run(customers, force=True)[0]
    finally:
        airflow.rows("alter table syrve.customer drop constraint canary")
    return done


def _outcome_of_typing_a_phone(airflow: Any, organization_id: str) -> str:
    """Airflow must refuse it before it keeps it: in the run, in its audit log, or in the log of its server."""
    typed = [CANARIES["phone typed into the form"]]
    with pytest.raises(StackError, match="HTTP 400"):
        airflow.start(names.BACKFILL_DAG, source="ids", customer_ids=typed, organization_ids=[organization_id])
    return "refused"


def _push_everything(airflow: Any, organization_id: str) -> dict[str, str]:
    """Import desired states and push them: a new customer, one refused before any call, one refused by Syrve, and a missing right."""
    desired_states = airflow.stack.paths.inbox / "desired_states.csv"
    desired_states.write_text(
        "phone,id,name,email,card_track\n"
        f"{CANARIES['desired phone']},,{CANARIES['desired name']},{CANARIES['desired e-mail']},{CANARIES['desired card']}\n"
        f"{CANARIES['phone']},,{CANARIES['desired name']},,\n"
        f"{CANARIES['unusable phone']},,{CANARIES['desired name']},,\n"
    )
    push = {"dry_run": False, "max_refused_share": 0}
    done = {
        "desired states": airflow.run(
            names.CRM_IMPORT_DAG, path=desired_states.name, organization_id=organization_id, dry_run=False
        )[0],
        "push": airflow.run(names.CRM_PUSH_DAG, **push)[0],
    }
    desired_states.unlink()
    assert airflow.rows("select count(*) from crm.push where outcome = 'acknowledged'")[0][0] >= 3, (
        "the desired states did go through"
    )
    statement = "insert into crm.customer (organization_id, phone, name) values (%s, %s, %s)"
    airflow.rows(statement, organization_id, CANARIES["unusable phone"], CANARIES["desired name"])
    done["refused push"] = airflow.run(names.CRM_PUSH_DAG, **push)[0]
    airflow.rows("update crm.customer set surname = %s where customer_id = %s", CANARIES["desired name"], CUSTOMER_ID)
    airflow.simulator.set_switches(removed_rights=["create_or_update"])
    done["push without right"] = airflow.run(names.CRM_PUSH_DAG, **push)[0]
    airflow.simulator.set_switches(removed_rights=[])
    return done


def _plant_money(airflow: Any, organization_id: str, phones: list[str]) -> tuple[Path, Path]:
    campaign = airflow.stack.paths.inbox / "campaign.csv"
    campaign.write_text("phone,amount,name\n" + "".join(f"{each},5.00,{CANARIES['name']}\n" for each in phones))
    records = airflow.stack.paths.inbox / "records.csv"
    header = "record,key,customer_id,wallet_id,amount,occurred_at,name\n"
    bad = f"topup,{CANARIES['phone']},{CANARIES['e-mail']},{organization_id},5,2026-05-01T10:00:00,{CANARIES['name']}\n"
    good = f"topup,7,{CUSTOMER_ID},{organization_id},5,2026-05-01T10:00:00,{CANARIES['name']}\n"
    records.write_text(header + bad + good)
    return campaign, records


def _run_wallet(airflow: Any, organization_id: str, campaign: str, records: str) -> dict[str, str]:
    topup, wallet_import = names.BULK_TOPUP_DAG, names.WALLET_IMPORT_DAG
    whose = {"organization_id": organization_id}
    imported = whose | {"source": "file", "dry_run": False}
    done: dict[str, str] = airflow.run_together(
        {
            "top-up": (topup, whose | {"campaign": "canary", "path": campaign}),
            "top-up of a list without amounts": (
                topup,
                whose | {"campaign": "canary", "path": campaign.replace("campaign", "canaries")},
            ),
            "wallet import": (wallet_import, imported | {"path": records}),
            "wallet import of another file": (wallet_import, imported | {"path": campaign}),
        }
    )
    done["findings"] = airflow.run(names.RECONCILE_DAG, thresholds={"default": {"lookback_seconds": 1e9}})[0]
    done["release"] = airflow.run(names.RELEASE_HOLDS_DAG, organization_ids=[organization_id])[0]
    return done


def _run_upkeep(airflow: Any, organization_id: str) -> dict[str, str]:
    whose = {"organization_id": organization_id}
    with pytest.raises(StackError, match="HTTP 400"):
        airflow.start(names.ERASE_DAG, customer_ids=[CANARIES["phone typed into the form"]], **whose)
    done: dict[str, str] = airflow.run_together(
        {
            "balances": (names.BALANCES_DAG, {}),
            "checks": (names.CHECKS_DAG, {}),
            "export": (names.EXPORT_DAG, whose | {"customer_id": CUSTOMER_ID}),
            "maintenance": (names.MAINTENANCE_DAG, {}),
            "decision about no breaker": (names.DECIDE_BREAKER_DAG, {"breaker_id": 999_999}),
            "signals": (names.SIGNALS_DAG, {}),
            "orders": (names.ORDERS_DAG, {}),
            "webhooks": (names.WEBHOOKS_DAG, {}),
            "preview of an erasure": (names.ERASE_DAG, whose | {"customer_ids": [CUSTOMER_ID]}),
        }
    )
    return done | {"erasure of a typed phone": "refused"}


def _erase(airflow: Any, organization_id: str) -> str:
    """Erase the customer of the canaries with an approval; the other tests of this stack find nobody erased."""
    run = airflow.start(names.ERASE_DAG, dry_run=False, customer_ids=[CUSTOMER_ID], organization_id=organization_id)
    airflow.wait_for_question(run, "approve")
    airflow.answer(run, "Approve")
    outcome = str(airflow.finish(run))
    airflow.rows("truncate privacy.erased_key")
    return outcome


def _newest_run(airflow: Any) -> int:
    ((newest,),) = airflow.rows("select coalesce(max(id), 0) from dag_run", database=names.METADATA_DATABASE)
    return int(newest)


def _dags_run_since(airflow: Any, newest: int) -> set[str]:
    query = "select distinct dag_id from dag_run where id > %s"
    return {dag_id for (dag_id,) in airflow.rows(query, newest, database=names.METADATA_DATABASE)}


def _kept_by_airflow(airflow: Any) -> dict[str, str]:
    """Return every text that Airflow keeps: each log file, each report, and its whole metadata database as SQL."""
    folder, home = airflow.stack.paths.directory, airflow.stack.paths.airflow_home
    reports = [file for file in home.glob("reports/**/*") if file.is_file()]
    files = [*folder.glob("logs/*.log"), *home.rglob("*.log"), *reports]
    kept = {str(file.relative_to(folder)): file.read_text(errors="replace") for file in files}
    dsn = airflow.stack.postgres(durable=False).dsn(names.METADATA_DATABASE)
    dump = subprocess.run(
        [str(installed_binaries() / "pg_dump"), "--data-only", dsn], capture_output=True, text=True, check=True
    )
    kept["metadata database"] = dump.stdout
    return kept


def _leaks(kept: dict[str, str]) -> list[tuple[str, str]]:
    found = []
    for place, text in kept.items():
        for name, canary in CANARIES.items():
            if canary in text or json.dumps(canary).strip('"') in text:
                found.append((place, name))
        if TOKEN.search(text):
            found.append((place, "token"))
    return found
