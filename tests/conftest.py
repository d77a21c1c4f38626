"""Fixtures for every test."""

pytest_plugins = ["fixtures.airflow", "fixtures.postgres", "fixtures.pulls"]
