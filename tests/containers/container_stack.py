"""The stack of docker-compose.yml in containers, started service by service as podman-compose can."""

import re
import shlex
import shutil
import time
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml
from dotenv import dotenv_values

from compose.stack_files import ROOT, StackFiles
from containers.podman import COMPOSE, MINUTE, CommandFailedError, attempt, engine_flags, podman, run, run_flags
from devstack.airflow_api import AirflowApi, TaskState
from devstack.dag_runs import DagRun, follow, start_run
from devstack.processes import wait_for

PROJECT = "syrve-test"
OF_PROJECT = f"label=io.podman.compose.project={PROJECT}"
HEALTHY_WITHIN_SECONDS = 15 * MINUTE
READY_WITHIN_SECONDS = 20 * MINUTE
RUN_WITHIN_SECONDS = 20 * MINUTE


def documented(marker: str, language: str = "sh") -> str:
    """Return the one block of docs/production.md that holds the marker."""
    text = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")
    blocks: list[str] = re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    (block,) = [each for each in blocks if marker in each]
    return block


def with_values(env_text: str, values: dict[str, str]) -> str:
    """Return the text of an `.env` with some of its variables set; each must be there."""
    lines = env_text.splitlines()
    for name, value in values.items():
        (index,) = [number for number, line in enumerate(lines) if line.startswith(f"{name}=")]
        lines[index] = f"{name}='{value}'" if re.search(r"[\s\"{]", value) else f"{name}={value}"
    return "\n".join(lines) + "\n"


