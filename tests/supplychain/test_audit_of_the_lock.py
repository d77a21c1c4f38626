"""The audit of the lock, through pip-audit, against a server that answers as OSV does."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import time_machine

from supplychain.audit import Answer, audit, judge, read_answer

HASH = "--hash=sha256:" + "0" * 64
LOCK = f"requests==2.34.2 \\\n    {HASH}\nsimplejson==4.3.0 \\\n    {HASH}\n# end\n"
WEAKNESS = {
    "id": "GHSA-test-test-test",
    "published": "2026-01-01T00:00:00Z",
    "summary": "weak",
    "details": "weak",
    "affected": [
        {
            "package": {"name": "simplejson", "ecosystem": "PyPI", "purl": "pkg:pypi/simplejson"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "4.3.1"}]}],
        }
    ],
}


@contextmanager
def database(weak: str | None = None, status: int = 200) -> Iterator[str]:
    """A vulnerability database that knows one weak package, or answers with an error."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = {"vulns": [WEAKNESS]} if asked["package"]["name"] == weak else {}
            body = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "requirements.txt").write_text(LOCK)
    (tmp_path / "pyproject.toml").write_text("")
    return tmp_path


def test_audit_passes_when_nothing_is_known(checkout: Path) -> None:
    with database() as url:
        verdict = audit(checkout, osv_url=url, services=("osv",))

    assert not verdict.fails
    assert "no known vulnerability in 2 releases" in verdict.text


def test_audit_fails_on_a_known_vulnerability(checkout: Path) -> None:
    with database(weak="simplejson") as url:
        verdict = audit(checkout, osv_url=url, services=("osv",))

    assert verdict.fails
    assert "simplejson 4.3.0: GHSA-test-test-test, fixed in 4.3.1" in verdict.text


def test_audit_passes_an_accepted_vulnerability(checkout: Path) -> None:
    (checkout / "pyproject.toml").write_text('[tool.supplychain.accepted]\nGHSA-test-test-test = "not called"\n')
    with database(weak="simplejson") as url:
        verdict = audit(checkout, osv_url=url, services=("osv",))

    assert not verdict.fails
    assert "1 accepted" in verdict.text


@pytest.mark.parametrize("status", [500, 404])
def test_audit_says_not_done_when_the_database_fails(checkout: Path, status: int) -> None:
    with database(status=status) as url:
        verdict = audit(checkout, osv_url=url, services=("osv",))

    assert not verdict.fails
    assert "NOT DONE" in verdict.text


def test_audit_says_not_done_when_nobody_answers(checkout: Path) -> None:
    verdict = audit(checkout, osv_url="http://127.0.0.1:9/v1/query", services=("osv",))

    assert not verdict.fails
    assert "NOT DONE" in verdict.text
    assert not (checkout / ".stack").exists()


def test_releases_that_a_mirror_does_not_know_are_no_pass() -> None:
    skipped = json.dumps({"dependencies": [{"name": "requests", "skip_reason": "Dependency not found on PyPI"}]})

    answer = read_answer(skipped)

    assert not answer.is_whole
    assert not read_answer('{"dependencies": []}').is_whole
    assert judge(answer, "pypi", {}).text == "1 of 1 releases are unknown to it"


def test_clean_answer_is_kept_for_a_day_and_a_lock(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def ask(*_: object) -> Answer:
        asked.append(1)
        return Answer(2, 0, ())

    monkeypatch.setattr("supplychain.audit._ask", ask)

    with time_machine.travel("2026-11-01T00:00:00Z", tick=False) as clock:
        texts = [audit(checkout).text, audit(checkout).text]
        after_first = len(asked)
        clock.shift(25 * 3600)
        audit(checkout)
        after_a_day = len(asked)
        (checkout / "requirements.txt").write_text(LOCK + "\n")
        audit(checkout)

    assert "less than a day ago" in texts[1]
    assert (after_first, after_a_day, len(asked)) == (2, 4, 6)
