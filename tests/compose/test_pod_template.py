"""The pod of a task for KubernetesExecutor gives no more than a worker of the compose stack, and keeps what has to outlive it."""

import yaml

from compose.stack_files import ROOT, StackFiles

POD = yaml.safe_load((ROOT / "docs" / "kubernetes" / "pod-template.yaml").read_text(encoding="utf-8"))
WORKER = StackFiles.read().services["worker"]


def test_pod_keeps_what_a_worker_keeps() -> None:
    (container,) = POD["spec"]["containers"]
    mounted = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    lasting = {each["name"] for each in POD["spec"]["volumes"] if "persistentVolumeClaim" in each}

    kept = {path for path, name in mounted.items() if name in lasting}

    assert kept == {volume.partition(":")[2] for volume in WORKER["volumes"]}
    assert set(mounted) - kept == {"/tmp"}


def test_pod_may_do_no_more_than_a_worker() -> None:
    (container,) = POD["spec"]["containers"]

    assert container["name"] == "base", "Airflow looks for this name"
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": WORKER["read_only"],
        "capabilities": {"drop": WORKER["cap_drop"]},
    }
    assert POD["spec"]["securityContext"]["runAsNonRoot"] is True
    assert POD["spec"]["automountServiceAccountToken"] is False
    assert POD["spec"]["restartPolicy"] == "Never"
    assert f"{POD['spec']['terminationGracePeriodSeconds'] // 60}m" == WORKER["stop_grace_period"]
