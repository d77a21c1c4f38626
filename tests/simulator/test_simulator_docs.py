"""docs/simulator.md names everything that there is to turn, and nothing that there is not."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import requests

from syrve_simulator.faults import AnyFault
from syrve_simulator.wire import DIALECTS

TEXT = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()


def rows_naming(name: Any) -> Any:
    return [line for line in TEXT.splitlines() if re.match(rf"\| `{re.escape(name)}[` ]", line)]


def test_every_option_has_its_row() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "syrve_simulator", "--help"], capture_output=True, text=True, timeout=30, check=True
    ).stdout
    options = set(re.findall(r"^\s+(--[a-z-]+)", shown, re.MULTILINE))

    assert len(options) > 10
    assert [option for option in options if not rows_naming(option)] == []


def test_every_fault_operation_and_switch_has_its_row(simulator: Any) -> None:
    faults = [fault.__struct_config__.tag for fault in get_args(AnyFault)]
    operations = [operation.name for dialect in DIALECTS.values() for operation in dialect.operations]

    names = [*faults, *operations, *simulator.control.switches()]

    assert [name for name in names if not rows_naming(name)] == []


def test_control_paths_and_methods_are_those_that_exist(simulator: Any) -> None:
    documented = {
        (method, path)
        for methods, path in re.findall(r"^\| `(.+?) /_control/([\w/{}]+)", TEXT, re.MULTILINE)
        for method in re.findall(r"[A-Z]+", methods)
    }
    listed = requests.get(f"{simulator.url}/_control/", timeout=5).json()["error"].partition("there are: ")[2]
    offered = set()
    for path in listed.split(", "):
        refusal = requests.request("TRACE", f"{simulator.url}/_control/{path}", timeout=5).json()["error"]
        offered |= {(method, path) for method in re.findall(r"\b[A-Z]{3,}\b", refusal)}

    assert documented == offered
