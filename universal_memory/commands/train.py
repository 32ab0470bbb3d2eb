"""`ump train`: the space, a renderer, its gates, router, reranker, pointer. Long runs resume."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    add_completion=False,
    help="Train the space, a renderer, its gates, router, reranker, pointer or supersession.",
)


def _usable(device: str) -> str:
    import torch

    if device != "cpu" and not (device.startswith("cuda") and torch.cuda.is_available()):
        raise typer.BadParameter(
            f"{device!r} is not usable here; give cpu, or cuda where PyTorch sees a GPU"
        )
    return device


Minutes = Annotated[float, typer.Option(help="Length of the schedule, in minutes of training.")]
Steps = Annotated[int, typer.Option(help="Length of the schedule in steps; 0: use --minutes.")]
Seed = Annotated[int, typer.Option(help="Seed of weights and data.")]
Device = Annotated[str, typer.Option(help="cpu or cuda.", callback=_usable)]
Run = Annotated[Path, typer.Option(help="Folder of checkpoint and log; an existing one resumes.")]
Model = Annotated[
    str, typer.Option(help="On-robot model: a packaged name, a folder, or OWNER/NAME of the hub.")
]
Start = Annotated[
    Path | None,
    typer.Option(help="Models folder whose weights to start from; else the closed form."),
]

GoOn = Annotated[Path | None, typer.Option(help="Models folder whose weights to go on from.")]


@app.command()
def space(
    minutes: Minutes = 80.0,
    steps: Steps = 0,
    seed: Seed = 0,
    device: Device = "cpu",
    run: Run = Path("build/train/space"),
    model: Model = "smollm2-135m",
    start: Start = None,
    contrastive: Annotated[
        float, typer.Option(min=0.0, help="Weight of the alignment with other models' views.")
    ] = 0.0,
    views: Annotated[
        str, typer.Option(help="Of the alignment: minilm, and names of language models.")
    ] = "minilm,smollm2-135m,gemma3-270m",
) -> None:
    """Train the space together with its reference renderer."""
    seen = [name.strip() for name in views.split(",") if name.strip()]
    if not seen:
        raise typer.BadParameter(f"{views!r}: give names of views, as minilm,smollm2-135m")
    from universal_memory.training.jobs import train_space

    report = _reporter(run)
    train_space(model, run, minutes, steps, seed, device, report, start, contrastive, seen)


@app.command()
def renderer(
    minutes: Minutes = 40.0,
    steps: Steps = 0,
    seed: Seed = 0,
    device: Device = "cpu",
    run: Annotated[
        Path | None,
        typer.Option(
            help="Folder of checkpoint and log; an existing one resumes. Else one of the model's"
            " name in build/train/renderers."
        ),
    ] = None,
    model: Model = "smollm2-135m",
    start: Start = None,
    architecture: Annotated[
        Path | None,
        typer.Option(help="YAML file of the places in MODEL, where they are not found by itself."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write the package to; else the models folder's."),
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(help="Model whose trained renderer is carried over in closed form to start."),
    ] = None,
) -> None:
    """Train a renderer of MODEL over the frozen space, and test whether it is acceptable.

    Any decoder of transformers: docs/new_model.md.
    """
    from universal_memory.rendering.places import Places
    from universal_memory.rendering.renderer import renderer_name
    from universal_memory.training.jobs import train_renderer

    places = Places.load(architecture) if architecture else None
    folder = run or Path("build/train/renderers") / renderer_name(model)
    report = _reporter(folder)
    found = train_renderer(
        model, folder, minutes, steps, seed, device, report, start, places, out, like
    )
    typer.echo(found.verdict)


@app.command()
def gates(
    steps: Annotated[int, typer.Option(min=1, help="Batches to learn from.")] = 40,
    seed: Seed = 0,
    run: Run = Path("build/train/gates"),
    model: Model = "smollm2-135m",
) -> None:
    """Learn the gates of MODEL's renderer over the trained router, through its answers."""
    from universal_memory.training.gate_job import train_gates

    train_gates(model, run, steps, seed, _reporter(run))


@app.command()
def router(
    minutes: Minutes = 12.0,
    steps: Steps = 0,
    seed: Seed = 0,
    files: Annotated[int, typer.Option(min=1000, help="Files to train on.")] = 96_000,
    run: Run = Path("build/train/router"),
    teacher: Annotated[
        bool,
        typer.Option(help="Train the text tower on the trained router's passports, to compare."),
    ] = False,
) -> None:
    """Train passports and router over the frozen space; a reranker of before does not fit them."""
    if teacher:
        from universal_memory.training.teacher import train_teacher

        train_teacher(run / "teacher", minutes, steps, files, seed, _reporter(run / "teacher"))
    else:
        from universal_memory.training.router_job import train_router

        train_router(run, minutes, steps, files, seed, _reporter(run))


