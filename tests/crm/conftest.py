"""These tests only write rows, so they share one database."""

from fixtures.kept_warehouse import warehouse, warehouse_dsn

__all__ = ["warehouse", "warehouse_dsn"]
