"""Training runs as pictures: one run's loss, accuracy and rate, or several runs' accuracies."""

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import Any

from hiera_cli.files import replacing
from hiera_cli.report.palette import colour_of
from hiera_cli.training.compare import RunGroup

FIGURES = {"top1": "top-1", "top5": "top-5", "mean_ap": "mAP", "ap50": "mAP@0.5"}


def draw_curves(metrics: Path, picture: Path) -> bool:
    """Draw a run's metrics.jsonl as PNG; False without matplotlib (the `report` extra).

    Steps give the loss and the learning rate, epochs the validation if there was one.
    """
    if find_spec("matplotlib") is None:
        return False
    from matplotlib.figure import Figure

    lines = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]
    steps = [line for line in lines if line["event"] == "step" and line["loss"] is not None]
    epochs = [line for line in lines if line["event"] == "epoch" and line["validation"]]
    num_panels = 3 if epochs else 2
    figure = Figure(figsize=(3.4 * num_panels, 3), layout="constrained")
    panels: Any = figure.subplots(1, num_panels)
    _draw_loss(panels[0], steps, epochs)
    panels[1].plot([s["step"] for s in steps], [s["lr"] for s in steps])
    panels[1].set(title="learning rate", xlabel="step")
    if epochs:
        _draw_accuracy(panels[2], epochs)
    with replacing(picture) as part:
        figure.savefig(part, format="png", dpi=120)
    return True


def _draw_loss(panel: Any, steps: list[Any], epochs: list[Any]) -> None:
    panel.plot([s["step"] for s in steps], [s["loss"] for s in steps], alpha=0.6, label="training")
    measured = [e for e in epochs if "loss" in e["validation"]]  # detectors measure no loss
    if measured:
        panel.plot(
            [e["step"] for e in measured],
            [e["validation"]["loss"] for e in measured],
            marker=".",
            label="validation",
        )
        panel.legend()
    panel.set(title="loss", xlabel="step")


def _draw_accuracy(panel: Any, epochs: list[Any]) -> None:
    for name, label in FIGURES.items():
        if name not in epochs[0]["validation"]:
            continue
        values = [100 * e["validation"][name] for e in epochs]
        panel.plot([e["step"] for e in epochs], values, marker=".", label=label)
    panel.legend()
    panel.set(title="validation, %", xlabel="step", ylim=(0, 101))


def draw_groups(groups: Sequence[RunGroup], picture: Path) -> bool:
    """Draw what groups of runs reached as PNG; False without matplotlib (the `report` extra).

    A panel for each number of training files shows top-1 on the validation over the steps: the
    mean of a group, and the range of its runs. The last shows the groups' results over the number
    of files with their 95 % intervals: on the test where all have one, else on the validation.
    """
    if find_spec("matplotlib") is None:
        return False
    from matplotlib.figure import Figure

    sizes = sorted({group.num_videos for group in groups})
    colours = {name: colour_of(i) for i, name in enumerate(dict.fromkeys(g.group for g in groups))}
    figure = Figure(figsize=(3.4 * (len(sizes) + 1), 3.4), layout="constrained")
    *panels, last = figure.subplots(1, len(sizes) + 1)
    for panel, size in zip(panels, sizes, strict=True):
        panel.set(title=f"{size} training files", xlabel="step", ylabel="validation top-1, %")
        for group in groups:
            if group.num_videos == size:
                _draw_group(panel, group, colours[group.group])
    _draw_results(last, groups, colours)
    last.legend()
    with replacing(picture) as part:
        figure.savefig(part, format="png", dpi=120)
    return True


def _draw_group(panel: Any, group: RunGroup, colour: str) -> None:
    by_step: dict[int, list[float]] = {}
    for run in group.runs:
        for step, top1 in run.validation:
            by_step.setdefault(step, []).append(100 * top1)
    steps = sorted(by_step)
    panel.plot(steps, [fmean(by_step[s]) for s in steps], marker=".", color=colour)
    lowest, highest = ([pick(by_step[s]) for s in steps] for pick in (min, max))
    panel.fill_between(steps, lowest, highest, color=colour, alpha=0.2, linewidth=0)


def _draw_results(panel: Any, groups: Sequence[RunGroup], colours: dict[str, str]) -> None:
    measure = "test" if all(group.test for group in groups) else "validation"
    for name, colour in colours.items():
        own = [group for group in groups if group.group == name and getattr(group, measure)]
        means = [getattr(group, measure) for group in own]
        panel.errorbar(
            [group.num_videos for group in own],
            [100 * mean.value for mean in means],
            yerr=[100 * (mean.half_width or 0) for mean in means],
            color=colour,
            marker="o",
            capsize=3,
            label=Path(name).name,
        )
    sizes = sorted({group.num_videos for group in groups})
    panel.set(title=f"{measure} top-1, %, and 95 % interval", xlabel="training files")
    if sizes[0] > 0:  # 0 where an older version did not write it down
        panel.set(xscale="log")
    panel.set_xticks(sizes, [str(size) for size in sizes], minor=False)
    panel.minorticks_off()
