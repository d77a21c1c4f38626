"""Binds Airflow connections to the clients of `syrve.api` and `syrve.warehouse`."""
