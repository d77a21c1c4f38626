"""Settings are options of Airflow's configuration as well, and its command line shows what the DAGs use."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import syrve.operators.settings as dag_settings
from syrve.hooks.setting import setting
from syrve.provider import get_provider_info

ROW = re.compile(r"^\| `SYRVE_(\w+)` \| .+? \| (?:`(.*)` )?\|$", re.MULTILINE)
USED = """
from syrve.operators import settings
print(settings.POOL, settings.SHARD_SIZE, settings.MAX_SHARDS, settings.BREAKER_AT_LEAST)
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An Airflow whose file sets one option, and whose environment sets others in each of the two ways."""
    (tmp_path / "airflow.cfg").write_text("[syrve]\nbreaker_at_least = 33\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SYRVE_", "AIRFLOW__SYRVE"))}
    own = {"SYRVE_POOL": "of the environment", "SYRVE_SHARD_SIZE": "5", "AIRFLOW__SYRVE__SHARD_SIZE": "77"}
    return kept | own | {"AIRFLOW_HOME": str(tmp_path), "SYRVE_BREAKER_AT_LEAST": "44"}


def output(environment: dict[str, str], *command: str) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_configuration_has_an_option_for_each_setting() -> None:
    options = get_provider_info()["config"]["syrve"]["options"]
    table = dict(ROW.findall(dag_settings.__doc__ or ""))

    assert len(table) == (dag_settings.__doc__ or "").count("| `SYRVE_")
    assert set(options) == {name.lower() for name in table}
    for name, default in table.items():
        assert os.environ.get(f"SYRVE_{name}") or options[name.lower()]["default"] == default
        assert options[name.lower()]["description"].endswith(f"Also the environment variable SYRVE_{name}.")


def test_config_list_shows_what_the_dags_use(environment: dict[str, str]) -> None:
    airflow = str(Path(sys.executable).with_name("airflow"))
    listed = output(environment, airflow, "config", "list", "--section", "syrve", "--show-values")
    used = output(environment, sys.executable, "-c", USED)

    shown = dict(re.findall(r"^(\w+) = (.*)$", listed, re.MULTILINE))
    names = ("pool", "shard_size", "max_shards", "breaker_at_least")
    assert [shown[name] for name in names] == ["of the environment", "77", "4", "33"]
    assert used.strip() == " ".join(shown[name] for name in names)


def test_setting_changes_with_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert setting("SYRVE_INBOX_OF_A_TEST", "nowhere") == "nowhere"

    monkeypatch.setenv("SYRVE_INBOX_OF_A_TEST", "here")

    assert setting("SYRVE_INBOX_OF_A_TEST", "nowhere") == "here"
