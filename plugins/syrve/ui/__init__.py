"""The Syrve page in Airflow: server-rendered views over the warehouse, for people who operate the synchronisation."""
