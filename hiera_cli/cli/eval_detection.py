"""`hiera eval --task boxes|masks|detection`: a detector's figures on a COCO or AVA data set."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from hiera_cli.cli import console
from hiera_cli.errors import Failure, UsageError
from hiera_cli.options import EngineOptions
from hiera_cli.tasks.evaluation.options import EvaluationOptions

if TYPE_CHECKING:
    from hiera_cli.detection.ava_evaluation import ActionScores
    from hiera_cli.detection.coco_evaluation import BoxScores, CocoFigures

Result = TypeVar("Result")


def evaluate_detector(
    dataset: str,
    task: Literal["boxes", "masks", "detection"],
    engine: EngineOptions,
    evaluation: EvaluationOptions,
    *,
    view: Literal["center", "whole"],
    quiet: bool,
    as_json: bool,
) -> int:
    """Measure what a detector of the task finds; 0, 3 where inputs failed, 4 where all did."""
    if task == "detection":
        return evaluate_actions(
            dataset, engine, evaluation, view=view, quiet=quiet, as_json=as_json
        )
    return evaluate_boxes(
        dataset, engine, evaluation, masks=task == "masks", quiet=quiet, as_json=as_json
    )


def evaluate_boxes(
    dataset: str,
    engine: EngineOptions,
    evaluation: EvaluationOptions,
    *,
    masks: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Measure a detector by the COCO evaluation; 0, 3 where pictures failed, 4 where all did."""
    from hiera_cli.checkpoints.detector import open_detector
    from hiera_cli.datasets.boxes import find_boxes, name_of, read_boxes
    from hiera_cli.detection.coco_evaluation import find_all, score_boxes, write_scores
    from hiera_cli.video.info import Limits

    path = find_boxes(evaluation.annotations or dataset, split=evaluation.split or "val")
    data = read_boxes(path, masks=masks)
    detector = open_detector(engine.model, device=engine.device)
    if masks and not detector.model.config.masks:
        hint = "finetune with --task masks, or eval --task boxes"
        raise UsageError(f"'{engine.model}' finds boxes without masks", hint=hint)
    if not quiet:
        console.say(
            f"{data.path}: {len(data.pictures)} pictures, {data.num_boxes} boxes of "
            f"{len(data.classes)} classes, {data.num_clipped} cut off, {data.num_outside} left out"
        )
    records = find_all(detector, data, limits=Limits.of(engine))
    total = len(data.pictures)
    results, num_failed = _watched(records, total=total, unit="pictures", quiet=quiet)
    scores = score_boxes(data, results, num_failed=num_failed, model=detector.name)
    folder = evaluation.out or Path(f"eval-{detector.name}-{name_of(data.path)}")
    write_scores(folder, scores, data, results)
    _show(scores, folder, as_json=as_json)
    return 4 if not results else 3 if num_failed else 0


def evaluate_actions(
    dataset: str,
    engine: EngineOptions,
    evaluation: EvaluationOptions,
    *,
    view: Literal["center", "whole"],
    quiet: bool,
    as_json: bool,
) -> int:
    """Measure action detection by AVA's protocol; exit code as `evaluate_boxes`."""
    from hiera_cli.checkpoints.open import open_model
    from hiera_cli.datasets.keyframes import read_keyframes
    from hiera_cli.detection.ava_evaluation import (
        score_key_frames,
        summarise,
        write_action_scores,
    )
    from hiera_cli.video.info import Limits

    data = read_keyframes(dataset, split=evaluation.split or "val")
    loaded = open_model(engine.model, device=engine.device, offline=engine.offline)
    if not quiet:
        boxes = "detections" if data.has_detections else "the true boxes"
        console.say(
            f"{data.source}: {len(data.frames)} key frames, {len(data.actions)} actions, "
            f"{data.num_missing} videos missing; scored are {boxes}"
        )
    isolate = engine.isolate is not False
    records = score_key_frames(loaded, data, view=view, limits=Limits.of(engine), isolate=isolate)
    total = len(data.frames)
    scored, num_failed = _watched(records, total=total, unit="key frames", quiet=quiet)
    scores = summarise(data, scored, view=view, num_failed=num_failed, model=loaded.name)
    folder = evaluation.out or Path(f"eval-{loaded.name}-{data.source.parent.name}")
    write_action_scores(folder, scores, data, scored)
    _show_actions(scores, folder, as_json=as_json)
    return 4 if not scored else 3 if num_failed else 0


def _watched(
    records: Iterable[Result | Failure], *, total: int, unit: str, quiet: bool
) -> tuple[list[Result], int]:
    """The results as they come, under a bar; failures are shown and counted."""
    results, num_failed = list[Result](), 0
    for record in console.progress(records, total=total, unit=unit, quiet=quiet):
        if isinstance(record, Failure):
            console.show_failure(record)
            num_failed += 1
        else:
            results.append(record)
    return results, num_failed


def _show_actions(scores: "ActionScores", folder: Path, *, as_json: bool) -> None:
    lines = [("frame mAP@0.5", _percent(scores.mean_ap))]
    lines += [(name, _percent(value)) for name, value in scores.per_class.items()]
    lines += [
        ("view", scores.view),
        ("boxes", scores.boxes),
        ("key frames", f"{scores.num_key_frames} of {scores.num_expected}"),
        ("results", str(folder)),
    ]
    _write(scores, lines, as_json=as_json)


def _show(scores: "BoxScores", folder: Path, *, as_json: bool) -> None:
    lines = _figures(scores)
    if scores.masks is not None:
        lines += _figures(scores.masks, of="mask ")
    lines += [
        ("pictures", f"{scores.num_pictures} of {scores.num_expected}"),
        ("boxes", f"{scores.num_boxes}, {scores.num_detections} detections"),
        ("results", str(folder)),
    ]
    _write(scores, lines, as_json=as_json)


def _figures(figures: "CocoFigures", of: str = "") -> list[tuple[str, str]]:
    """The usual ones of COCO's, and AP50 of each class."""
    usual = {"AP": figures.ap, "AP50": figures.ap50, "AP75": figures.ap75, "AR100": figures.ar100}
    by_class = {f"AP50 {name}": value for name, value in figures.per_class_ap50.items()}
    return [(f"{of}{name}", _percent(value)) for name, value in (usual | by_class).items()]


def _write(scores: Any, lines: list[tuple[str, str]], *, as_json: bool) -> None:
    """The figures on stdout."""
    if as_json:
        sys.stdout.write(json.dumps(asdict(scores), indent=1) + "\n")
        return
    console.show_facts(lines, width=16)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
