"""Tells people what changed among the findings, once a change, on channels that an Airflow connection names."""
