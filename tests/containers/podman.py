"""Podman, buildah and podman-compose as the test of the stack in containers calls them."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

NEEDED = ("podman", "buildah", "runc", "debootstrap", "openssl")
COMPOSE = Path(sys.executable).with_name("podman-compose")
HAS_SYSTEMD = Path("/run/systemd/system").is_dir()
MINUTE = 60.0


class CommandFailedError(AssertionError):
    """A command of the engine ended with another code than 0; the text holds the end of what it printed."""


def why_not() -> str | None:
    """Say why nothing can be run here, or None if it can."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian's packages have these names)"
    return None if os.geteuid() == 0 else "debootstrap and the networks of containers need the rights of root"


def flags(variable: str, without_systemd: str) -> list[str]:
    """Read flags from a variable; unless it is set, those that a machine without systemd needs, and none elsewhere."""
    return shlex.split(os.environ.get(variable, "" if HAS_SYSTEMD else without_systemd))


def engine_flags() -> list[str]:
    """Flags of every call of podman (`PODMAN_FLAGS`)."""
    return flags("PODMAN_FLAGS", "--runtime runc --cgroup-manager cgroupfs")


def run_flags() -> list[str]:
    """Flags of every container (`PODMAN_RUN_FLAGS`), and what makes `read_only` as strict as Docker's."""
    # Within another container podman may not raise the limits to what it takes for usual.
    limits = flags("PODMAN_RUN_FLAGS", "--ulimit nofile=4096:4096 --ulimit nproc=4096:4096")
    return [*limits, "--read-only-tmpfs=false"]


def run(
    *command: str, timeout_seconds: float = 5 * MINUTE, standard_input: str | None = None, cwd: Path | None = None
) -> str:
    """Run one command and return its standard output; raises CommandFailedError."""
    result = attempt(*command, timeout_seconds=timeout_seconds, standard_input=standard_input, cwd=cwd)
    if result.returncode != 0:
        end = (result.stdout + result.stderr)[-4000:]
        raise CommandFailedError(f"{shlex.join(command)[:400]}: exit code {result.returncode}\n{end}")
    return result.stdout


def attempt(
    *command: str, timeout_seconds: float = MINUTE, standard_input: str | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command, whatever its exit code; without this process's variables, which would win over those of `.env`."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        input=standard_input,
        stdin=subprocess.DEVNULL if standard_input is None else None,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_seconds,
        check=False,
    )


def podman(*arguments: str, timeout_seconds: float = 5 * MINUTE, standard_input: str | None = None) -> str:
    """Call podman and return its standard output; raises CommandFailedError."""
    return run("podman", *engine_flags(), *arguments, timeout_seconds=timeout_seconds, standard_input=standard_input)
