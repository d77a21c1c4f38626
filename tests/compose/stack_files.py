"""The files of the production-like stack as one value, so that a rule can be asked of them and of a spoilt copy."""

import io
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import yaml
from dockerfile_parse import DockerfileParser
from dotenv import dotenv_values

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class StackFiles:
    """What `docker compose up` reads; `root` holds everything that an image is built from."""

    compose_text: str
    env_text: str
    dockerfile_text: str
    dockerignore_text: str
    root: Path = ROOT

    @classmethod
    def read(cls, root: Path = ROOT) -> Self:
        """Read the repository's own."""
        return cls(
            compose_text=(root / "docker-compose.yml").read_text(encoding="utf-8"),
            env_text=(root / ".env.example").read_text(encoding="utf-8"),
            dockerfile_text=(root / "Dockerfile").read_text(encoding="utf-8"),
            dockerignore_text=(root / ".dockerignore").read_text(encoding="utf-8"),
            root=root,
        )

    def spoilt(self, field: str, old: str, new: str) -> Self:
        """A copy with the first `old` replaced; fails when there is none, or the spoilt text would be the same."""
        text = getattr(self, field)
        assert old in text, f"{field} has no {old!r} to spoil"
        return replace(self, **{field: text.replace(old, new, 1)})

    @cached_property
    def compose(self) -> dict[str, Any]:
        """The file as YAML reads it: anchors merged, variables not replaced."""
        document: dict[str, Any] = yaml.safe_load(self.compose_text)
        return document

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        """Services by name."""
        services: dict[str, dict[str, Any]] = self.compose["services"]
        return services

    @cached_property
    def example(self) -> dict[str, str]:
        """Variables of `.env.example` with the values shown there."""
        return {name: value or "" for name, value in dotenv_values(stream=io.StringIO(self.env_text)).items()}

    @cached_property
    def instructions(self) -> list[dict[str, Any]]:
        """Instructions of the Dockerfile, in order, each with `instruction` and `value`."""
        parser = DockerfileParser(fileobj=io.BytesIO(self.dockerfile_text.encode()))
        return [step for step in parser.structure if step["instruction"] != "COMMENT"]
