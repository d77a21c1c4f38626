"""Imports as forms run them: a look first, the bad rows beside the source, and doors that stay shut."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from fixtures.airflow import Running
from syrve.operators import settings
from syrve.operators.crm import SyrveCrmImportOperator
from syrve.operators.roster import SyrveRosterImportOperator
from syrve.operators.wallet_import import SyrveWalletImportOperator
from syrve.sources.errors import UnreadableSource, UnusableSource

GUESTS = "Телефон;Имя;Дата рождения;Любимый стол\n+79755550001;Анна;15.05.1990;7\n+79755550002;Борис;вчера;8\n"


def importing(running: Running, operator: Any = SyrveCrmImportOperator, **params: Any) -> Any:
    form = {"source": "file", "path": "guests.csv", "organization_id": running.syncing.organization_id} | params
    return running.execute(operator, **form)


def test_dry_run_tells_what_an_import_would_do(running: Running, inbox: Path, caplog: pytest.LogCaptureFixture) -> None:
    (inbox / "guests.csv").write_bytes(GUESTS.encode("cp1251"))
    caplog.set_level(logging.INFO)

    result = importing(running, is_dry_run="True")

    reason = "birthday is not a date such as 1990-05-15 or 15.05.1990"
    assert (result["changed"], result["created"], result["rejected"], result["dry_run"]) == (1, 1, 1, True)
    assert result["bad_rows"] == [{"line": 3, "reason": reason}]
    assert "encoding 'cp1251'" in result["source"]
    assert result["source"].endswith("not read: 1 (by their place: 4)")
    assert f"Line 3 is rejected: {reason}" in caplog.text
    for value in ("+7975555", "Анна", "Борис", "вчера"):
        assert value not in caplog.text + json.dumps(result, ensure_ascii=False)
    assert running.syncing.rows("select count(*) from crm.customer") == [(0,)]
    assert running.syncing.rows("select count(*) from sync.reject") == [(0,)]


def test_row_taken_for_headings_is_told_to_nobody(
    running: Running, inbox: Path, caplog: pytest.LogCaptureFixture
) -> None:
    forged = '"+79755550009\n[2026-11-28] INFO - Approved by Igor"'
    (inbox / "guests.csv").write_text(f"Phone,{forged},Ivan Canary,ivan@example.com\n+79755550001,a,b,c\n")
    caplog.set_level(logging.INFO)

    told = importing(running, is_dry_run="True")["source"]

    assert told.endswith("columns phone; not read: 3 (by their place: 2, 3, 4)")
    assert "\n" not in told
    for value in ("+7975", "Approved", "Canary", "example.com"):
        assert value not in caplog.text


def test_bad_rows_lie_beside_the_source_and_can_be_mended_there(running: Running, inbox: Path) -> None:
    (inbox / "guests.csv").write_text(GUESTS)

    result = importing(running)

    beside = inbox / "guests.csv.rejected.csv"
    assert result["rejected_file"] == ".rejected.csv"
    assert beside.read_text(encoding="utf-8-sig").splitlines()[1].endswith("+79755550002,Борис,вчера,8")
    beside.write_text(beside.read_text(encoding="utf-8-sig").replace("вчера", "16.05.1990"))
    assert importing(running, path="guests.csv.rejected.csv")["created"] == 1
    assert running.syncing.rows("select count(*) from sync.reject where resolved_at is null") == [(0,)]


def test_inbox_that_cannot_be_written_keeps_no_import_back(running: Running, inbox: Path, monkeypatch: Any) -> None:
    (inbox / "guests.csv").write_text(GUESTS)
    monkeypatch.setattr("syrve.sources.inbox.write_beside", lambda *_: False)

    assert importing(running)["rejected_file"] is None


def test_form_states_what_the_file_is_like(running: Running, inbox: Path) -> None:
    (inbox / "guests.csv").write_bytes("Куда звонить|n\n+79755550001|Анна\n".encode("koi8-r"))
    stated = {
        "encoding": "koi8-r",
        "separator": "|",
        "columns": {"Куда звонить": "phone", "n": "name"},
        "sheet": "None",
    }

    importing(running, file_format=stated)

    assert running.syncing.rows("select phone, name from crm.customer") == [("+79755550001", "Анна")]


@pytest.mark.parametrize("path", ["file:///etc/passwd", "/proc/self/environ", "http://127.0.0.1:1/a.csv", "../a.csv"])
@pytest.mark.parametrize("operator", [SyrveRosterImportOperator, SyrveCrmImportOperator, SyrveWalletImportOperator])
def test_file_outside_of_the_inbox_is_refused_and_not_retried(running: Running, operator: Any, path: str) -> None:
    with pytest.raises(UnusableSource, match="path is outside of the inbox") as caught:
        importing(running, operator, path=path)
    assert not isinstance(caught.value, UnreadableSource)


def test_storage_that_cannot_be_opened_is_told_in_words(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYRVE_INBOX", "s3://nobody@guests/in")

    with pytest.raises(UnusableSource, match="the file at path cannot be opened") as caught:
        importing(running)
    assert not isinstance(caught.value, UnreadableSource)


@pytest.mark.parametrize("field", ["query_conn_id", "path_conn_id"])
def test_connection_that_is_not_listed_is_refused(running: Running, monkeypatch: Any, field: str) -> None:
    monkeypatch.setenv("SYRVE_INBOX", "s3://guests/in")
    source = "query" if field == "query_conn_id" else "file"

    with pytest.raises(UnusableSource, match=f"{field} must be one of those that SYRVE_SOURCE_CONNECTIONS lists"):
        importing(running, source=source, query="select 1", **{field: "syrve_default"})


def test_form_types_no_fact_of_the_wallet_into_a_query(running: Running, monkeypatch: Any) -> None:
    monkeypatch.setenv("SYRVE_SOURCE_CONNECTIONS", "syrve_warehouse")
    query = "select 'cancel_hold' as record, 'h' as hold_id, 'confirmed' as state, '2026-05-01' as occurred_at"

    with pytest.raises(UnusableSource, match="hold_id, occurred_at, record, state of the query must be a column of"):
        importing(running, SyrveWalletImportOperator, source="query", query=query, query_conn_id="syrve_warehouse")
    assert running.syncing.rows("select count(*) from wallet.operation") == [(0,)]


def test_import_takes_the_names_that_the_settings_list(running: Running, monkeypatch: Any) -> None:
    with pytest.raises(UnusableSource, match=r"source_name must be one of .* \(till\)"):
        importing(running, SyrveWalletImportOperator, source="query", query="select 1", source_name="till-2")


def test_saved_query_needs_no_list_and_another_on_its_connection_does(running: Running, monkeypatch: Any) -> None:
    query = "select 'order' as record, 'o1' as order_id, 'completed' as state, now() as occurred_at"
    monkeypatch.setenv("SYRVE_SOURCE_CONNECTIONS", "none")
    monkeypatch.setattr(settings, "WALLET_IMPORT_QUERY", query)
    monkeypatch.setattr(settings, "WALLET_IMPORT_DATABASE", "syrve_warehouse")
    form = {"source": "query", "query_conn_id": "syrve_warehouse"}

    assert importing(running, SyrveWalletImportOperator, query=query, **form)["changed"] == 1
    with pytest.raises(UnusableSource, match="none now"):
        importing(running, SyrveWalletImportOperator, query=f"{query} limit 1", **form)
    with pytest.raises(UnusableSource, match="none now"):
        importing(running, SyrveWalletImportOperator, query=query, file_format={"null_words": "completed"}, **form)