@dataclass
class ContainerStack:
    """A copy of docker-compose.yml with an `.env` of its own in a folder, and the containers made of it."""

    home: Path

    @classmethod
    def prepare(cls, home: Path, values: dict[str, str]) -> "ContainerStack":
        """Make the folder as docs/production.md says, with these values in its `.env`."""
        for name in ("docker-compose.yml", ".env.example"):
            shutil.copy(ROOT / name, home / name)
        run("sh", "-c", documented("openssl"), cwd=home)
        env = home / ".env"
        env.write_text(with_values(env.read_text(encoding="utf-8"), values), encoding="utf-8")
        # podman-compose would pass on what Debian's podman does not know; health is asked for below, and without systemd no timer does it.
        checked = [name for name, service in StackFiles.read().services.items() if "healthcheck" in service]
        # A busy machine of two cores takes more than the 15 seconds of compose to start the Python of a check.
        changed = "{start_interval: !reset null, timeout: 2m}"
        resets = "".join(f"  {name}:\n    healthcheck: {changed}\n" for name in checked)
        (home / "override.yml").write_text(f"services:\n{resets}", encoding="utf-8")
        stack = cls(home)
        stack._make_docker_command()
        return stack

    def _make_docker_command(self) -> None:
        """Make a `docker` that knows `compose` alone, so that the commands of the docs run as printed."""
        folder = self.home / "bin"
        folder.mkdir()
        script = f'#!/bin/sh\n[ "$1" = compose ] || exit 64\nshift\nexec {shlex.join(self._compose_command())} "$@"\n'
        (folder / "docker").write_text(script, encoding="utf-8")
        (folder / "docker").chmod(0o755)

    def _compose_command(self) -> list[str]:
        engine, container = shlex.join(engine_flags()), shlex.join(run_flags())
        files = ["-f", str(self.home / "docker-compose.yml"), "-f", str(self.home / "override.yml")]
        flags = [f"--podman-args={engine}", f"--podman-run-args={container}", "-p", PROJECT, *files]
        return [str(COMPOSE), *flags, "--profile", "demo"]

    def shell(self, script: str, timeout_seconds: float = 5 * MINUTE) -> str:
        """Run a block of the docs in the folder."""
        path = f'PATH="{self.home}/bin:$PATH"'
        return run(
            "bash", "-euo", "pipefail", "-c", f"{path}\n{script}", cwd=self.home, timeout_seconds=timeout_seconds
        )

    def compose(self, *arguments: str, timeout_seconds: float = 10 * MINUTE) -> str:
        """Call podman-compose; raises CommandFailedError."""
        return run(*self._compose_command(), *arguments, cwd=self.home, timeout_seconds=timeout_seconds)

    @property
    def env(self) -> dict[str, str]:
        """What the `.env` holds."""
        return {name: value or "" for name, value in dotenv_values(self.home / ".env").items()}

    def levels(self) -> list[list[str]]:
        """Names of all services: first those that need no other, then those that need only these, and so on."""
        services = yaml.safe_load((self.home / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
        needs: dict[str, Any] = {name: list(each.get("depends_on", ())) for name, each in services.items()}
        sorter = TopologicalSorter(needs)
        sorter.prepare()
        levels = []
        while sorter.is_active():
            levels.append(sorted(sorter.get_ready()))
            sorter.done(*levels[-1])
        return levels

    @property
    def services(self) -> list[str]:
        """Names of the services that last."""
        return [service for level in self.levels() for service in level if service != "init"]

    def up(self) -> None:
        """Start every service, each when those that it needs are ready."""
        began = time.monotonic()
        for level in self.levels():
            for service in level:
                self.compose("up", "--detach", "--no-build", "--no-deps", service)
            for service in level:
                self.wait_until_ready(service)
                print(f"up: {service} ready after {time.monotonic() - began:.0f} s", flush=True)

    def wait_until_ready(self, service: str) -> None:
        """Wait until a service is healthy, or has ended well if it is `init`."""
        try:
            if service == "init":
                wait_for("init", self._init_ended, timeout_seconds=READY_WITHIN_SECONDS, poll_seconds=2)
            else:
                healthy = HEALTHY_WITHIN_SECONDS
                wait_for(service, lambda: self.is_healthy(service), timeout_seconds=healthy, poll_seconds=2)
        except Exception as error:
            raise AssertionError(f"{service} is not ready: {error}\n{self.logs(service)}") from error

    def _init_ended(self) -> bool:
        status, code = podman(
            "inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", self.container("init")
        ).split()
        if status == "exited" and code != "0":
            raise CommandFailedError(f"init ended with {code}")
        return status == "exited"

    def containers(self, *filters: str) -> list[str]:
        """Return the ids of the project's containers, stopped ones too."""
        more = [part for each in filters for part in ("--filter", each)]
        return podman("ps", "--all", "--quiet", "--filter", OF_PROJECT, *more).split()

    def container(self, service: str) -> str:
        """Return the id of the one container of a service."""
        (found,) = self.containers(f"label=com.docker.compose.service={service}")
        return found

    def is_healthy(self, service: str) -> bool:
        """Run the health check of a service's container now."""
        command = ["podman", *engine_flags(), "healthcheck", "run", self.container(service)]
        return attempt(*command, timeout_seconds=3 * MINUTE).returncode == 0

    def logs(self, service: str) -> str:
        """Return the last lines of a service's log."""
        result = attempt("podman", *engine_flags(), "logs", "--tail", "40", self.container(service))
        return result.stdout + result.stderr

    def execute(self, service: str, *command: str, standard_input: str | None = None) -> str:
        """Run a command in a service's container and return its standard output."""
        return podman("exec", "--interactive", self.container(service), *command, standard_input=standard_input)

    def warehouse(self, query: str) -> str:
        """Ask the warehouse as its owner; returns lines of values, separated by `|`."""
        psql = ["psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"]
        arguments = [*psql, "--username=syrve_owner", "--dbname=warehouse"]
        return self.execute("warehouse-db", *arguments, standard_input=query).strip()

    def simulator(self, statement: str) -> str:
        """Run a statement in which `control` controls the simulator."""
        begin = "from syrve_simulator.control import SimulatorControl\n"
        script = f'{begin}with SimulatorControl("http://127.0.0.1:8080") as control:\n    {statement}\n'
        return self.execute("simulator", "python", "-", standard_input=script)

    def api(self, password: str | None = None) -> AirflowApi:
        """Return a client of Airflow's API, with the administrator's password of `.env` unless another is given."""
        env = self.env
        url = f"http://127.0.0.1:{env['AIRFLOW_UI_PORT']}"
        return AirflowApi(url, env["AIRFLOW_ADMIN_USER"], password or env["AIRFLOW_ADMIN_PASSWORD"])

    def start(self, dag_id: str) -> DagRun:
        """Start a run as soon as Airflow has read the DAG."""
        api = self.api()
        wait_for(dag_id, lambda: api.dag(dag_id) is not None, timeout_seconds=5 * MINUTE, poll_seconds=2)
        api.set_paused(dag_id, paused=False)
        return start_run(api, dag_id, {})

    def tasks(self, run_: DagRun) -> list[TaskState]:
        """Return the tasks of a run."""
        return self.api().tasks(run_.dag_id, run_.run_id)

    def finish(self, run_: DagRun) -> str:
        """Follow a run to its end and return its state."""
        return follow(self.api(), run_, [], lambda tasks: None, RUN_WITHIN_SECONDS)

    def kill(self, service: str) -> None:
        """End the first process of a container, and with it all others, as the kernel does when memory is short."""
        process_id = podman("inspect", "--format", "{{.State.Pid}}", self.container(service)).strip()
        assert int(process_id) > 1
        run("kill", "-KILL", process_id)

    def down(self, *flags: str) -> None:
        """End and remove the containers."""
        self.compose("down", *flags)

    def left(self) -> dict[str, list[str]]:
        """Return what there still is of the project, by kind."""
        listings = {"pod": "{{.Name}}", "network": "{{.Name}}", "volume": "{{.Name}}"}
        named = {kind: podman(kind, "ls", "--format", form).split() for kind, form in listings.items()}
        found = {kind: [name for name in names if PROJECT in name] for kind, names in named.items()}
        return {kind: names for kind, names in ({"container": self.containers()} | found).items() if names}
