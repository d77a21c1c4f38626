"""Files after an erasure: what we wrote of the person is deleted, what a person put there is reported, in folders and in buckets."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
import openpyxl
import pandas as pd
import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach

from fixtures.airflow import SetConnection
from fixtures.object_store import ObjectStore
from fixtures.persons import ERASURE, Persons
from syrve.hooks.storage import storage_path
from syrve.privacy.files import Scrubbed, scrub_files
from syrve.privacy.old_files import prune_files

OTHER = "+79990001188"
NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.fixture(params=["folder", "bucket", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, set_connection: SetConnection) -> Any:
    """An inbox as the jobs see it: a path of pathlib, or of Airflow's object storage."""
    if request.param == "folder":
        (tmp_path / "inbox").mkdir()
        return tmp_path / "inbox"
    if request.param == "s3":
        store: ObjectStore = request.getfixturevalue("object_store")
        bucket = store.make_bucket()
        store.put(bucket, {"of-others/a.csv": b"phone\n"})
        return storage_path(f"s3://{bucket}/guests", store.connection(set_connection))
    attach("memory", fs=fsspec.filesystem("memory"))
    folder = ObjectStoragePath("memory://inbox-of-a-test/guests")
    if folder.exists():
        folder.rmdir(recursive=True)
    folder.mkdir(parents=True)
    return folder


def scrub(persons: Persons, *inboxes: Any, exports: Sequence[Any] = (), reports: Sequence[Any] = ()) -> Scrubbed:
    persons.known_in_every_way()
    persons.erase()
    return scrub_files(persons.warehouse, ERASURE, inboxes=inboxes, exports=exports, reports=reports)


def names(place: Any) -> list[str]:
    return sorted(path.name for path in place.rglob("*") if path.is_file())


def workbook(cell: object) -> bytes:
    import io

    book, file = openpyxl.Workbook(), io.BytesIO()
    hidden = book.create_sheet("hidden")
    hidden.sheet_state = "hidden"
    hidden.append(["phone", 1, None])
    hidden.append([cell, "+7", "9"])
    book.save(file)
    return file.getvalue()


def test_files_of_rejected_rows_that_name_the_person_go(persons: Persons, place: Any) -> None:
    (place / "2026").mkdir()
    for name in ("a.csv", "2026/a.csv.rejected.csv"):
        (place / name).write_bytes(f"phone\n{persons.phone}\n".encode())
    (place / "b.csv.rejected.csv").write_bytes(f"phone\n{OTHER}\n".encode())

    done = scrub(persons, place)

    assert (done.deleted, done.named, done.unread) == (1, ["a.csv"], [])
    assert names(place) == ["a.csv", "b.csv.rejected.csv"]


def test_workbooks_and_parquet_are_searched(persons: Persons, place: Any) -> None:
    (place / "guests.xlsx").write_bytes(workbook(int(persons.phone[1:])))
    (place / "others.xlsx").write_bytes(workbook(int(OTHER[1:])))
    with (place / "guests.parquet").open("wb") as file:
        pd.DataFrame({"phone": [OTHER, persons.phone]}).to_parquet(file)

    assert sorted(scrub(persons, place).named) == ["guests.parquet", "guests.xlsx"]


def test_files_that_can_not_be_searched_are_reported(persons: Persons, place: Any) -> None:
    for name in ("old.zip", "broken.xlsx", "broken.parquet"):
        (place / name).write_bytes(b"PK\x03\x04 no such thing")

    done = scrub(persons, place)

    assert sorted(done.unread) == ["broken.parquet", "broken.xlsx", "old.zip"]
    assert len(names(place)) == 3


def test_name_of_a_file_counts_and_is_not_repeated(persons: Persons, place: Any) -> None:
    (place / f"{persons.phone[1:]}.csv").write_bytes(b"balance\n5\n")

    (shown,) = scrub(persons, place).named

    assert persons.phone[1:] not in shown


def test_exports_of_the_person_are_deleted(persons: Persons, tmp_path: Path) -> None:
    exports = tmp_path / "exports"
    exports.mkdir()
    (exports / "one.json").write_text(f'{{"syrve.customer": [{{"customer_id": "{persons.customer_id}"}}]}}')
    (exports / "other.json").write_text("{}")

    assert scrub(persons, exports=[exports, tmp_path / "not there"]).deleted == 1
    assert names(exports) == ["other.json"]


def test_reports_keep_the_money_and_lose_the_id(persons: Persons, place: Any) -> None:
    (place / "2026-11").mkdir()
    report, other = place / "2026-11" / "findings.csv", place / "latest.html"
    report.write_text(f"customer_id,amount\n{persons.customer_id},5.00\n{persons.organization_id},7.00\n")
    other.write_text(f"<p>{persons.organization_id}")

    done = scrub(persons, reports=[place])

    assert (done.rewritten, done.deleted) == (1, 0)
    assert report.read_text() == f"customer_id,amount\nerased,5.00\n{persons.organization_id},7.00\n"


def test_old_reports_and_exports_go_and_nothing_else(tmp_path: Path) -> None:
    month = tmp_path / "reports" / "2025-10"
    month.mkdir(parents=True)
    (tmp_path / "reports" / "erasures").mkdir()
    old, young, export = (
        month / "findings-20251001T000000Z-0123abcd.html",
        month / "findings-20261101T000000Z-0123abcd.csv",
        tmp_path / "exports" / "5f4e0004-0000-4000-8000-00000000dead.json",
    )
    receipt = tmp_path / "reports" / "erasures" / export.name
    export.parent.mkdir()
    left_over = export.with_name(".0123456789abcdef0123456789abcdef.part")
    kept = [tmp_path / "reports" / "latest.html", receipt, month / "notes.csv", young]
    for path in (old, export, left_over, *kept):
        path.write_text("x")
        os.utime(path, (0, 0) if path is not young else (NOW.timestamp(), NOW.timestamp()))

    folders = {"reports": tmp_path / "reports", "exports": tmp_path / "exports"}
    removed = prune_files(folders, {"reports": 400, "exports": 30}, now=NOW)

    assert removed == {"reports": 1, "exports": 2}
    assert not old.exists()
    assert all(path.exists() for path in kept)


def test_store_that_refuses_the_login_is_not_an_empty_one(
    persons: Persons,
    object_store: ObjectStore,
    set_connection: SetConnection,
) -> None:
    bucket = object_store.make_bucket()
    object_store.put(bucket, {"guests.csv": f"phone\n{persons.phone}\n".encode()})
    conn_id = object_store.connection(set_connection, password="wrong")

    with pytest.raises(PermissionError):
        scrub(persons, storage_path(f"s3://{bucket}", conn_id))


def test_what_a_killed_writer_left_goes(persons: Persons, place: Any, tmp_path: Path) -> None:
    left, reports = ".0123456789abcdef0123456789abcdef.part", tmp_path / "reports-of-a-test"
    reports.mkdir()
    for folder, text in ((place, persons.phone), (reports, persons.customer_id)):
        (folder / left).write_text(f"a,{text}\n")
        (folder / left.replace("0", "f")).write_text(f"a,{OTHER}\n")

    assert scrub(persons, place, reports=[reports]).deleted == 2
    assert names(place) == names(reports) == [left.replace("0", "f")]
