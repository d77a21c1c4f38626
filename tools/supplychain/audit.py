"""Asks a vulnerability database about every release of the lock, by pip-audit; says so where none could be asked.

pip-audit reports "no known vulnerabilities" too where the database knew none of the releases (a mirror of PyPI answers 404 for each).
So what counts here is how many releases were answered for, not its exit code.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SERVICES = ("osv", "pypi")
"""The databases, in the order in which they are asked; the next one only where one gave no answer."""

FRESH_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Vulnerability:
    """A release of the lock with a published vulnerability."""

    package: str
    version: str
    identifier: str
    fixed_in: tuple[str, ...] = ()

    def __str__(self) -> str:
        remedy = f"fixed in {', '.join(self.fixed_in)}" if self.fixed_in else "no fixed release yet"
        return f"{self.package} {self.version}: {self.identifier}, {remedy}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a database said about the lock: `asked` releases, `unanswered` of them unknown to it."""

    asked: int
    unanswered: int
    found: tuple[Vulnerability, ...]

    @property
    def is_whole(self) -> bool:
        """Whether every release was answered for."""
        return self.asked > 0 and self.unanswered == 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The line to print, and whether the check fails."""

    text: str
    fails: bool = False


def audit(
    root: Path, *, limit_seconds: float = 30, osv_url: str | None = None, services: Sequence[str] = SERVICES
) -> Verdict:
    """Check the lock of a checkout; a clean answer is believed for a day, as long as the lock stays as it is.

    Being offline is no failure, and no success either: the text says that nothing was checked.
    """
    lock = root / "requirements.txt"
    accepted = accepted_vulnerabilities(root / "pyproject.toml")
    stamp = root / ".stack" / "audit.json"
    if osv_url is None and _is_fresh(stamp, _digest(lock, accepted)):
        return Verdict("Audit of the lock: no known vulnerability (asked less than a day ago).")
    reasons = []
    for service in services:
        answer = _ask_after_probe(lock, service, limit_seconds, osv_url)
        if isinstance(answer, str):
            reasons.append(f"{service}: {answer}")
            continue
        verdict = judge(answer, service, accepted)
        if answer.is_whole and not verdict.fails and osv_url is None:
            stamp.parent.mkdir(exist_ok=True)
            stamp.write_text(json.dumps({"lock": _digest(lock, accepted), "at": time.time()}), encoding="utf-8")
        if answer.is_whole or verdict.fails:
            return verdict
        reasons.append(f"{service}: {verdict.text}")
    return Verdict(
        "Audit of the lock: NOT DONE, no vulnerability database answered. Run `make audit` where one can be reached.\n  "
        + "\n  ".join(reasons)
    )


def judge(answer: Answer, service: str, accepted: Mapping[str, str]) -> Verdict:
    """Say what an answer means; a vulnerability that is accepted in pyproject.toml does not fail the check."""
    failing = [each for each in answer.found if each.identifier not in accepted]
    if failing:
        lines = "\n  ".join(str(each) for each in failing)
        return Verdict(f"Audit of the lock: {len(failing)} known vulnerabilities ({service})\n  {lines}", fails=True)
    if not answer.is_whole:
        return Verdict(f"{answer.unanswered} of {answer.asked} releases are unknown to it")
    rest = f", {len(answer.found)} accepted in pyproject.toml" if answer.found else ""
    return Verdict(f"Audit of the lock: no known vulnerability in {answer.asked} releases ({service}){rest}.")


def accepted_vulnerabilities(pyproject: Path) -> dict[str, str]:
    """Read the vulnerabilities that do not concern us, each with its reason."""
    table = tomllib.loads(pyproject.read_text(encoding="utf-8")).get("tool", {}).get("supplychain", {})
    return {str(identifier): str(reason) for identifier, reason in table.get("accepted", {}).items()}


def read_answer(text: str) -> Answer:
    """Read pip-audit's JSON."""
    releases = json.loads(text)["dependencies"]
    found = [
        Vulnerability(each["name"], each["version"], known["id"], tuple(known.get("fix_versions") or ()))
        for each in releases
        for known in each.get("vulns", ())
    ]
    return Answer(len(releases), sum("skip_reason" in each for each in releases), tuple(found))


def _ask_after_probe(lock: Path, service: str, limit_seconds: float, osv_url: str | None) -> Answer | str:
    """Ask about one release first: if no database answers, asking about hundreds takes long for nothing."""
    first = re.search(r"^requests==.*?(?=^[^\s#])", lock.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    if first is not None:
        with tempfile.TemporaryDirectory() as folder:
            probe = Path(folder) / "requirements.txt"
            probe.write_text(first[0], encoding="utf-8")
            answer = _ask(probe, service, limit_seconds, osv_url)
        if isinstance(answer, str):
            return answer
        if not answer.is_whole:
            return "it does not know `requests`: a mirror of packages, and no database of vulnerabilities"
    return _ask(lock, service, limit_seconds, osv_url)


def _ask(lock: Path, service: str, limit_seconds: float, osv_url: str | None) -> Answer | str:
    """Ask one database; returns why there is no answer, if there is none."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "audit.json"
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--disable-pip", "--require-hashes"]
        command += ["--vulnerability-service", service, "--format", "json", "--output", str(output)]
        command += ["--progress-spinner", "off", "--desc", "off", "--timeout", "5"]
        command += ["--osv-url", osv_url] if osv_url else []
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit_seconds)
        except subprocess.TimeoutExpired:
            return f"no answer for the whole lock within {limit_seconds:g} seconds; `make audit` waits longer"
        if not output.exists() or not output.stat().st_size:
            lines = done.stderr.strip().splitlines()
            return f"could not be asked ({lines[-1][:200] if lines else f'exit code {done.returncode}'})"
        return read_answer(output.read_text(encoding="utf-8"))


def _is_fresh(stamp: Path, digest: str) -> bool:
    try:
        known = json.loads(stamp.read_text(encoding="utf-8"))
        age_seconds = time.time() - float(known["at"])
        return bool(known["lock"] == digest and 0 <= age_seconds < FRESH_SECONDS)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _digest(lock: Path, accepted: Mapping[str, str]) -> str:
    return hashlib.sha256(lock.read_bytes() + json.dumps(sorted(accepted)).encode()).hexdigest()
