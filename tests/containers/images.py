"""Images for the stack: stand-ins for those of a registry, made from Debian's packages, and the product's own."""

import os
import shlex
import tempfile
from pathlib import Path

from compose.stack_files import ROOT, StackFiles
from containers.podman import MINUTE, podman, run

STAND_INS = Path(__file__).parent / "stand-ins"
DEBIAN = "localhost/syrve-stand-in-debian"
BASES = {"PYTHON_IMAGE": "python", "POSTGRES_IMAGE": "postgres", "REDIS_IMAGE": "redis"}
OWN = {"SYRVE_IMAGE": ("worker", "syrve-test-runtime"), "SYRVE_SIMULATOR_IMAGE": ("simulator", "syrve-test-simulator")}
EXTRAS = "all"


def all_images() -> dict[str, str]:
    """Make what is missing or has changed; returns image by variable of `.env`. A base named in the environment is taken as it is."""
    bases = {variable: os.environ.get(variable) or _stand_in(name) for variable, name in BASES.items()}
    return bases | {variable: _build(service, name, bases) for variable, (service, name) in OWN.items()}


def _stand_in(name: str) -> str:
    if not podman("images", "--quiet", DEBIAN).strip():
        _make_debian()
    folder, image = STAND_INS / name, f"localhost/syrve-stand-in-{name}"
    _buildah(image, str(folder))
    return image


def _make_debian() -> None:
    print("images: Debian ...", flush=True)
    mirror = [os.environ["DEBIAN_MIRROR"]] if os.environ.get("DEBIAN_MIRROR") else []
    with tempfile.TemporaryDirectory(prefix="syrve-debian-") as directory:
        root, archive = Path(directory) / "root", Path(directory) / "root.tar"
        run("debootstrap", "--variant=minbase", "bookworm", str(root), *mirror, timeout_seconds=20 * MINUTE)
        run("tar", "--directory", str(root), "--create", "--file", str(archive), ".")
        podman("import", "--quiet", str(archive), DEBIAN)


def _build(service: str, name: str, bases: dict[str, str]) -> str:
    """Build a service's image as docker-compose.yml describes it."""
    build = StackFiles.read().services[service]["build"]
    values = {"EXTRAS": EXTRAS, "PYTHON_IMAGE": bases["PYTHON_IMAGE"]}
    assert set(values) == set(build["args"]), "docker-compose.yml builds with other arguments than this test gives"
    arguments = [part for name, value in values.items() for part in ("--build-arg", f"{name}={value}")]
    image = f"localhost/{name}"
    _buildah(image, *arguments, "--target", build["target"], str(ROOT / build["context"]))
    return image


def _buildah(image: str, *arguments: str) -> None:
    """Build an image; layers that did not change are kept from the last time. `BUILD_FLAGS` are further flags, such as volumes for pip."""
    print(f"images: {image} ...", flush=True)
    more = shlex.split(os.environ.get("BUILD_FLAGS", ""))
    flags = ["--quiet", "--layers", "--isolation", "chroot", "--format", "docker", *more]
    run("buildah", "bud", *flags, "--tag", image, *arguments, timeout_seconds=40 * MINUTE)
