"""Fixtures for every test."""

pytest_plugins = [
    "fixtures.pulls",
    "fixtures.postgres",
    "fixtures.emptied_warehouse",
    "fixtures.airflow",
    "fixtures.pushes",
]
