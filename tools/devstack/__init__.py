"""The local stack: an embedded Postgres, the Syrve simulator and Airflow, for `make demo`, `up`, `down` and `run`."""
