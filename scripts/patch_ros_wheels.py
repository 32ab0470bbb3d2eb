"""Point the CMake files of the ROS 2 wheels at this machine's Python and numpy headers.

The wheels export the include paths of the machine that built them, such as
``/opt/python/cp311-cp311/include/python3.11``. Run it with the environment's own Python after every
change of its packages; a second run changes nothing.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

import numpy

BUILD_MACHINE_HEADERS = (
    (
        re.compile(r"/opt/python/cp\d+-cp\d+/lib/python3\.\d+/site-packages/numpy/_?core/include"),
        numpy.get_include(),
    ),
    (
        re.compile(r"/opt/python/cp\d+-cp\d+/include/python3\.\d+"),
        sysconfig.get_paths()["include"],
    ),
)


def patch(prefix: Path) -> int:
    """Rewrite the header paths under ``prefix/share/*/cmake`` and return how many files changed."""
    changed = 0
    for path in sorted(prefix.glob("share/*/cmake/*.cmake")):
        text = original = path.read_text(encoding="utf-8")
        for pattern, header in BUILD_MACHINE_HEADERS:
            text = pattern.sub(lambda _, header=header: header, text)
        if text != original:
            path.write_text(text, encoding="utf-8")
            changed += 1
    return changed


if __name__ == "__main__":
    sys.stderr.write(f"patched {patch(Path(sys.prefix))} CMake files of the ROS 2 wheels\n")
