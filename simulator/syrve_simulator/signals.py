"""Sends webhooks and balance notifications: on a separate thread, repeated until they are taken, and spoilt by the fault script."""

from __future__ import annotations

import heapq
import itertools
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests

from syrve_simulator.faults import SIGNALS, AnySignalFault, DelayFault, LoseFault, ReorderFault, RepeatFault
from syrve_simulator.jsontext import encode

WEBHOOK, NOTIFICATION = SIGNALS
MOST_TRIES = 12
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
_TIMEOUT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where webhooks of an organization go, with which token, and which."""

    uri: str | None = None
    token: str | None = None
    filter: dict[str, Any] = field(default_factory=dict)

    def wants(self, name: str, status: str) -> bool:
        """Whether the filter has this kind of event in this status; a filter without a list of them wants all."""
        chosen = self.filter.get(name)
        if not isinstance(chosen, dict):
            return False
        statuses = chosen.get("orderStatuses")
        return statuses is None or status in statuses


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where balance notifications of an organization go, and the password in their body."""

    url: str
    password: str | None = None


@dataclass(frozen=True, slots=True)
class _Letter:
    url: str
    token: str | None
    body: bytes


class SignalSender:
    """What is sent and how it went; the thread begins with the first letter and ends with the process."""

    def __init__(self) -> None:
        self.webhooks: dict[int, Webhook] = {}
        self.subscriptions: dict[int, Subscription] = {}
        self.strike: Callable[[str], AnySignalFault | None] = lambda _operation: None
        """Says which fault a signal meets."""
        self.counts = dict.fromkeys(("sent", "taken", "lost", "repeated", "delayed", "given_up"), 0)
        self._waiting: list[tuple[float, int, _Letter, int]] = []
        self._number = itertools.count()
        self._held_back: _Letter | None = None
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def send_event(self, organization: int, event: dict[str, Any]) -> None:
        """Send an event to where the organization's webhooks go, if anywhere."""
        webhook = self.webhooks.get(organization, Webhook())
        if webhook.uri is not None:
            self._post(WEBHOOK, _Letter(webhook.uri, webhook.token, encode([event])))

    def send_balance(self, organization: int, notification: dict[str, Any]) -> None:
        """Send a notification to who has subscribed."""
        subscription = self.subscriptions.get(organization)
        if subscription is not None:
            body = encode(notification | {"subscriptionPassword": subscription.password})
            self._post(NOTIFICATION, _Letter(subscription.url, None, body))

    @property
    def waiting(self) -> int:
        """How many letters are still to be sent, the one under way included."""
        with self._changed:
            return len(self._waiting) + self.counts["sent"] - self.counts["taken"] - self.counts["given_up"]

    def _post(self, operation: str, letter: _Letter) -> None:
        fault = self.strike(operation)
        with self._changed:
            now = time.monotonic()
            if isinstance(fault, LoseFault):
                self.counts["lost"] += 1
                return
            if isinstance(fault, ReorderFault) and self._held_back is None:
                self._held_back = letter
                return
            delay = fault.delay_seconds if isinstance(fault, DelayFault) else 0.0
            self.counts["delayed"] += isinstance(fault, DelayFault)
            self._queue(now + delay, letter)
            if isinstance(fault, RepeatFault):
                self.counts["repeated"] += fault.times
                for _ in range(fault.times):
                    self._queue(now + delay, letter)
            if self._held_back is not None:
                self._queue(now + delay, self._held_back)
                self._held_back = None
            self._changed.notify()
        self._begin()

    def _queue(self, at: float, letter: _Letter, tries: int = 0) -> None:
        heapq.heappush(self._waiting, (at, next(self._number), letter, tries))

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="signals", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        session = requests.Session()
        session.trust_env = False  # a proxy has no business between this process and loopback
        session.verify = os.environ.get("SSL_CERT_FILE") or True
        while True:
            with self._changed:
                while not self._waiting or self._waiting[0][0] > time.monotonic():
                    left = self._waiting[0][0] - time.monotonic() if self._waiting else None
                    self._changed.wait(left)
                _, _, letter, tries = heapq.heappop(self._waiting)
                self.counts["sent"] += 1
            is_taken = _is_taken(session, letter)
            with self._changed:
                if is_taken or tries + 1 >= MOST_TRIES:
                    self.counts["taken" if is_taken else "given_up"] += 1
                    continue
                self.counts["sent"] -= 1
                pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**tries)
                self._queue(time.monotonic() + pause, letter, tries + 1)


def _is_taken(session: requests.Session, letter: _Letter) -> bool:
    headers = {"Content-Type": "application/json"}
    if letter.token:
        headers["Authorization"] = letter.token
    try:
        answer = session.post(letter.url, data=letter.body, headers=headers, timeout=_TIMEOUT_SECONDS)
    except requests.RequestException:
        return False
    return answer.ok
