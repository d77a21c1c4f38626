"""Speaks to Postgres: connections, migrations, COPY, merges. Knows neither Airflow nor HTTP."""
