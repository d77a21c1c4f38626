"""Which user the Postgres server runs as, and the private directories that this user can reach."""

import os
import pwd
import stat
import subprocess
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from devstack.errors import StackError

SERVER_ACCOUNT = "syrve_postgres"


@dataclass(frozen=True)
class Account:
    """The operating-system user that the server runs as."""

    name: str
    uid: int
    gid: int


def is_open_to_others(path: Path) -> bool:
    """Tell whether every user may read and enter this path, by its own mode and those of the directories above it."""
    own = path.stat().st_mode
    needed = stat.S_IXOTH if path.is_dir() else stat.S_IXOTH | stat.S_IROTH
    return own & needed == needed and all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents)


def private_directory(parent: Path, purpose: Path) -> Path:
    """Make (or find) the directory under a shared parent that belongs to this user and this purpose alone.

    Raises StackError when something there is not ours: another user could have put it in our way.
    """
    name = f"syrve-stack-{os.geteuid()}-{sha256(os.fsencode(purpose)).hexdigest()[:12]}"
    directory = parent / name
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    account = server_account()
    owners = {os.geteuid(), *([account.uid] if account else [])}
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners:
        raise StackError(f"{directory} belongs to another user: remove it, or set TMPDIR to your own directory")
    return directory


def server_account() -> Account | None:
    """Return the system user for the server when we are root (made if need be), else None: the server is ours."""
    if os.geteuid() != 0:
        return None
    for _ in range(3):
        try:
            entry = pwd.getpwnam(SERVER_ACCOUNT)
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
        except KeyError:
            _create_account()
    raise StackError(f"Postgres can't run as root and the user {SERVER_ACCOUNT} could not be made: run as a plain user")


def _create_account() -> None:
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    try:
        # No check: a second devstack may have made the user since, and the caller looks again.
        subprocess.run([*command, "--shell", "/usr/sbin/nologin", SERVER_ACCOUNT], capture_output=True, check=False)
    except FileNotFoundError as error:
        raise StackError("Postgres can't run as root, and `useradd` is missing here: run as a plain user") from error
