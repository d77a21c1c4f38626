"""The DAG files as Airflow reads them."""

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG

from fixtures.dag_files import DAG_IDS, DAGS


@pytest.fixture(scope="module")
def dagbag() -> DagBag:
    return DagBag(dag_folder=DAGS, bundle_name="dags")


@pytest.fixture(params=DAG_IDS)
def dag(request: pytest.FixtureRequest, dagbag: DagBag) -> DAG:
    found: DAG = dagbag.dags[request.param]
    return found
