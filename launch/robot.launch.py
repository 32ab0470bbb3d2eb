"""
Start the memory of a robot: the nodes of universal_memory.node_table, lifecycle nodes activated.

    ros2 launch universal_memory robot.launch.py image_topic:=/camera/color/image_raw
    ros2 launch universal_memory robot.launch.py --show-args
"""

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.condition import Condition
from launch.conditions import IfCondition, UnlessCondition
from launch.event_handlers import OnProcessStart
from launch.events import matches_action
from launch.substitutions import (
    LaunchConfiguration,
    NotEqualsSubstitution,
    PathJoinSubstitution,
)
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare
from lifecycle_msgs.msg import Transition

from universal_memory.node_table import NODE_TABLE, PARAMETERS_FILE, NodeEntry

PACKAGE = "universal_memory"
MODEL_NODE = "memory_server"


def topic_argument(topic: str) -> str:
    """Return the name of the launch argument that remaps ``topic``."""
    return f"{topic}_topic"


def declare_arguments() -> list[DeclareLaunchArgument]:
    """Return the arguments of this launch file."""
    config = PathJoinSubstitution([FindPackageShare(PACKAGE), "config", PARAMETERS_FILE])
    general = (
        ("namespace", "", "Namespace of all nodes; relative topic names move with it."),
        ("params_file", config, "Parameters of the nodes (YAML)."),
        ("use_sim_time", "false", "Take the time from /clock: simulation, replay."),
        ("store", "", "Folder of the memory files, where the parameters name none; "
         "empty: $UMP_HOME, else the user's data folder."),
        ("model", "", "On-robot language model of memory_server: a packaged name or a folder; "
         "empty: as the parameters say."),
        ("autostart", "true", "Configure and activate the lifecycle nodes."),
        ("log_level", "info", "debug, info, warn, error or fatal."),
    )
    topics = (
        (topic_argument(topic), topic, f"Topic of {entry.executable}: {meaning}.")
        for entry in NODE_TABLE
        for topic, meaning in entry.inputs
    )
    return [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in (*general, *topics)
    ]


def entry_actions(entry: NodeEntry) -> list:
    """Return the actions that start ``entry``, whatever the arguments are."""
    if entry.executable != MODEL_NODE:
        return node_actions(entry, {})
    # An empty parameter would win over the file's: the node is started with it or without it.
    model = LaunchConfiguration("model")
    given = NotEqualsSubstitution(model, "")
    return [
        *node_actions(entry, {"model": ParameterValue(model, value_type=str)}, IfCondition(given)),
        *node_actions(entry, {}, UnlessCondition(given)),
    ]


def node_actions(entry: NodeEntry, given: dict, condition: Condition | None = None) -> list:
    """Return the actions that start ``entry`` and, for a lifecycle node, bring it up."""
    parameters = {
        "use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool),
        **given,
    }
    if entry.lifecycle:
        parameters["autostart"] = False  # this launch file brings it up
    kind = LifecycleNode if entry.lifecycle else Node
    node = kind(
        package=PACKAGE,
        executable=entry.executable,
        name=entry.executable,
        namespace=LaunchConfiguration("namespace"),
        parameters=[LaunchConfiguration("params_file"), parameters],
        remappings=[
            (topic, LaunchConfiguration(topic_argument(topic))) for topic, _ in entry.inputs
        ],
        arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
        output="screen",
        condition=condition,
    )
    return [*bring_up(node), node] if entry.lifecycle else [node]


def bring_up(node: LifecycleNode) -> list[RegisterEventHandler]:
    """Return the handlers that configure ``node`` once it runs and activate it once configured."""

    def change_state(transition: int) -> list[EmitEvent]:
        matcher = matches_action(node)
        change = ChangeState(lifecycle_node_matcher=matcher, transition_id=transition)
        return [EmitEvent(event=change)]

    started = OnProcessStart(
        target_action=node, on_start=change_state(Transition.TRANSITION_CONFIGURE)
    )
    configured = OnStateTransition(
        target_lifecycle_node=node,
        start_state="configuring",
        goal_state="inactive",
        entities=change_state(Transition.TRANSITION_ACTIVATE),
    )
    autostart = IfCondition(LaunchConfiguration("autostart"))
    return [RegisterEventHandler(handler, condition=autostart) for handler in (started, configured)]


def generate_launch_description() -> LaunchDescription:
    """Return what ``ros2 launch`` runs."""
    store = SetEnvironmentVariable(
        "UMP_HOME",
        LaunchConfiguration("store"),
        condition=IfCondition(NotEqualsSubstitution(LaunchConfiguration("store"), "")),
    )
    nodes = [action for entry in NODE_TABLE for action in entry_actions(entry)]
    return LaunchDescription([*declare_arguments(), store, *nodes])
