"""Files of forms come from the inbox only, by no trick of names or links."""

import os
from pathlib import Path

import pytest

from syrve.sources.errors import UnreadableSource, UnusableSource
from syrve.sources.inbox import find_in_inbox, open_local, parse_inbox, write_beside


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    (folder / "2026").mkdir(parents=True)
    (folder / "guests.csv").write_bytes(b"phone\n")
    (folder / "2026" / "guests.csv").write_bytes(b"card\n")
    (tmp_path / "secret.csv").write_bytes(b"password\n")
    return folder


def content_of(inbox: Path, path: str) -> bytes | None:
    opened = open_local(find_in_inbox(parse_inbox(f"file://{inbox}"), path))
    if opened is None:
        return None
    with opened[1] as file:
        return file.read()


@pytest.mark.parametrize("name", ["{}/guests.csv", "file://{}/guests.csv", "guests.csv"])
def test_file_of_the_inbox_is_opened_by_name_path_or_url(inbox: Path, name: str) -> None:
    assert content_of(inbox, name.format(inbox)) == b"phone\n"


def test_file_in_a_folder_of_the_inbox_is_opened(inbox: Path) -> None:
    assert content_of(inbox, "2026/guests.csv") == b"card\n"
    assert content_of(inbox, "2026/none.csv") is None


@pytest.mark.parametrize(
    "name",
    [
        "гости ноябрь.csv",
        "guests #2 (final).csv",
        "guests%20x.csv",
        "guests 50%.csv",
        "a?b.csv",
        "a&b.csv",
        "a:b,c.csv",
    ],
)
def test_name_is_taken_as_it_is_written(inbox: Path, name: str) -> None:
    (inbox / name).write_bytes(b"own\n")

    assert content_of(inbox, name) == content_of(inbox, f"file://{inbox}/{name}") == b"own\n"


@pytest.mark.parametrize(
    "path",
    [
        "../secret.csv",
        "2026/../../secret.csv",
        "{}/../secret.csv",
        "file://{}/../secret.csv",
        "{}",
        "{}/",
        "{}x/guests.csv",
        "/etc/passwd",
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "/proc/self/environ",
        "file://localhost/etc/passwd",
        "http://127.0.0.1:1/guests.csv",
        "https://example.com/guests.csv",
        "s3://bucket/guests.csv",
        "simplecache::file:///etc/passwd",
        "zip://a.csv::file:///etc/x.zip",
        "guests.csv\0.txt",
        "2026\\guests.csv",
        "./guests.csv",
        "//etc/passwd",
        "memory://x/guests.csv",
    ],
)
def test_path_outside_of_the_inbox_is_refused_in_words(inbox: Path, path: str) -> None:
    with pytest.raises(UnusableSource, match="path is outside of the inbox") as caught:
        content_of(inbox, path.format(inbox))

    assert not isinstance(caught.value, UnreadableSource), "a retry cannot help"


def test_link_is_refused_wherever_it_is_in_the_path(inbox: Path) -> None:
    (inbox / "link.csv").symlink_to(inbox.parent / "secret.csv")
    (inbox / "folder").symlink_to(inbox.parent)
    (inbox / "passwd.csv").symlink_to("/etc/passwd")

    for path in ("link.csv", "folder/secret.csv", "passwd.csv"):
        with pytest.raises(UnusableSource, match="path is a link, or goes through one"):
            content_of(inbox, path)


def test_what_is_no_plain_file_is_refused_and_holds_nobody_up(inbox: Path) -> None:
    os.mkfifo(inbox / "pipe.csv")

    for path in ("pipe.csv", "2026"):
        with pytest.raises(UnusableSource, match="not a plain file"):
            content_of(inbox, path)


def test_path_in_a_bucket_is_read_under_its_own_prefix_and_connection() -> None:
    folders = parse_inbox("s3://lake@guests/in, gs://other")

    [found] = find_in_inbox(folders, "s3://somebody@guests/in/2026/a.csv")
    assert (found.folder.scheme, found.key, found.folder.conn_id) == ("s3", "guests/in/2026/a.csv", "lake")
    assert [each.key for each in find_in_inbox(folders, "a.csv")] == ["guests/in/a.csv", "other/a.csv"]
    for path in (
        "s3://guests/out/a.csv",
        "s3://guests/in/../out/a.csv",
        "s3://guests/in//a.csv",
        "gs://guests/in/a.csv",
    ):
        with pytest.raises(UnusableSource, match="path is outside of the inbox"):
            find_in_inbox(folders, path)


@pytest.mark.parametrize(
    "setting", ["http://example.com/in", "https://example.com/in", "/", "file:///", "inbox", "s3://", "file://x/../.."]
)
def test_setting_that_can_be_no_inbox_is_refused(setting: str) -> None:
    with pytest.raises(UnusableSource, match="SYRVE_INBOX"):
        parse_inbox(setting)


def test_without_an_inbox_no_file_is_read() -> None:
    for nothing in (None, "", "none"):
        with pytest.raises(UnusableSource, match="there is no inbox: set SYRVE_INBOX"):
            find_in_inbox(parse_inbox(nothing), "guests.csv")


def test_file_beside_another_is_written_whole_and_through_no_link(inbox: Path) -> None:
    found, file = open_local(find_in_inbox(parse_inbox(str(inbox)), "guests.csv")) or (None, None)
    assert found is not None
    assert file is not None
    file.close()
    (inbox / "guests.csv.rejected.csv").symlink_to(inbox.parent / "secret.csv")

    assert write_beside(found, ".rejected.csv", [b"one\n", b"two\n"])

    assert (inbox / "guests.csv.rejected.csv").read_bytes() == b"one\ntwo\n"
    assert (inbox.parent / "secret.csv").read_bytes() == b"password\n"
    assert sorted(each.name for each in inbox.iterdir()) == ["2026", "guests.csv", "guests.csv.rejected.csv"]
