"""Which files of the inbox the page lists, and what it keeps of a file that a person drops there."""

import io
import stat
from pathlib import Path

import pytest
from fastapi import UploadFile

from syrve.ui import inbox_files as files
from syrve.ui.errors import PageError
from syrve.ui.inbox_files import inbox_files, path_of
from syrve.ui.started import told_in

PHONE = "+7 975 777-12-34"


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SYRVE_INBOX", f"s3://bucket/x,file://{tmp_path}")
    return tmp_path


def dropped(name: str, content: bytes = b"phone\n1\n") -> UploadFile:
    return UploadFile(io.BytesIO(content), filename=name)


def test_only_readable_files_of_the_inbox_are_listed(inbox: Path) -> None:
    for name in ("guests.csv", "guests.csv.rejected.csv", "notes.txt", f"{PHONE}.csv", "book.XLSX"):
        (inbox / name).write_text("x")
    (inbox / "folder.csv").mkdir()
    (inbox / "link.csv").symlink_to("/etc/passwd")

    assert sorted(inbox_files()) == ["book.XLSX", "guests.csv"]


def test_dropped_file_is_kept_under_a_name_of_our_own(inbox: Path) -> None:
    name = path_of("", dropped(f"../{PHONE}.csv"))

    assert name is not None
    assert [each.name for each in inbox.iterdir()] == [name]
    assert (inbox / name).read_bytes() == b"phone\n1\n"
    assert stat.S_IMODE((inbox / name).stat().st_mode) & 0o007 == 0
    assert not files.looks_like_a_phone(name)
    assert inbox_files() == [name]


@pytest.mark.parametrize(
    ("path", "upload"), [("guests.csv", "a.csv"), (f"{PHONE}.csv", ""), ("", "a.exe"), ("", PHONE)]
)
def test_form_with_an_unusable_file_keeps_nothing(inbox: Path, path: str, upload: str) -> None:
    with pytest.raises(PageError) as refused:
        path_of(path, dropped(upload) if upload else None)

    assert "Nothing was started" in refused.value.advice
    assert PHONE not in str(refused.value)
    assert list(inbox.iterdir()) == []


def test_too_large_file_leaves_nothing_behind(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 4)

    with pytest.raises(PageError, match="larger"):
        path_of("", dropped("a.csv"))

    assert list(inbox.iterdir()) == []


@pytest.mark.parametrize("sizes", [[40, 60], [1] * 10, [100]])
def test_dropped_files_do_not_fill_the_disk(inbox: Path, monkeypatch: pytest.MonkeyPatch, sizes: list[int]) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 10)
    monkeypatch.setattr(files, "MOST_DROPPED_BYTES", 109)
    monkeypatch.setattr(files, "_PIECE_BYTES", 10)
    for number, size in enumerate(sizes[:-1]):
        (inbox / f"dropped-{number}.csv").write_bytes(b"x" * size)
    (inbox / f".{'0' * 32}.part").write_bytes(b"x" * sizes[-1])
    before = sorted(inbox.iterdir())

    with pytest.raises(PageError, match="no room"):
        path_of("", dropped("a.csv"))

    assert sorted(inbox.iterdir()) == before
    before[0].unlink()
    assert path_of("", dropped("a.csv", b"x"))


def test_files_of_others_take_no_room_of_dropped_ones(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_DROPPED_BYTES", files.MOST_BYTES)
    (inbox / "guests.csv").write_bytes(b"x" * 100)

    assert path_of("", dropped("a.csv"))


@pytest.mark.parametrize("value", ["", "s3://bucket/x", "not a folder"])
def test_file_without_an_inbox_folder_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SYRVE_INBOX", value)

    with pytest.raises(PageError, match="no folder to put the file into"):
        path_of("", dropped("a.csv"))


def test_form_that_names_no_file_names_none() -> None:
    assert path_of("  ", None) is None
    assert path_of("", UploadFile(io.BytesIO(), filename="")) is None


def test_words_of_a_run_leave_out_what_people_wrote() -> None:
    assert told_in("Ask Ivan\n\nResult: 20 looked up. [See the rejects](http://x)") == "20 looked up."
    assert told_in("Progress: 5 of 20") == "5 of 20."
    assert told_in("Ask Ivan") == ""
