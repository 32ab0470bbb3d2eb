"""`ump replay`: publish a recorded bag with `/clock`, where `ros2 bag` is not at hand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from universal_memory.commands.robot import ros_at_hand
from universal_memory.runtime.recording import Recording

app = typer.Typer(add_completion=False)


@app.command()
def replay(
    bag: Annotated[Path, typer.Argument(help="Folder of the rosbag2 recording.")],
    rate: Annotated[float, typer.Option(min=0.01, max=100.0, help="Speed of the replay.")] = 1.0,
    remap: Annotated[
        list[str] | None, typer.Option(help="RECORDED:=NEW topic name; may be repeated.")
    ] = None,
    wait: Annotated[
        list[str] | None,
        typer.Option(help="Start when this recorded topic has a listener; may be repeated."),
    ] = None,
    loop: Annotated[
        bool, typer.Option("--loop", help="Start over at the end: /clock jumps back.")
    ] = False,
) -> None:
    """Publish all messages of a bag at the pace they were recorded, and /clock at 100 Hz.

    Uses the environment's ROS_DOMAIN_ID. Listeners need `use_sim_time`.
    """
    with ros_at_hand("play the bag where ROS 2 is"):
        from universal_memory.nodes.player import Player

    console = Console(stderr=True)
    with Recording(bag) as recording:
        bar = Progress(
            TextColumn("{task.completed:.0f} of {task.total:.0f} s"),
            BarColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        task = bar.add_task("", total=recording.seconds)
        with Player(recording, rate, remaps(remap or [])) as player, bar:
            player.wait_for(wait or [])
            while True:
                late = player.play(lambda at: bar.update(task, completed=at))
                if not loop:
                    break
        console.print(
            f"{recording.name}: {recording.seconds:.1f} s at {rate:g}x, worst lateness "
            f"{late * 1000:.0f} ms"
        )


def remaps(entries: list[str]) -> dict[str, str]:
    """Recorded name → new name. Raises typer.BadParameter."""
    pairs = {}
    for entry in entries:
        old, separator, new = entry.partition(":=")
        if not (separator and old and new):
            raise typer.BadParameter(f"{entry!r} is not RECORDED:=NEW, for example /cam:=/image")
        pairs[old] = new
    return pairs
