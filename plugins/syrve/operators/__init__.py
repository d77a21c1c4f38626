"""Operators: bind the jobs to Airflow's parameters, connections, XCom and logs."""
