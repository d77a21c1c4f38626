"""Rules that the Dockerfile and .dockerignore must keep, and that the compose file must keep towards them."""

import json
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from pathspec import GitIgnoreSpec

from compose.stack_files import StackFiles

Problems = list[str]


@dataclass
class Stage:
    """One FROM of the Dockerfile: `base` is an image, or another stage's name."""

    name: str
    base: str
    instructions: list[dict[str, Any]] = field(default_factory=list)


def stages(files: StackFiles) -> dict[str, Stage]:
    """Stages by name, in order."""
    found: dict[str, Stage] = {}
    current: Stage | None = None
    for step in files.instructions:
        if step["instruction"] == "FROM":
            base, _, name = step["value"].partition(" AS ")
            current = Stage(name or str(len(found)), base)
            found[current.name] = current
        elif current is not None:
            current.instructions.append(step)
    return found


def lineage(files: StackFiles, target: str) -> list[Stage]:
    """The stage and those it is built upon, the first one last."""
    known, chain = stages(files), [stages(files)[target]]
    while chain[-1].base in known:
        chain.append(known[chain[-1].base])
    return chain


def last_value(files: StackFiles, target: str, instruction: str) -> str | None:
    """What `instruction` is in the finished stage, inherited or its own."""
    for stage in lineage(files, target):
        for step in reversed(stage.instructions):
            if step["instruction"] == instruction:
                return str(step["value"])
    return None


def check_targets(files: StackFiles) -> Problems:
    """Every target and build argument that the compose file names is in the Dockerfile, and the default target is the runtime."""
    known, arguments = (
        stages(files),
        {s["value"].split("=")[0] for s in files.instructions if s["instruction"] == "ARG"},
    )
    problems: Problems = []
    for name, definition in files.services.items():
        build = definition.get("build") or {}
        if build and build.get("target") not in known:
            problems.append(f"{name}: the Dockerfile has no stage {build.get('target')}")
        problems += [
            f"{name}: the Dockerfile has no ARG {argument}"
            for argument in build.get("args", {})
            if argument not in arguments
        ]
    if list(known)[-1] != "runtime":
        problems.append("a build without a target makes something else than the runtime")
    return problems


def _copies(stage: Stage) -> list[tuple[str | None, list[str], str]]:
    copies = []
    for step in stage.instructions:
        if step["instruction"] in ("COPY", "ADD"):
            words = step["value"].split()
            options = [word for word in words if word.startswith("--")]
            *sources, destination = [word for word in words if not word.startswith("--")]
            origin = next((option.partition("=")[2] for option in options if option.startswith("--from=")), None)
            copies.append((origin, sources, destination))
    return copies


def _ignored(files: StackFiles, path: str) -> bool:
    # Docker anchors every pattern at the root of the context, and the last one that matches decides; Git's dialect says the
    # same with a leading slash. `**/` patterns match at any depth in both.
    lines = [line.strip() for line in files.dockerignore_text.splitlines()]
    patterns = [line for line in lines if line and not line.startswith("#")]
    anchored = [re.sub(r"^(!?)(?!\*\*/)/?", r"\1/", pattern) for pattern in patterns]
    return GitIgnoreSpec.from_lines(anchored).match_file(path)


def check_copies(files: StackFiles) -> Problems:
    """Everything that is copied exists and reaches the build; what comes from a stage comes from one that exists."""
    problems: Problems = []
    for stage in stages(files).values():
        for origin, sources, _ in _copies(stage):
            if origin is not None:
                if origin not in stages(files):
                    problems.append(f"{stage.name} copies from {origin}, which is no stage")
                continue
            for source in sources:
                matches = [str(match.relative_to(files.root)) for match in files.root.glob(source.rstrip("/"))]
                if not matches:
                    problems.append(f"{stage.name} copies {source}, which does not exist")
                problems += [
                    f"{stage.name} copies {match}, which .dockerignore hides"
                    for match in matches
                    if _ignored(files, match)
                ]
    return problems


def check_context_holds_no_secrets(files: StackFiles) -> Problems:
    """Files that hold secrets or the work of a person never reach a build."""
    hidden = (
        ".env",
        ".git/config",
        ".venv/bin/python",
        ".stack/up/secrets.json",
        "plugins/syrve/__pycache__/x.txt",
        "plugins/syrve/stray.pyc",
        "id_rsa",
    )
    return [f"{path} would reach the build" for path in hidden if not _ignored(files, path)]


def check_scripts_are_in_the_image(files: StackFiles) -> Problems:
    """Every script that a command or a health check runs is copied into the stage that the service is built from."""
    problems: Problems = []
    for name, definition in files.services.items():
        words = [*definition.get("command", []), *definition.get("healthcheck", {}).get("test", [])]
        scripts = [str(word) for word in words if str(word).endswith((".py", ".sh"))]
        if not scripts:
            continue
        target = definition["build"]["target"]
        if target not in stages(files):
            continue
        workdir = PurePosixPath(last_value(files, target, "WORKDIR") or "/")
        copied = {
            str(PurePosixPath(destination) / PurePosixPath(source).name)
            for stage in lineage(files, target)
            for origin, sources, destination in _copies(stage)
            if origin is None
            for source in sources
        }
        problems += [
            f"{name} runs {script}, which its image lacks" for script in scripts if str(workdir / script) not in copied
        ]
    return problems


def check_final_stages(files: StackFiles) -> Problems:
    """What runs is no root user with a number that Kubernetes can check, and gets its signals through an exec-form entrypoint."""
    problems: Problems = []
    for target in sorted({d["build"]["target"] for d in files.services.values() if "build" in d} & set(stages(files))):
        user = last_value(files, target, "USER") or ""
        if not re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", user):
            problems.append(f"{target} runs as {user or 'root'}")
        for instruction in ("ENTRYPOINT", "CMD"):
            value = last_value(files, target, instruction)
            if value is None or not _is_exec_form(value):
                problems.append(f"{target}: {instruction} is not in exec form")
    return problems


def _is_exec_form(value: str) -> bool:
    try:
        words = json.loads(value)
    except ValueError:
        return False
    return isinstance(words, list)


def check_no_secrets_in_the_image(files: StackFiles) -> Problems:
    """No ARG and no ENV has the name of a secret: both can be read from a finished image."""
    return [
        f"{step['instruction']} {step['value'].split()[0]} looks like a secret"
        for step in files.instructions
        if step["instruction"] in ("ARG", "ENV") and re.search(r"PASSWORD|SECRET|TOKEN|FERNET|_KEY\b", step["value"])
    ]


def check_installs_are_hashed(files: StackFiles) -> Problems:
    """Whatever pip takes from an index, it takes with a hash; only the wheel built here goes without, and without an index."""
    commands = [
        command.strip()
        for step in files.instructions
        if step["instruction"] == "RUN"
        for command in re.split(r"&&|;", step["value"])
        if re.search(r"\bpip\b.*\binstall\b", command)
    ]
    wanted = re.compile(r"--require-hashes|--no-deps --no-index")
    problems = [f"not held to the lock: {command}" for command in commands if not wanted.search(command)]
    return problems or ([] if commands else ["nothing is installed"])
