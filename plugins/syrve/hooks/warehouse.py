"""Opens the warehouse of an Airflow connection of type `postgres`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook

if TYPE_CHECKING:
    from syrve.api.config import SyrveConfig
    from syrve.warehouse.budget import CallBudget
    from syrve.warehouse.database import Warehouse

DEFAULT_WAREHOUSE_CONN_ID = "syrve_warehouse"


def open_warehouse(conn_id: str = DEFAULT_WAREHOUSE_CONN_ID) -> Warehouse:
    """Return the warehouse of the connection; its first connection refuses one whose migrations do not fit this version.

    The stock Postgres hook is not used on purpose: it logs statements with their parameters and failing rows, which here are guests.
    """
    from syrve.warehouse.database import Warehouse
    from syrve.warehouse.dsn import url_from_parts
    from syrve.warehouse.errors import WarehouseConfigError

    connection = BaseHook.get_connection(conn_id)
    if connection.conn_type not in ("postgres", "postgresql"):
        raise WarehouseConfigError(f"the connection {conn_id} must be of type postgres")
    url = url_from_parts(
        host=connection.host,
        port=connection.port,
        login=connection.login,
        password=connection.password,
        database=connection.schema,
        extra=connection.extra_dejson,
    )
    return Warehouse(url, application_name="airflow syrve", checks_layout=True)


def open_budget(
    warehouse: Warehouse,
    config: SyrveConfig,
    *,
    bulk: bool,
    backfill: bool = False,
    cap_per_minute: float | None = None,
) -> CallBudget:
    """Return the call budgets of the account, kept in the warehouse and shared by all tasks; use it as a context manager.

    `bulk` is for pulls, which leave room to others; `backfill` for pulls behind the scheduled ones, at most `cap_per_minute`.
    """
    from syrve.api.extras import DEFAULT_BUDGETS
    from syrve.warehouse.budget import CallBudget

    return CallBudget(
        warehouse,
        account=config.login_fingerprint,
        per_minute=config.budgets,
        bulk=bulk,
        backfill=backfill,
        cap_per_minute=cap_per_minute,
        auto=config.auto_budgets,
        start_per_minute=DEFAULT_BUDGETS,
        max_in_flight=config.max_in_flight,
    )
