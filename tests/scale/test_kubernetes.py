"""KubernetesExecutor, as Airflow's provider has it, with the shipped pod template; pods are processes of a stand-in for the cluster."""

import importlib.util
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from devstack import names
from devstack.cli import REPOSITORY
from devstack.environments import StackPaths
from devstack.processes import wait_for
from devstack.stack import Stack
from fixtures.pod_server import PodServer, pod_server
from fixtures.running_stack import RunningStack, bring_up

TEMPLATE = REPOSITORY / "docs" / "kubernetes" / "pod-template.yaml"
NAMESPACE = "syrve"
LATENCY_MS = 3200
MOST_RECOVERY_SECONDS = 120
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


@dataclass
class Cluster:
    """An Airflow on the stand-in of a cluster."""

    airflow: RunningStack
    pods: PodServer


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if importlib.util.find_spec("airflow.providers.cncf") is None:
        pytest.fail("install Airflow's provider first: .venv/bin/pip install apache-airflow-providers-cncf-kubernetes")
    home = Path(tempfile.mkdtemp(prefix="syrve-pods-"))
    home.chmod(0o711)
    environment: dict[str, str] = {}
    try:
        with pod_server(environment, home) as (pods, url):
            stack = Stack(
                StackPaths(REPOSITORY, home / "stack", REPOSITORY / "dags"),
                os.environ | {"SYRVE_MAX_SHARDS": "2", "SYRVE_SHARD_SIZE": "500"},
                print,
            )
            up = bring_up(stack, settings(home, url))
            environment |= up.environment
            environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"  # an image has one `python`
            try:
                yield Cluster(up, pods)
            finally:
                up.stack.take_down(up.state, grace_seconds=5.0)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def settings(home: Path, url: str) -> dict[str, dict[str, str]]:
    """Write how the cluster is reached, and return Airflow's settings."""
    access = home / "kubeconfig.yaml"
    named = {"name": "here", "context": {"cluster": "here", "user": "here"}}
    text = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": {"server": url}}],
        "users": [{"name": "here", "user": {}}],
        "contexts": [named],
        "current-context": "here",
    }
    access.write_text(yaml.safe_dump(text))
    executor = {
        "in_cluster": "False",
        "config_file": str(access),
        "namespace": NAMESPACE,
        "pod_template_file": str(TEMPLATE),
        "worker_container_repository": "airflow-syrve",
        "worker_container_tag": "latest",
    }
    return {"kubernetes_executor": executor, "core": {"executor": "KubernetesExecutor"}}


def landed(cluster: Cluster) -> int:
    return int(cluster.airflow.rows("select count(*) from syrve.customer")[0][0])


def test_pull_runs_in_pods_and_everybody_lands(cluster: Cluster) -> None:
    on_the_roster = cluster.airflow.fill_roster()
    began = time.monotonic()
    run = cluster.airflow.start(names.CUSTOMERS_DAG)

    assert cluster.airflow.finish(run) == "success"
    assert landed(cluster) == on_the_roster
    mine = [pod for pod in cluster.pods.made if pod["metadata"]["annotations"]["run_id"] == run.run_id]
    print(f"{on_the_roster} guests in {time.monotonic() - began:.0f} s, {len(mine)} pods")
    assert sum(pod["metadata"]["annotations"]["task_id"] == "pull" for pod in mine) >= 2
    for pod in mine:
        container = pod["spec"]["containers"][0]
        assert container["image"] == "airflow-syrve:latest"
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert pod["spec"]["automountServiceAccountToken"] is False
    wait_for("The pods being deleted", lambda: not cluster.pods.pods, timeout_seconds=120)


def test_pull_of_a_lost_pod_goes_on_within_two_minutes(cluster: Cluster) -> None:
    on_the_roster = cluster.airflow.fill_roster()
    cluster.airflow.simulator.set_switches(latency_ms=LATENCY_MS)
    run = cluster.airflow.start(names.CUSTOMERS_DAG)
    wait_for("Two pulls at work", lambda: len(cluster.pods.running("pull")) >= 2, timeout_seconds=180)
    lost = cluster.pods.running("pull")[0]
    at_work = "select 1 from sync.roster where leased_until is not null limit 1"
    wait_for("Work", lambda: bool(cluster.airflow.rows(at_work)), timeout_seconds=60)
    cluster.pods.kill(lost)
    killed_at = time.monotonic()

    wait_for(
        "Going on",
        lambda: any(
            task.task_id == "pull" and task.state == "running" and task.try_number == 2
            for task in cluster.airflow.tasks(run)
        ),
        timeout_seconds=300,
        poll_seconds=0.5,
    )
    recovery_seconds = time.monotonic() - killed_at
    print(f"the pull of the lost pod went on after {recovery_seconds:.0f} s")
    cluster.airflow.simulator.set_switches(latency_ms=0)

    assert cluster.airflow.finish(run) == "success"
    assert landed(cluster) == on_the_roster
    assert recovery_seconds <= MOST_RECOVERY_SECONDS
    kept = cluster.airflow.rows("select value from task_state_store", database=names.METADATA_DATABASE)
    assert kept == [], "an interruption is no failure"
