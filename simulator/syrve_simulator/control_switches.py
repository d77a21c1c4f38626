"""The switches on the control path: those of access and of every call, and those of the open questions (`behaviour`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from syrve_simulator.application import Simulator
from syrve_simulator.behaviour import Behaviour
from syrve_simulator.control_refusals import all_known
from syrve_simulator.http_message import Request

_BEHAVIOUR_NAMES = frozenset(Behaviour.__struct_fields__)


class _Access(msgspec.Struct, forbid_unknown_fields=True):
    removed_rights: list[str]
    organizations_without_loyalty: list[str]
    token_lifetime_seconds: Annotated[float, msgspec.Meta(gt=0)]
    new_token_voids_former: bool
    latency_ms: Annotated[float, msgspec.Meta(ge=0, le=60_000)]


class SwitchPaths:
    """Shows and turns the switches of one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def show(self, _request: Request, _arguments: Mapping[str, str]) -> object:
        """Return every switch as it stands."""
        return msgspec.structs.asdict(self._access()) | msgspec.structs.asdict(self._simulator.service.behaviour)

    def change(self, request: Request, arguments: Mapping[str, str]) -> object:
        """Change the switches that are given, all of them or none."""
        given = msgspec.json.decode(request.body, type=dict[str, Any])
        of_behaviour = {name: value for name, value in given.items() if name in _BEHAVIOUR_NAMES}
        of_access = {name: value for name, value in given.items() if name not in _BEHAVIOUR_NAMES}
        access = msgspec.convert(msgspec.structs.asdict(self._access()) | of_access, _Access)
        behaviour = self._simulator.service.behaviour.changed(of_behaviour)
        self._put(access, behaviour)
        return self.show(request, arguments)

    def reset(self, request: Request, arguments: Mapping[str, str]) -> object:
        """Put every switch back to where it stood at the start."""
        settings = self._simulator.settings
        self._put(_Access([], [], settings.token_lifetime_seconds, False, settings.latency_ms), Behaviour())
        return self.show(request, arguments)

    def _access(self) -> _Access:
        service = self._simulator.service
        return _Access(
            removed_rights=sorted(service.access.removed_rights),
            organizations_without_loyalty=sorted(service.without_loyalty),
            token_lifetime_seconds=service.access.token_lifetime_seconds,
            new_token_voids_former=service.access.new_token_voids_former,
            latency_ms=self._simulator.latency_ms,
        )

    def _put(self, access: _Access, behaviour: Behaviour) -> None:
        service = self._simulator.service
        all_known("removed_rights", access.removed_rights, self._simulator.operations)
        all_known("organizations_without_loyalty", access.organizations_without_loyalty, service.world.organizations)
        service.access.removed_rights = frozenset(access.removed_rights)
        service.without_loyalty = frozenset(access.organizations_without_loyalty)
        service.access.token_lifetime_seconds = access.token_lifetime_seconds
        service.access.new_token_voids_former = access.new_token_voids_former
        self._simulator.latency_ms = access.latency_ms
        service.behaviour.become(behaviour)
        service.world.forget_answers()
