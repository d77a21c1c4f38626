"""What stacks are for, and what follows from it."""

from dataclasses import dataclass

from devstack.environments import AirflowOptions

USUAL_API_PORT = 8080


@dataclass(frozen=True)
class Purpose:
    """What a stack is for, and what follows from it."""

    name: str
    components: tuple[str, ...]
    airflow: AirflowOptions
    durable: bool = True
    fresh_warehouse: bool = False
    uses_own_connections: bool = True
    shows_live_service: bool = False
    """Whether a second simulator speaks as the live service does, beside the one of the reference document."""
    preferred_port: int | None = None
    stop_grace_seconds: float = 10.0


_TASK_RUNNERS = ("api-server", "scheduler", "dag-processor")
_EAGER = AirflowOptions(idle_sleep_seconds=0.1, follow_schedules=False)
_PATIENT = AirflowOptions(idle_sleep_seconds=0.5, follow_schedules=True)

DEMO = Purpose(
    "demo",
    _TASK_RUNNERS,
    _EAGER,
    durable=False,
    fresh_warehouse=True,
    uses_own_connections=False,
    shows_live_service=True,
    stop_grace_seconds=3.0,
)
RUN = Purpose("run", _TASK_RUNNERS, _EAGER)
UP = Purpose("up", (*_TASK_RUNNERS, "triggerer"), _PATIENT, preferred_port=USUAL_API_PORT)
