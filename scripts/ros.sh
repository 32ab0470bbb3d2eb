# Which ROS 2 this machine uses. Sets ros_prefix: the apt installation, or empty for the wheels.
# Sourced by setup.sh and environment.sh.

ros_prefix=
for distribution in jazzy kilted; do
    if [ -f "${ROS_ROOT_DIRECTORY:-/opt/ros}/$distribution/setup.bash" ]; then
        ros_prefix="${ROS_ROOT_DIRECTORY:-/opt/ros}/$distribution"
    fi
done
