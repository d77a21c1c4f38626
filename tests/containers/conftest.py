"""The stack in containers; `make test-compose` runs this folder, `make test` does not."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from containers.container_stack import ContainerStack
from containers.images import all_images
from containers.podman import why_not
from devstack import ports

collect_ignore_glob = [] if os.environ.get("SYRVE_TEST_COMPOSE") else ["test_*.py"]

ACCOUNT = (
    '{"conn_type": "syrve", "host": "http://simulator:8080", "password": "demo-login",'
    ' "extra": {"budgets": {"customer": 1200}}}'
)
SETTINGS = {
    "AIRFLOW_CONN_SYRVE_DEFAULT": ACCOUNT,
    "AIRFLOW_WORKER_CONCURRENCY": "2",
    "SIMULATOR_CUSTOMERS": "300",
    "SYRVE_CUSTOMERS_SCHEDULE": "none",
    "SYRVE_SHARD_SIZE": "50",
    "WAREHOUSE_SHARED_BUFFERS": "256MB",
}
"""Small enough for a machine of two cores: eight pulls, of which two run at a time."""


@pytest.fixture(scope="session")
def stack() -> Iterator[ContainerStack]:
    """The whole stack, up; nothing of it is left afterwards but the images."""
    if reason := why_not():
        pytest.fail(f"the stack in containers can't be run: {reason}")
    images = all_images()
    with tempfile.TemporaryDirectory(prefix="syrve-compose-") as directory:
        port = {"AIRFLOW_UI_PORT": str(ports.free_port())}
        found = ContainerStack.prepare(Path(directory), SETTINGS | port | images)
        found.down("--volumes")
        assert found.left() == {}, "what an interrupted run left could not be removed"
        try:
            found.up()
            yield found
        finally:
            found.down("--volumes")
            assert found.left() == {}
