"""Imports from a real S3 store: files are read, bad rows lie beside them, and a door that is shut is told in words."""

from typing import Any

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction

from fixtures.airflow import Running, SetConnection
from fixtures.object_store import ObjectStore
from syrve.hooks.storage import UnusableStorage, reports_folder
from syrve.operators.crm import SyrveCrmImportOperator
from syrve.operators.retry import SyrveRetryPolicy
from syrve.operators.roster import SyrveRosterImportOperator
from syrve.sources.errors import UnreadableSource, UnusableSource

GUESTS = "Телефон;Имя;Дата рождения\n+79755550001;Анна;15.05.1990\n+79755550002;Борис;вчера\n".encode("cp1251")


class Bucket:
    """A bucket that is the inbox of a test."""

    def __init__(self, store: ObjectStore, set_connection: SetConnection, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store, self._set_connection, self._monkeypatch = store, set_connection, monkeypatch
        self.name = store.make_bucket()
        self.open_as()

    def open_as(self, conn_id: str | None = None, **fields: Any) -> None:
        conn_id = conn_id or self.store.connection(self._set_connection, **fields)
        self._monkeypatch.setenv("SYRVE_INBOX", f"s3://{conn_id}@{self.name}/in")


@pytest.fixture
def bucket(
    object_store: ObjectStore,
    no_login_of_the_machine: None,
    set_connection: SetConnection,
    monkeypatch: pytest.MonkeyPatch,
) -> Bucket:
    return Bucket(object_store, set_connection, monkeypatch)


def importing(running: Running, operator: Any = SyrveCrmImportOperator, **params: Any) -> Any:
    form = {"source": "file", "path": "guests.csv", "organization_id": running.syncing.organization_id}
    return running.execute(operator, **(form | {"is_dry_run": False} | params))


def is_retried(error: Exception) -> bool:
    return SyrveRetryPolicy().evaluate(error, 1, 3).action is not RetryAction.FAIL


def test_crm_file_of_a_bucket_lands_with_bad_rows_beside(running: Running, bucket: Bucket) -> None:
    bucket.store.put(bucket.name, {"in/2026/guests #1?.csv": GUESTS})

    result = importing(running, path="2026/guests #1?.csv")

    assert (result["changed"], result["rejected"], result["rejected_file"]) == (1, 1, ".rejected.csv")
    assert running.syncing.rows("select phone, name from crm.customer") == [("+79755550001", "Анна")]
    beside = "in/2026/guests #1?.csv.rejected.csv"
    assert bucket.store.names(bucket.name) == ["in/2026/guests #1?.csv", beside]
    assert bucket.store.read(bucket.name, beside).decode("utf-8-sig").splitlines()[1].endswith("Борис,вчера")


@pytest.mark.parametrize("name", ["guests.csv", "guests.csv.gz", "guests.xlsx", "guests.parquet"])
def test_roster_file_of_a_bucket_is_imported(running: Running, bucket: Bucket, name: str) -> None:
    bucket.store.put(bucket.name, {f"in/{name}": roster_file(name)})

    result = importing(running, SyrveRosterImportOperator, path=f"s3://{bucket.name}/in/{name}")

    assert (result["found"], result["rejected"]) == (2, 0)
    assert running.syncing.rows("select identity_value from sync.roster order by 1") == [
        ("+79755550001",),
        ("+79755550002",),
    ]


def roster_file(name: str) -> bytes:
    import gzip
    import io

    import pandas as pd

    phones = pd.DataFrame({"phone": ["+79755550001", "+79755550002"]})
    content = io.BytesIO()
    if name.endswith(".xlsx"):
        phones.to_excel(content, index=False)
    elif name.endswith(".parquet"):
        phones.to_parquet(content)
    else:
        text = phones.to_csv(index=False).encode()
        content.write(gzip.compress(text) if name.endswith(".gz") else text)
    return content.getvalue()


def test_other_bucket_of_the_same_login_is_refused(running: Running, bucket: Bucket) -> None:
    other = bucket.store.make_bucket()
    bucket.store.put(other, {"in/guests.csv": GUESTS})

    for path in (f"s3://{other}/in/guests.csv", f"s3://{bucket.name}/out/guests.csv", f"../../{other}/in/guests.csv"):
        with pytest.raises(UnusableSource, match="path is outside of the inbox"):
            importing(running, path=path)


def test_file_that_is_not_in_the_bucket_is_told_so(running: Running, bucket: Bucket) -> None:
    bucket.store.put(bucket.name, {"in/Guests.csv/a.csv": GUESTS, "in/guests.csv2": GUESTS})

    for path in ("guests.csv", "Guests.csv"):
        with pytest.raises(UnusableSource, match="there is no file at path in the inbox"):
            importing(running, path=path)


@pytest.mark.parametrize("fields", [{"login": "AKIANOBODY"}, {"password": "wrong"}], ids=["key", "secret"])
def test_login_that_the_store_refuses_is_not_tried_again(running: Running, bucket: Bucket, fields: Any) -> None:
    bucket.store.put(bucket.name, {"in/guests.csv": GUESTS})
    bucket.open_as(**fields)

    with pytest.raises(UnusableSource, match="the store refuses the login; check its connection") as caught:
        importing(running)
    assert not is_retried(caught.value)
    assert bucket.store.key not in str(caught.value)


def test_connection_without_a_login_asks_no_store(running: Running, bucket: Bucket) -> None:
    bucket.open_as(login=None, password=None, extra={"endpoint_url": "http://127.0.0.1:9"})

    with pytest.raises(UnusableSource, match="s3:// has no login: give its connection an access key") as caught:
        importing(running)
    assert not is_retried(caught.value)


def test_missing_connection_asks_no_public_bucket(running: Running, bucket: Bucket) -> None:
    bucket.open_as("no_such_store")

    with pytest.raises(UnusableSource, match="Airflow has no connection no_such_store") as caught:
        importing(running)
    assert not is_retried(caught.value)


def test_store_out_of_reach_is_tried_again(running: Running, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    settings = {"retries": {"max_attempts": 0}, "connect_timeout": 1}
    bucket.open_as(extra={"endpoint_url": "http://127.0.0.1:9", "config_kwargs": settings})

    with pytest.raises(UnreadableSource, match="cannot be opened now") as caught:
        importing(running)
    assert is_retried(caught.value)
    assert "127.0.0.1" not in str(caught.value)


def test_bad_rows_that_cannot_be_written_keep_no_row_back(
    running: Running, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.store.put(bucket.name, {"in/guests.csv": GUESTS})

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("Forbidden")

    monkeypatch.setattr("s3fs.S3FileSystem.put_file", refuse)

    assert importing(running)["rejected_file"] is None
    assert running.syncing.rows("select name from crm.customer") == [("Анна",)]


@pytest.mark.parametrize("scheme", ["gs", "s3"])
def test_reports_in_a_bucket_nobody_can_open_are_told_so(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setattr("syrve.optional.is_installed", lambda package: False)

    with pytest.raises(UnusableStorage, match=f"a bucket of {scheme}://") as caught:
        reports_folder(f"{scheme}://{bucket.name}/wallets", None)
    assert not is_retried(caught.value)
    assert ("airflow-provider-syrve[s3]" in str(caught.value)) == (scheme == "s3")


def test_report_lands_in_a_bucket(bucket: Bucket, set_connection: SetConnection) -> None:
    conn_id = bucket.store.connection(set_connection)

    for folder in (
        reports_folder(f"s3://{bucket.name}/wallets", conn_id),
        reports_folder(f"s3://{conn_id}@{bucket.name}/wallets", None),
    ):
        (folder / "erasures").mkdir(parents=True, exist_ok=True)
        (folder / "erasures" / "a.json").write_text("{}")
        assert [path.name for path in (folder / "erasures").glob("*.json")] == ["a.json"]
    assert bucket.store.names(bucket.name) == ["wallets/erasures/a.json"]
