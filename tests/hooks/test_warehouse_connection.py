"""The warehouse behind an Airflow connection."""

import pytest

from fixtures.airflow import SetConnection
from syrve.hooks.warehouse import open_warehouse
from syrve.warehouse.errors import WarehouseConfigError


def test_connection_of_type_postgres_opens_in_utc(warehouse_connection: None) -> None:
    with open_warehouse().transaction("test") as cursor:
        cursor.execute("select current_setting('timezone'), current_setting('application_name')")

        assert cursor.fetchone() == ("UTC", "airflow syrve")


def test_connection_of_another_type_is_refused_by_name(set_connection: SetConnection) -> None:
    set_connection("lake", conn_type="mysql", host="db.example.test", password="a-secret")

    with pytest.raises(WarehouseConfigError, match="the connection lake must be of type postgres"):
        open_warehouse("lake")
