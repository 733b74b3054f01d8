"""Loss, accuracy and learning rate of a training run as a picture."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hiera_cli.files import replacing

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
