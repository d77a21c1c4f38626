"""The bill of materials: valid CycloneDX, with what is shipped told from what only tests it."""

import json
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from supplychain.sbom import write_sbom

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    output = tmp_path_factory.mktemp("bill") / "made" / "sbom.cdx.json"
    counts = write_sbom(ROOT, output)
    written = output.read_text(encoding="utf-8")
    assert sum(counts.values()) == len(json.loads(written)["components"]) > 200
    return written


def test_bill_is_valid_and_tells_what_is_shipped(text: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    scopes = {part["name"].lower(): part["scope"] for part in bill["components"]}
    assert bill["metadata"]["component"]["name"] == "airflow-provider-syrve"
    assert {
        name: scopes[name] for name in ("psycopg2-binary", "pandas", "apache-airflow-providers-celery", "pytest")
    } == {
        "psycopg2-binary": "required",
        "pandas": "optional",
        "apache-airflow-providers-celery": "optional",
        "pytest": "excluded",
    }
    assert str(ROOT) not in text


def test_bill_names_every_release_of_the_lock_as_locked(text: str) -> None:
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    bill = json.loads(text)

    pinned = {line.partition(" ")[0].lower() for line in lock.splitlines() if "==" in line and line[0].isalnum()}
    strays = [
        part["name"]
        for part in bill["components"]
        if part["scope"] != "excluded"
        and part["purl"].startswith("pkg:pypi/")
        and f"{part['purl'].removeprefix('pkg:pypi/').replace('@', '==').lower()}" not in pinned
    ]
    assert strays == []


def test_bill_names_the_libraries_in_the_package(text: str) -> None:
    shipped = {part["purl"]: part["scope"] for part in json.loads(text)["components"] if "pkg:npm/" in part["purl"]}

    assert shipped == {"pkg:npm/chart.js@4.6.1": "required", "pkg:npm/%40kurkle/color@0.3.2": "required"}
