"""Linters that know nothing of this project find nothing in the files of the stack, and something once a file is spoilt."""

import subprocess
import sys
from pathlib import Path

import pytest

from compose.stack_files import ROOT, StackFiles

FILES = StackFiles.read()
BINARIES = Path(sys.executable).parent


def lint_compose(text: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run compose-lint with the reasons that the repository gives, and nothing that lies beside the file."""
    path = directory / "docker-compose.yml"
    path.write_text(text, encoding="utf-8")
    command = [
        str(BINARIES / "compose-lint"),
        "check",
        "--fail-on",
        "low",
        "--quiet",
        "--no-env",
        "--no-merge-overrides",
    ]
    command += ["--strict-config", "--config", str(ROOT / ".compose-lint.yml"), str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def lint_dockerfile(text: str) -> subprocess.CompletedProcess[str]:
    command = [str(BINARIES / "hadolint"), "--failure-threshold", "style", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


def test_compose_file_has_no_finding(tmp_path: Path) -> None:
    result = lint_compose(FILES.compose_text, tmp_path)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("cap_drop: [ALL]", "cap_drop: []"),
        ("no-new-privileges:true", "no-new-privileges:false"),
        ("read_only: true", "read_only: false"),
        ("    user: postgres\n", "    user: postgres\n    privileged: true\n"),
        ("    user: postgres\n", "    user: postgres\n    network_mode: host\n"),
        ("    user: postgres\n", "    user: postgres\n    pid: host\n"),
        ("- airflow-logs:/opt/airflow/logs", "- /var/run/docker.sock:/var/run/docker.sock"),
        ("${AIRFLOW_UI_BIND:-127.0.0.1}:", ""),
        ("    user: postgres\n", "    user: postgres\n    ipc: host\n"),
    ],
)
def test_spoilt_compose_file_is_refused(old: str, new: str, tmp_path: Path) -> None:
    result = lint_compose(FILES.spoilt("compose_text", old, new).compose_text, tmp_path)

    assert result.returncode == 1, result.stdout + result.stderr


def test_dockerfile_has_no_finding() -> None:
    result = lint_dockerfile(FILES.dockerfile_text)

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# hadolint ignore=DL3008\n", ""),
        ("--no-install-recommends ", ""),
        ('CMD ["airflow", "version"]', "CMD airflow version"),
        ("USER 50000:50000", "USER root"),
        ("WORKDIR /opt/airflow", "WORKDIR airflow"),
        ("COPY dags dags", "ADD dags dags"),
    ],
)
def test_spoilt_dockerfile_is_refused(old: str, new: str) -> None:
    assert lint_dockerfile(FILES.spoilt("dockerfile_text", old, new).dockerfile_text).returncode != 0
