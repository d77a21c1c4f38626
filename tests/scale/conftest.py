"""Airflow on Celery; `make test-scale` runs this folder, `make test` does not."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from devstack import ports
from devstack.cli import REPOSITORY
from devstack.environments import LOOPBACK, StackPaths
from devstack.processes import Command, spawn, stop
from devstack.stack import Stack
from fixtures.celery_stack import CeleryStack, bring_up_celery, wait_for_redis

collect_ignore_glob = [] if os.environ.get("SYRVE_TEST_SCALE") else ["test_*.py"]


@contextmanager
def celery(environment: Mapping[str, str], *, follows_schedules: bool = False) -> Iterator[CeleryStack]:
    """Bring a stack up whose tasks wait for Celery workers, on a Redis of its own."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.fail("no redis-server is installed: `apt-get install redis-server`, or your system's package of it")
    home = Path(tempfile.mkdtemp(prefix="syrve-scale-"))
    home.chmod(0o711)
    paths = StackPaths(REPOSITORY, home / "stack", REPOSITORY / "dags")
    port, password = ports.free_port(), secrets.token_hex(16)
    config = home / "redis.conf"
    config.write_text(f'bind {LOOPBACK}\nport {port}\nrequirepass {password}\nsave ""\nappendonly no\ndir {home}\n')
    config.chmod(0o600)
    command = Command("redis", [program, str(config)], {"PATH": os.environ["PATH"]}, home / "redis.log", home)
    redis = spawn(command)
    found = None
    try:
        url = f"redis://:{password}@{LOOPBACK}:{port}/0"
        wait_for_redis(redis, url)
        stack = Stack(paths, os.environ | environment, print)
        found = bring_up_celery(stack, url, redis, command, follows_schedules=follows_schedules)
        yield found
    finally:
        if found is not None:
            stop(found.workers.values(), grace_seconds=5.0)
            found.stack.take_down(found.state, grace_seconds=5.0)
        stop([redis if found is None else found.redis], grace_seconds=2.0)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def celery_stack() -> Iterator[CeleryStack]:
    """The stack with two workers, brought up once."""
    with celery({"SYRVE_MAX_SHARDS": "2", "SYRVE_SHARD_SIZE": "500"}) as found:
        for name in ("worker-1", "worker-2"):
            found.start_worker(name)
        yield found
