#!/usr/bin/env bash
# Make everything the project needs inside the checkout: .venv (Python packages, and ROS 2 from
# wheels unless apt's is there) and ros_ws/install (interfaces and package, built with colcon).
# Does only what is missing or outdated; says nothing if nothing is. Undo: make clean.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
root=$PWD
log=$root/build/setup.log
. scripts/ros.sh
. scripts/progress.sh

fail() { # REASON [REMEDY]
    printf 'set-up failed: %s\n' "$1" >&2
    [ $# -lt 2 ] || printf 'Remedy: %s\n' "$2" >&2
    exit 1
}

# ---- what is up to date: one stamp per stage, holding the hash of all that the stage depends on

packages_hash() {
    { echo "$root $ros_prefix"; cat constraints.txt requirements*.txt; } | sha256sum
}

interfaces_hash() {
    {
        packages_hash
        cat msg/*.msg srv/*.srv ros_ws/src/universal_memory_msgs/{package.xml,CMakeLists.txt}
    } | sha256sum
}

package_hash() { # what is in the linked files does not matter, only that they are there
    {
        interfaces_hash
        find launch config resource -type f -not -name '*.pyc' | sort
        cat package.xml setup.py setup.cfg
    } | sha256sum
}

packages_stamp=.venv/.packages
interfaces_stamp=ros_ws/install/.interfaces
package_stamp=ros_ws/install/.package
is_current() { # STAMP HASH
    [ -x .venv/bin/python ] && [ "$(cat "$1" 2>/dev/null)" = "$2" ]
}

packages_now=$(packages_hash)
interfaces_now=$(interfaces_hash)
package_now=$(package_hash)
# Each hash contains the one before it.
is_current "$package_stamp" "$package_now" && exit 0

# ---- Python and compilers

# A pyenv shim or a half-removed interpreter may be on the PATH without running.
python_runs() {
    "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2>/dev/null
}

python_builds() {
    "$1" -c 'import ensurepip, os, sys, sysconfig, venv
sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))' 2>/dev/null
}

find_python() { # TEST... : first interpreter that passes all tests; apt's ROS binds its own Python
    local candidate test candidates="python3.11 python3.12 python3.10 python3"
    [ -z "$ros_prefix" ] || candidates=/usr/bin/python3
    for candidate in ${PYTHON:-$candidates}; do
        for test in "$@"; do
            "$test" "$candidate" || continue 2
        done
        command -v "$candidate"
        return
    done
    return 1
}

install_with_apt() {
    local sudo=""
    [ "$(id -u)" -eq 0 ] || sudo="sudo -n"
    export DEBIAN_FRONTEND=noninteractive
    $sudo apt-get update && $sudo apt-get install -y --no-install-recommends "$@"
}

require_tools() {
    local missing=() version
    command -v gcc >/dev/null || missing+=(gcc)
    command -v g++ >/dev/null || missing+=(g++)
    command -v cmake >/dev/null || missing+=(cmake)
    command -v make >/dev/null || missing+=(make)
    if ! find_python python_runs python_builds >/dev/null; then
        if python=$(find_python python_runs); then
            version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
            missing+=("$version-venv" "$version-dev")
        else
            fail "no Python 3.10, 3.11 or 3.12 that runs (tried ${PYTHON:-python3.11 python3.12 python3.10 python3})." \
                "apt install python3 python3-venv python3-dev, or make PYTHON=/path/to/python3.11"
        fi
    fi
    [ ${#missing[@]} -eq 0 ] && return
    if command -v apt-get >/dev/null && { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }; then
        steps=$((steps + 1))
        step "apt install ${missing[*]}" install_with_apt "${missing[@]}"
    else
        fail "missing on this machine: ${missing[*]}" "sudo apt install ${missing[*]}"
    fi
}

# ---- Python packages

pip_install() {
    .venv/bin/python -m pip install --no-input --progress-bar off --disable-pip-version-check "$@"
}

# `step` tests the exit code, which switches off `set -e` in what it runs: hence the && chains.

make_venv() {
    local kind
    kind="$root: $("$python" --version), ROS ${ros_prefix:-wheels}"
    if [ "$(cat .venv/.kind 2>/dev/null)" != "$kind" ]; then
        rm -rf .venv &&
            "$python" -m venv ${ros_prefix:+--system-site-packages} .venv &&
            touch .venv/COLCON_IGNORE &&
            echo "$kind" >.venv/.kind
    fi
}

# Without a GPU the CPU build saves gigabytes, where the configured package index offers it.
install_torch() {
    if ! command -v nvidia-smi >/dev/null && pip_install -c "$constraints" torch==2.13.0+cpu; then
        return
    fi
    pip_install -c "$constraints" torch==2.13.0
}

ros_python() { # apt's Python with apt's ROS, not ours; its setup files read unset variables
    (set +u && . "$ros_prefix/setup.bash" && exec /usr/bin/python3 "$@")
}

# apt's ROS is compiled against the distribution's numpy: keep that, and what must fit to it loose.
constraints_for_apt_ros() {
    local numpy
    numpy=$(ros_python -c 'import numpy; print(numpy.__version__)') ||
        fail "apt's ROS 2 has no numpy" "sudo apt install python3-numpy"
    grep -vE '^(numpy|opencv-python-headless|scipy|shapely|setuptools|packaging|pyyaml)==' constraints.txt
    echo "numpy==$numpy"
}

install_packages() {
    pip_install -c "$constraints" "$@" &&
        pip_install --no-deps -r requirements-models.txt
}

# ---- ROS workspace

require_ros_packages() {
    local name missing=()
    for name in rclpy message_filters launch_ros diagnostic_msgs lifecycle_msgs \
        rosidl_default_generators ament_cmake; do
        [ -d "$ros_prefix/share/$name" ] || missing+=("ros-$(basename "$ros_prefix")-${name//_/-}")
    done
    ros_python -c 'import colcon_core' 2>/dev/null || missing+=(python3-colcon-common-extensions)
    [ ${#missing[@]} -eq 0 ] ||
        fail "ROS 2 at $ros_prefix lacks packages." "sudo apt install ${missing[*]}"
}

colcon_build() {
    (
        set +u # ROS's setup files read unset variables
        . scripts/environment.sh
        if [ -z "$ros_prefix" ]; then
            export AMENT_PREFIX_PATH=$VIRTUAL_ENV CMAKE_PREFIX_PATH=$VIRTUAL_ENV
        fi
        # colcon's own -l would wait for an idle machine.
        export MAKEFLAGS="-j$(nproc)"
        cd ros_ws && python -m colcon build --symlink-install --base-paths src \
            --packages-select "$@" --cmake-args -DBUILD_TESTING=OFF
    )
}

# An old build may be of another layout, Python or folder than this one: then begin anew.
build_interfaces() {
    colcon_build universal_memory_msgs ||
        { rm -rf ros_ws/{build,install,log} && colcon_build universal_memory_msgs; }
}

mkdir -p build
exec 9>build/setup.lock
if ! flock -n 9; then
    echo "waiting for another set-up of this checkout to end ..." >&2
    flock 9
    is_current "$package_stamp" "$package_now" && exit 0
fi

: >"$log"
steps=1
requirements=(-r requirements.txt -r requirements-development.txt)
if [ -n "$ros_prefix" ]; then
    require_ros_packages
    constraints=build/constraints.txt
    label="ROS 2 from $ros_prefix"
    packages="Python packages that ROS lacks"
else
    constraints=constraints.txt
    requirements+=(-r requirements-ros.txt)
    label="ROS 2 Kilted from wheels"
    packages="Python packages, ROS 2 among them"
fi
is_current "$packages_stamp" "$packages_now" || steps=$((steps + 3))
is_current "$interfaces_stamp" "$interfaces_now" || steps=$((steps + 1))
require_tools
python=$(find_python python_runs python_builds) || fail "no usable Python after apt install; see $log"
echo "Setting up with $("$python" --version), $label. Details: build/setup.log" >&2

if ! is_current "$packages_stamp" "$packages_now"; then
    step "create the Python environment .venv" make_venv
    [ -z "$ros_prefix" ] || constraints_for_apt_ros >"$constraints"
    step "install PyTorch 2.13.0" install_torch
    step "install $packages" install_packages "${requirements[@]}"
    echo "$packages_now" >"$packages_stamp"
fi
if ! is_current "$interfaces_stamp" "$interfaces_now"; then
    [ -n "$ros_prefix" ] || .venv/bin/python scripts/patch_ros_wheels.py >>"$log" 2>&1
    step "build the ROS interfaces with colcon" build_interfaces
    echo "$interfaces_now" >"$interfaces_stamp"
fi
step "build the ROS package with colcon" colcon_build universal_memory
echo "$package_now" >"$package_stamp"
