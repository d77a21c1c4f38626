"""The scripts of the image, which are no package, as modules."""

import importlib.util
from types import ModuleType

import pytest

from compose.stack_files import ROOT


def load_script(name: str) -> ModuleType:
    """Import docker/NAME.py under a name of its own."""
    specification = importlib.util.spec_from_file_location(f"image_{name}", ROOT / "docker" / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def init() -> ModuleType:
    """docker/init.py."""
    return load_script("init")


@pytest.fixture
def healthcheck() -> ModuleType:
    """docker/healthcheck.py."""
    return load_script("healthcheck")
