"""Peers get a virtual environment of their own: some of them change what others import."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / ".stack" / "bench"

PYIIKO = ("pyiikocloudapi==0.0.32",)
DLT = (
    "dlt[postgres]==1.31.0",
    "psycopg2-binary==2.9.13",
    "pyarrow==26.0.1",
    "adbc-driver-manager==1.13.0",
    "adbc-driver-postgresql==1.13.0",
    "orjson==3.13.0",
    "requests==2.34.2",
)
PANDAS = ("pandas==3.1.1", "sqlalchemy==2.1.9", "psycopg2-binary==2.9.13")


def python_with(packages: tuple[str, ...]) -> str:
    """Return a Python that has these packages (pinned), made on first use; the first one names its folder."""
    folder = FOLDER / packages[0].partition("==")[0].partition("[")[0]
    python = folder / "bin" / "python"
    stamp = folder / ".packages"
    if not stamp.exists() or stamp.read_text() != "\n".join(packages):
        print(f"  making the virtual environment of {packages[0]} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        subprocess.run(pip, check=True)
        stamp.write_text("\n".join(packages))
    return str(python)
