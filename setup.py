"""The ROS 2 package universal_memory (ament_python)."""

from __future__ import annotations

from pathlib import Path

from setuptools import find_packages, setup

NAME = "universal_memory"
NODES = ("camera_ingest", "audio_ingest", "tool_ingest", "memory_compiler", "memory_server")


def share(folder: str) -> list[tuple[str, list[str]]]:
    """Return the data_files entries that install ``folder``, with its subfolders, to the share."""
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    parents = sorted({path.parent for path in files if "__pycache__" not in path.parts})
    return [
        (f"share/{NAME}/{parent}", [str(path) for path in files if path.parent == parent])
        for parent in parents
    ]


setup(
    name=NAME,
    version="0.1.0",
    description="A memory for robots: experience compiled once into files that any model can run",
    license="Apache-2.0",
    maintainer="Universal Memory maintainers",
    maintainer_email="maintainers@universal-memory.dev",
    python_requires=">=3.10,<3.13",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={"": ["py.typed", "*.txt", "*.tsv", "*.json"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        *share("launch"),
        *share("config"),
        *share("models"),
    ],
    install_requires=["setuptools"],
    zip_safe=False,
    entry_points={
        "console_scripts": [
            *(f"{node} = {NAME}.nodes.{node}:main" for node in NODES),
            f"ump = {NAME}.cli:main",
        ]
    },
)
