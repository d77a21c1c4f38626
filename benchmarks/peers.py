"""Peers get a virtual environment of their own: some of them change what others import."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / ".stack" / "bench"


def python_with(*packages: str) -> str:
    """Return a Python that has these packages (pinned), made on first use."""
    name = "-".join(package.partition("==")[0] for package in packages)
    folder = FOLDER / name
    python = folder / "bin" / "python"
    stamp = folder / ".packages"
    if not stamp.exists() or stamp.read_text() != "\n".join(packages):
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *packages], check=True)
        stamp.write_text("\n".join(packages))
    return str(python)
