"""Every row that was sent was in the content that somebody had approved in that run, whatever was edited, cleared or answered meanwhile."""

from collections.abc import Iterator
from random import Random
from typing import TypeVar

import pytest

from findings.approving import Campaigner, Desk, Releaser
from findings.simulator_server import servers_in_process
from findings.virtual_time import KeptConnections
from findings.world import FIRST_SEED
from syrve.approvals.book import Approval, ApprovalBook, Content
from syrve.release.record import ReleaseBook
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text

D = TypeVar("D", bound=Desk)
SEEDS, BATCH, STEPS = 150, 50, 8
"""Of each kind."""


@pytest.fixture
def kept(emptied_warehouse_dsn: str) -> Iterator[Warehouse]:
    warehouse = KeptConnections(url_from_text(emptied_warehouse_dsn))
    yield warehouse
    warehouse.close()


def play(kind: type[D], first: int, warehouse: Warehouse, count: int = BATCH) -> list[D]:
    servers = servers_in_process(first)
    desks = []
    for seed in range(first, first + count):
        rng = Random(seed)
        desk = kind(seed, rng, rng.choice(servers), warehouse)
        desk.play(STEPS)
        desks.append(desk)
    return desks


@pytest.mark.parametrize("first", range(FIRST_SEED, FIRST_SEED + SEEDS, BATCH))
def test_every_credit_was_in_the_list_that_was_approved(first: int, kept: Warehouse) -> None:
    desks = play(Campaigner, first, kept)

    assert [problem for desk in desks for problem in desk.problems] == []
    assert sum(desk.moved for desk in desks) > BATCH / 2, "these seeds send something"
    for desk in desks:
        for guest in desk.guests:
            credited = list(desk.server.control.transactions(customer_id=guest.customer_id))
            assert len(credited) <= 1, f"seed {desk.seed}: one campaign credits a guest once"


@pytest.mark.parametrize("first", range(FIRST_SEED, FIRST_SEED + SEEDS, BATCH))
def test_every_hold_that_was_cancelled_was_chosen_as_shown(first: int, kept: Warehouse) -> None:
    desks = play(Releaser, first, kept)

    assert [problem for desk in desks for problem in desk.problems] == []
    assert sum(desk.moved for desk in desks) > BATCH / 5, "these seeds cancel something"


def test_campaigner_notices_a_sender_that_asks_nobody(kept: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    def believed(self: ApprovalBook, cursor: object, content: Content) -> Approval:
        return Approval("", content, "", None, "approved", None)

    monkeypatch.setattr(ApprovalBook, "require", believed)

    desks = play(Campaigner, 0, kept, 10)

    assert "nobody approved this row in this run" in "\n".join(problem for desk in desks for problem in desk.problems)


def test_releaser_notices_a_release_that_does_not_look_again(kept: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ReleaseBook, "changed", lambda self, release_id: (None, False, "confirmed"))

    desks = play(Releaser, 0, kept, 20)

    assert "something had become known" in "\n".join(problem for desk in desks for problem in desk.problems)
