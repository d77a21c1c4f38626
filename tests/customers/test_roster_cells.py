"""Rejects of an import name a row by what could be read of it."""

import io
from pathlib import Path

import pandas as pd

from fixtures.rosters import Roster
from syrve.sources.files import FileSource


def test_cell_that_could_not_be_read_shows_its_line(roster: Roster, tmp_path: Path) -> None:
    path = tmp_path / "cards.xlsx"
    pd.DataFrame({"card": [1234567890123456789]}).to_excel(path, index=False)

    roster.take(FileSource(io.BytesIO(path.read_bytes()), path.name))

    [(identity, reason)] = roster.rejects
    assert identity == "line 2"
    assert "more than 15 digits" in reason
