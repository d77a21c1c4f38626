"""The warehouse's disk is full: on a real file system of 200 MB, in the middle of a pull."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from devstack.postgres import PostgresServer
from fixtures.pushes import Pushing
from syrve.api.config import SyrveConfig
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.errors import WarehouseError
from syrve_simulator.process import SimulatorProcess, start_simulator

GUESTS = 400
DATABASE = "warehouse"


class SmallDisk:
    """A file system of its own, which can be filled to the last byte."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._filler = place / "filler"

    def fill(self) -> None:
        """Leave no byte free."""
        with self._filler.open("wb", buffering=0) as file:
            while shutil.disk_usage(self.place).free:
                with suppress(OSError):
                    file.write(bytes(4096))

    def free(self) -> None:
        """Give the space back."""
        self._filler.unlink()


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    home = Path(tempfile.mkdtemp(prefix="syrve-disk-"))
    home.chmod(0o711)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200m,mode=711", "tmpfs", home], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.fail("this test makes a small file system: run it as a user who may mount one")
    try:
        yield SmallDisk(home)
    finally:
        subprocess.run(["umount", home], check=True)
        shutil.rmtree(home)


@pytest.fixture
def server(disk: SmallDisk, tmp_path: Path) -> Iterator[PostgresServer]:
    server = PostgresServer(disk.place / "postgres", tmp_path / "postgres.log")
    server.start()
    try:
        server.create_database(DATABASE)
        migrate = [sys.executable, "-m", "syrve.warehouse", "migrate"]
        subprocess.run(migrate, env={"SYRVE_WAREHOUSE_DSN": server.dsn(DATABASE)}, check=True, capture_output=True)
        yield server
    finally:
        server.stop()
        server.forget_socket_directory()


@pytest.fixture(scope="module")
def service() -> Iterator[SimulatorProcess]:
    with start_simulator(customers=1000, seed=29) as process:
        yield process


@pytest.fixture
def pushing(server: PostgresServer, service: SimulatorProcess) -> Pushing:
    config = SyrveConfig(base_url=service.url, api_login="demo-login")
    return Pushing(service, Warehouse(url_from_text(server.dsn(DATABASE))), config)


def test_full_disk_stops_the_pull_in_words_and_loses_nothing(pushing: Pushing, disk: SmallDisk) -> None:
    pushing.add(id=[each["customer_id"] for each in pushing.people(GUESTS)])
    disk.fill()

    with pytest.raises(WarehouseError, match="disk of the warehouse is full: free space there, then clear the task"):
        pushing.pull()
    disk.free()

    pushing.execute("update sync.roster set leased_until = null, due_at = now()")
    assert pushing.pull().failed == 0
    assert pushing.value("select count(*) from syrve.customer") == GUESTS