@app.command()
def reranker(
    minutes: Minutes = 12.0,
    steps: Steps = 0,
    seed: Seed = 0,
    files: Annotated[int, typer.Option(min=1000, help="Files to train on.")] = 48_000,
    run: Run = Path("build/train/reranker"),
    start: GoOn = None,
) -> None:
    """Train the reranker over the trained router, and fit the relevance."""
    from universal_memory.training.router_job import train_reranker

    train_reranker(run, minutes, steps, files, seed, _reporter(run), start)


@app.command()
def pointer(
    minutes: Minutes = 45.0,
    steps: Steps = 0,
    seed: Seed = 0,
    files: Annotated[int, typer.Option(min=1000, help="Files to train on.")] = 96_000,
    run: Run = Path("build/train/pointer"),
    out: Annotated[
        Path | None,
        typer.Option(help="Models folder to write the weights to; else the one in use."),
    ] = None,
    start: GoOn = None,
) -> None:
    """Train what tells which words of a memory a question asks for; no language model is needed."""
    from universal_memory.resources import models_dir
    from universal_memory.training.pointer_job import train_pointer

    train_pointer(run, minutes, steps, files, seed, _reporter(run), out or models_dir(), start)


@app.command()
def soft_tokens(
    minutes: Minutes = 10.0,
    steps: Steps = 0,
    seed: Seed = 0,
    run: Annotated[
        Path | None,
        typer.Option(
            help="Folder of checkpoint, log and weights; an existing one resumes. Else one of the"
            " model's name in build/train/soft_tokens."
        ),
    ] = None,
    model: Model = "smollm2-135m",
) -> None:
    """Train USVs as input embeddings of MODEL, a rival of its renderer (`ump bench baselines`)."""
    from universal_memory.benchmarks.recall import fresh_answerer
    from universal_memory.training.soft_tokens import folder_of, train_soft_tokens

    folder = run or folder_of(model)
    with fresh_answerer(model) as answerer:
        train_soft_tokens(answerer, folder, minutes, steps, seed, _reporter(folder))


@app.command()
def supersession(
    minutes: Minutes = 35.0,
    steps: Steps = 0,
    seed: Seed = 0,
    files: Annotated[int, typer.Option(min=1000, help="Files to train on.")] = 48_000,
    run: Run = Path("build/train/supersession"),
    out: Annotated[
        Path | None,
        typer.Option(help="Models folder to write the weights to; else the one in use."),
    ] = None,
    start: GoOn = None,
) -> None:
    """Train what tells that a later memory supersedes an earlier one, from the vectors of both."""
    from universal_memory.resources import models_dir
    from universal_memory.training.supersession_job import train_supersession

    out = out or models_dir()
    train_supersession(run, minutes, steps, files, seed, _reporter(run), out, start)


@app.command()
def merger(
    minutes: Minutes = 10.0,
    steps: Steps = 0,
    seed: Seed = 0,
    run: Run = Path("build/train/merger"),
    out: Annotated[
        Path | None,
        typer.Option(help="Models folder to write the weights to; else the models folder's."),
    ] = None,
) -> None:
    """Train what merges memory files into fewer (`ump memory consolidate`), over the space."""
    from universal_memory.training.merging import train_merger

    train_merger(run, minutes, steps, seed, _reporter(run), out)


@app.command()
def freeze(
    version: Annotated[str, typer.Option(help="Name of the space, such as ump-space-1.")],
) -> None:
    """Give the space its final name, in all that belongs to it, and write its golden vectors.

    Files of before are of another space by name: compile again.
    """
    from universal_memory.resources import models_dir
    from universal_memory.training.freezing import freeze_space

    typer.echo(f"frozen: {freeze_space(models_dir(), version)}")


def _reporter(run: Path) -> Callable[[dict[str, Any]], None]:
    """Reports to a log of JSON lines in `run` and to the terminal, with the time left."""
    stage: list[tuple[float, float]] = []  # progress and time of its reports

    def report(values: dict[str, Any]) -> None:
        run.mkdir(parents=True, exist_ok=True)
        with (run / "log.jsonl").open("a") as log:
            log.write(json.dumps(values) + "\n")
        shown = " ".join(
            f"{name} {value:.3f}" if isinstance(value, float) else f"{name} {value}"
            for name, value in values.items()
        )
        if progress := values.get("progress"):
            if stage and progress < stage[-1][0]:
                stage.clear()  # the next one has begun
            stage.append((progress, time.monotonic()))
            gone, seconds = (last - first for first, last in zip(stage[0], stage[-1], strict=True))
            shown += f" | {(1 - progress) / gone * seconds / 60:.0f} min left" if gone else ""
        typer.echo(shown)

    return report
