"""Fixtures for every test."""

pytest_plugins = ["fixtures.airflow", "fixtures.emptied_warehouse", "fixtures.postgres", "fixtures.pulls"]
