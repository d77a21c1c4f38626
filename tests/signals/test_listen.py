"""A task that follows signals: what fails for one organization keeps no other one waiting."""

from syrve.errors import SyrveProviderError
from syrve.signals.listen import Listener
from syrve.signals.work import Worked


class Work:
    """Two organizations with customers due, as long as they are not pulled."""

    def __init__(self) -> None:
        self.due = ["bad", "good"]
        self.evaluated = 0

    def take(self, *, at_most_batches: int) -> Worked:
        return Worked(taken=at_most_batches)

    def is_full(self, done: Worked) -> bool:
        return False

    def organizations_due(self, account: str) -> list[str]:
        return list(self.due)

    def evaluate(self) -> Worked:
        self.evaluated += 1
        return Worked()


def test_one_organization_that_fails_keeps_no_other_waiting() -> None:
    work, pulled, now = Work(), [], [0.0]
    error = SyrveProviderError("no answer")

    def pull(organization_id: str) -> None:
        pulled.append(organization_id)
        if organization_id == "bad":
            raise error
        work.due.remove(organization_id)

    def sleep(seconds: float) -> None:
        now[0] += seconds

    listener = Listener(work, pull, account="a", clock=lambda: now[0], sleep=sleep)  # type: ignore[arg-type]
    done = listener.listen(3)

    assert pulled == ["bad", "good"], "who failed is not asked again in this run"
    assert listener.problems == {"bad": error}
    assert (done.taken, work.evaluated) == (3, 3)
