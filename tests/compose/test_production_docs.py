"""What docs/production.md tells a person to run does what it says."""

import io
import re
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.request import urlopen

import psycopg2
import yaml
from dotenv import dotenv_values

from compose.stack_files import ROOT, StackFiles

TEXT = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")
FILES = StackFiles.read()
ACCOUNT = "AIRFLOW_CONN_SYRVE_DEFAULT"


def blocks(language: str) -> list[str]:
    """Code blocks of the language, in order, their indentation kept."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", TEXT, re.MULTILINE | re.DOTALL)


def make_env_file(directory: Path) -> subprocess.CompletedProcess[str]:
    """Run the block that makes .env; a stand-in for openssl, which a machine may lack, makes other bytes at each call."""
    (directory / ".env.example").write_text(FILES.env_text, encoding="utf-8")
    openssl = directory / "openssl"
    make = "import base64, secrets, sys; raw = secrets.token_bytes(int(sys.argv[3]))"
    show = "print(raw.hex() if sys.argv[2] == '-hex' else base64.b64encode(raw).decode())"
    openssl.write_text(f"#!{sys.executable}\n{make}\n{show}\n", encoding="utf-8")
    openssl.chmod(0o755)
    (script,) = [block for block in blocks("sh") if "openssl" in block]
    environment = {"PATH": f"{directory}:/usr/bin:/bin"}
    return subprocess.run(
        ["sh", "-c", script], cwd=directory, env=environment, capture_output=True, text=True, check=False
    )


def test_generated_secrets_satisfy_init_but_for_the_account(init: ModuleType, tmp_path: Path) -> None:
    assert make_env_file(tmp_path).returncode == 0

    made = {name: value or "" for name, value in dotenv_values(tmp_path / ".env").items()}
    assert [problem.split()[0] for problem in init.find_problems(made)] == [ACCOUNT]
    secret_values = [value for name, value in made.items() if not FILES.example[name] and value]
    assert len(secret_values) == len(set(secret_values)) == 9
    assert {name: value for name, value in made.items() if FILES.example[name]} == {
        n: v for n, v in FILES.example.items() if v
    }


def test_generated_file_is_its_owners_alone_and_not_overwritten(tmp_path: Path) -> None:
    make_env_file(tmp_path)
    made = (tmp_path / ".env").read_text(encoding="utf-8")

    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    assert make_env_file(tmp_path).returncode != 0
    assert (tmp_path / ".env").read_text(encoding="utf-8") == made


def test_accounts_shown_in_the_example_are_accepted(init: ModuleType, tmp_path: Path) -> None:
    shown = [line.removeprefix("#   ") for line in FILES.env_text.splitlines() if line.startswith(f"#   {ACCOUNT}=")]
    shown += re.findall(rf"`({ACCOUNT}='.*?')`", TEXT)
    make_env_file(tmp_path)
    made = dotenv_values(tmp_path / ".env")

    assert len(shown) == 3
    for line in shown:
        assert init.find_problems(made | dotenv_values(stream=io.StringIO(line))) == []


def test_services_and_variables_that_the_text_names_exist() -> None:
    table = re.findall(r"^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \|", TEXT, re.MULTILINE)
    named = {name for cell in table for name in re.findall(r"[a-z-]+", cell)}
    variables = set(re.findall(r"`((?:AIRFLOW|SYRVE|WAREHOUSE|REDIS|METADATA)_[A-Z_]+)`", TEXT))

    assert named == set(FILES.services)
    assert variables <= set(FILES.example)


def test_overrides_change_services_that_exist() -> None:
    overrides: list[dict[str, Any]] = [yaml.safe_load(block) for block in blocks("yaml")]

    assert len(overrides) == 2
    for override in overrides:
        assert set(override["services"]) <= set(FILES.services)
        for definition in override["services"].values():
            assert set(definition.get("networks", [])) <= set(FILES.compose["networks"])


def test_demo_puts_the_simulators_customers_on_the_roster(warehouse_dsn: str, tmp_path: Path) -> None:
    (block,) = [block for block in blocks("sh") if "PYTHON" in block]
    script = block.split("<<'PYTHON' |\n")[1].split("PYTHON\n")[0]
    copy = re.search(r'--command="(copy [^"]*)"', block)
    assert copy is not None
    command = [re.sub(r"\$\{.*\}", "40", word) for word in FILES.services["simulator"]["command"]]
    command[0] = sys.executable
    port_file = tmp_path / "port"
    # The stack's own command line, but on loopback and on a free port: of two equal options the last one counts.
    here = ["--host=127.0.0.1", "--port=0", f"--port-file={port_file}"]
    with subprocess.Popen([*command, *here], stdout=subprocess.PIPE, text=True) as simulator:
        try:
            assert simulator.stdout is not None
            assert "Syrve simulator (reference)" in simulator.stdout.readline()
            url = f"http://127.0.0.1:{port_file.read_text(encoding='utf-8').strip()}"
            with urlopen(f"{url}/_control/health", timeout=10) as health:
                assert health.status == 200
            here_script = script.replace("http://127.0.0.1:8080", url)
            roster = subprocess.run(
                [sys.executable, "-c", here_script], capture_output=True, text=True, check=True
            ).stdout
        finally:
            simulator.terminate()

    connection = psycopg2.connect(warehouse_dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.copy_expert(copy[1], io.StringIO(roster))
            cursor.execute("select count(*), count(distinct organization_id) from sync.roster where due_at <= now()")
            [(rows, organizations)] = cursor.fetchall()
    finally:
        connection.close()
    assert rows >= 40
    assert organizations == 2
