"""Only `syrve.api.dialects` knows a dialect by its name; everybody else asks for a capability."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DIALECTS = ROOT / "plugins" / "syrve" / "api" / "dialects"
A_NAME = re.compile(r"""["'](cloud|reference)["']|is_cloud|is_reference""")
SOURCES = [
    path
    for pattern in ("plugins/syrve/**/*.py", "dags/*.py", "sql/**/*.sql")
    for path in sorted(ROOT.glob(pattern))
    if DIALECTS not in path.parents
]


def test_there_are_files_of_each_kind_to_look_at() -> None:
    assert {path.suffix for path in SOURCES} == {".py", ".sql"}
    assert A_NAME.search((DIALECTS / "cloud.py").read_text())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_other_module_or_statement_names_a_dialect(path: Path) -> None:
    assert A_NAME.findall(path.read_text()) == []
