"""The header paths of the ROS wheels' CMake files are replaced, once and completely."""

from __future__ import annotations

import importlib.util
import sysconfig
from pathlib import Path

import numpy

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "patch_ros_wheels.py"
spec = importlib.util.spec_from_file_location("patch_ros_wheels", SCRIPT)
patch_ros_wheels = importlib.util.module_from_spec(spec)
spec.loader.exec_module(patch_ros_wheels)

WHEEL = (
    'set(INCLUDES "/opt/python/cp312-cp312/include/python3.12;'
    '/opt/python/cp312-cp312/lib/python3.12/site-packages/numpy/_core/include;/usr/include")'
)


def test_headers_are_of_this_machine(tmp_path):
    folder = tmp_path / "share" / "std_msgs" / "cmake"
    folder.mkdir(parents=True)
    (folder / "export.cmake").write_text(WHEEL)
    (folder / "other.cmake").write_text("# nothing to do")
    assert patch_ros_wheels.patch(tmp_path) == 1
    include = sysconfig.get_paths()["include"]
    expected = f'set(INCLUDES "{include};{numpy.get_include()};/usr/include")'
    assert (folder / "export.cmake").read_text() == expected
    assert patch_ros_wheels.patch(tmp_path) == 0
