"""What `make test-compose` takes from the compose file and the docs is still there; the containers themselves run once per release."""

import io
from pathlib import Path

import pytest
from dotenv import dotenv_values

from compose.stack_files import StackFiles
from containers.conftest import SETTINGS
from containers.container_stack import ContainerStack, documented, with_values
from containers.images import BASES, EXTRAS, OWN, build_arguments

FILES = StackFiles.read()


def test_settings_of_the_container_run_are_those_of_the_stack() -> None:
    values = SETTINGS | dict.fromkeys((*BASES, *OWN), "localhost/image")

    text = with_values(FILES.env_text, values)

    read = dotenv_values(stream=io.StringIO(text))
    assert {name: read[name] for name in values} == values
    assert set(read) == set(FILES.example)
    with pytest.raises(ValueError, match="not enough values"):
        with_values(FILES.env_text, {"NO_SUCH_VARIABLE": "1"})


def test_services_start_after_all_that_they_need(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text(FILES.compose_text, encoding="utf-8")
    levels = ContainerStack(tmp_path).levels()

    level = {service: number for number, services in enumerate(levels) for service in services}
    assert set(level) == set(FILES.services)
    needs = {name: service.get("depends_on", {}) for name, service in FILES.services.items()}
    assert all(level[name] > level[need] for name in needs for need in needs[name])


def test_commands_that_the_container_run_takes_from_the_docs() -> None:
    assert ".env.example > .env" in documented("openssl")
    assert "control.customers" in documented("copy sync.roster")


def test_container_run_gives_every_build_argument() -> None:
    for service, _ in OWN.values():
        assert build_arguments(service, "localhost/python") == {"EXTRAS": EXTRAS, "PYTHON_IMAGE": "localhost/python"}
