"""
Replay a bag into the memory of a robot: robot.launch.py on the bag's time, then `ros2 bag play`.

    ros2 launch universal_memory replay.launch.py bag:=household_day rate:=4.0

The player starts `delay` seconds after the compiler is active: by then the ingest nodes, which have
no state to wait for, have loaded their networks, and nothing of the bag is missed. The defaults are
those of the household day; the arguments of robot.launch.py are valid here too.
"""

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    RegisterEventHandler,
)
from launch.event import Event
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import StateTransition
from launch_ros.substitutions import FindPackageShare

from universal_memory.node_table import REPLAY_PARAMETERS_FILE

PACKAGE = "universal_memory"
# Of the household day, see sim/bag.py. The pictures are on image_topic/compressed.
TOPICS = {
    "image_topic": "/camera/front/image",
    "pose_topic": "/camera/front/pose",
    "audio_topic": "/microphone/audio",
    "tool_calls_topic": "/tool_calls",
}


def compiler_is_active(event: Event) -> bool:
    """Return whether ``event`` says that the memory compiler listens now."""
    return (
        isinstance(event, StateTransition)
        and event.action.node_name.endswith("memory_compiler")
        and event.goal_state == "active"
    )


def generate_launch_description() -> LaunchDescription:
    """Return what ``ros2 launch`` runs."""
    share = FindPackageShare(PACKAGE)
    arguments = [
        DeclareLaunchArgument("bag", description="Folder or file of the rosbag2 recording."),
        DeclareLaunchArgument("rate", default_value="1.0", description="Speed of the replay."),
        DeclareLaunchArgument(
            "delay", default_value="10.0", description="Time before the replay [s, wall time]."
        ),
        DeclareLaunchArgument(
            "params_file",
            default_value=PathJoinSubstitution([share, "config", REPLAY_PARAMETERS_FILE]),
            description="Parameters of the nodes (YAML).",
        ),
        *(
            DeclareLaunchArgument(name, default_value=topic, description="Topic in the bag.")
            for name, topic in TOPICS.items()
        ),
    ]
    robot = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(PathJoinSubstitution([share, "launch", "robot.launch.py"])),
        launch_arguments={"use_sim_time": "true"}.items(),
    )
    player = ExecuteProcess(
        cmd=[
            *("ros2", "bag", "play", LaunchConfiguration("bag")),
            *("--clock", "100", "--rate", LaunchConfiguration("rate")),
            *("--delay", LaunchConfiguration("delay")),
        ],
        output="screen",
    )
    start_player = RegisterEventHandler(
        OnStateTransition(matcher=compiler_is_active, entities=[player])
    )
    return LaunchDescription([*arguments, start_player, robot])
