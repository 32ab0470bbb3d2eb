# The shell environment of the project: ROS 2, the Python environment, the built workspace.
# Source it with bash, from any folder, after scripts/setup.sh has run:   . scripts/environment.sh

_root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

# The ROS wheels set this when they have set the library path for one process tree. Leaked from
# another environment it would keep them from doing it in this one.
unset _ROS_WHEELS_BOOTSTRAP_COMPLETE PYTHONHOME

. "$_root/scripts/ros.sh"
if [ -n "$ros_prefix" ]; then
    . "$ros_prefix/setup.bash"
fi

export VIRTUAL_ENV="$_root/.venv"
export PATH="$VIRTUAL_ENV/bin:$PATH"
if [ -f "$_root/ros_ws/install/local_setup.bash" ]; then
    . "$_root/ros_ws/install/local_setup.bash"
fi
# The checkout comes before the built workspace: an edit counts at once.
export PYTHONPATH="$_root${PYTHONPATH:+:$PYTHONPATH}"
unset _root
