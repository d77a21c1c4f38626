"""Speaks to Syrve: endpoint table, protocol, dialects, models, errors, clients. Knows neither Airflow nor SQL."""
