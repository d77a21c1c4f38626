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
    """Make what is missing or has changed; returns image by variable of `.env`. One named in the environment is taken as it is."""
    given = {variable: os.environ[variable] for variable in BASES | OWN if os.environ.get(variable)}
    bases = {variable: given.get(variable) or _stand_in(name) for variable, name in BASES.items()}
    own = {variable: given.get(variable) or _build(*names, bases) for variable, names in OWN.items()}
    return bases | own


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


def build_arguments(service: str, python_image: str) -> dict[str, str]:
    """Return the value of each argument that docker-compose.yml builds a service's image with; raises KeyError for one without."""
    known = {"EXTRAS": EXTRAS, "PYTHON_IMAGE": python_image}
    return {name: known[name] for name in StackFiles.read().services[service]["build"]["args"]}


def _build(service: str, name: str, bases: dict[str, str]) -> str:
    """Build a service's image as docker-compose.yml describes it; `BUILD_FLAGS` are further flags, such as volumes for pip."""
    build = StackFiles.read().services[service]["build"]
    values = build_arguments(service, bases["PYTHON_IMAGE"])
    arguments = [part for key, value in values.items() for part in ("--build-arg", f"{key}={value}")]
    # Only here: certificates that are mounted for pip would keep a stand-in from installing its own.
    more = shlex.split(os.environ.get("BUILD_FLAGS", ""))
    image = f"localhost/{name}"
    _buildah(image, *more, *arguments, "--target", build["target"], str(ROOT / build["context"]))
    return image


def _buildah(image: str, *arguments: str) -> None:
    """Build an image; layers that did not change are kept from the last time."""
    print(f"images: {image} ...", flush=True)
    flags = ["--quiet", "--layers", "--isolation", "chroot", "--format", "docker"]
    run("buildah", "bud", *flags, "--tag", image, *arguments, timeout_seconds=40 * MINUTE)
