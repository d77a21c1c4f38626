"""Fixtures for every test."""

pytest_plugins = ["fixtures.postgres", "fixtures.pulls"]
