"""Evaluation: a labelled data set through a model, with every promised video accounted for.

`plan_evaluation` decides what is to be run, and `run_evaluation` runs it into a table that survives
being killed. What the table means is said in `account.py`: metrics and the model never meet, so
that metrics can be computed again without the model.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from hiera_cli.datasets.class_names import LabelMatch, match_labels
from hiera_cli.datasets.dataset import Dataset, Sample
from hiera_cli.errors import Failure, UsageError
from hiera_cli.inference.backend import Wanted
from hiera_cli.inference.engine import Engine, VideoResult
from hiera_cli.inputs import InputPath, printable
from hiera_cli.tables import Column, Table, TableWriter
from hiera_cli.tasks.evaluation.metrics import TOP_K, Outcome, judge

DEFAULT_PROTOCOL: Final = "paper"
DEFAULT_IMAGE_PROTOCOL: Final = "fast"
SHOWN_LABELS = 20


@dataclass(frozen=True, eq=False, slots=True)
class EvaluationPlan:
    """Which videos of a data set are evaluated, and what their labels mean to the model.

    Attributes:
        dataset: the data set as a whole.
        labels: the model's class names.
        match: the model's class for each class of the data set.
        expected: the videos that count: all, or the sample that `limit` asked for.
        limit: how many videos were asked for; None for all.
        seed: of the random sample.
    """

    dataset: Dataset
    labels: tuple[str, ...]
    match: LabelMatch
    expected: tuple[Sample, ...]
    limit: int | None
    seed: int

    @property
    def targets(self) -> dict[str, int]:
        """The model's class of each expected video whose label it has, by the video's key."""
        index_of = self.match.index_of
        return {key_of(s): index_of[s.label] for s in self.expected if s.label in index_of}

    @property
    def files(self) -> list[InputPath]:
        """The expected videos that are there and have a label of the model, under their keys."""
        known = (s for s in self.expected if s.label in self.match.index_of)
        return [InputPath(s.path, key_of(s)) for s in known if s.path is not None]


def key_of(sample: Sample) -> str:
    """What a video is called in tables: its name, safe in any text."""
    return printable(sample.name)


def plan_evaluation(
    dataset: Dataset, labels: Sequence[str], *, limit: int | None = None, seed: int = 0
) -> EvaluationPlan:
    """Decide what to run.

    Args:
        dataset: what the data set promises.
        labels: the model's class names.
        limit: evaluate a random sample of so many videos, each class by its share.
        seed: of that sample.

    Raises:
        UsageError: the model knows none of the labels, or the limit is no number of videos.
    """
    match = match_labels(dataset.classes, labels)
    if not match.index_of:
        raise UsageError(
            f"the model has none of the data set's labels: {shorten(match.unknown)}",
            hint="choose another -m/--model, or give the model's class names with --labels FILE",
        )
    expected = dataset.samples if limit is None else stratify(dataset.samples, limit, seed=seed)
    return EvaluationPlan(dataset, tuple(labels), match, expected, limit, seed)


def shorten(names: Sequence[str]) -> str:
    """The first of many names, and how many more there are."""
    more = f" and {len(names) - SHOWN_LABELS} more" if len(names) > SHOWN_LABELS else ""
    return ", ".join(names[:SHOWN_LABELS]) + more


def stratify(samples: Sequence[Sample], limit: int, *, seed: int) -> tuple[Sample, ...]:
    """A random sample in which each class has its share of the videos, in the order given.

    The videos of a class are spread evenly over (0, 1] in random order, from a random start,
    and the lowest places win; so classes of equal size differ by one video at most.
    """
    random = np.random.default_rng(seed)
    members: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        members.setdefault(sample.label, []).append(index)
    places = np.empty(len(samples))
    for indices in members.values():
        order = random.permutation(len(indices))
        places[indices] = (order + random.random()) / len(indices)
    chosen = np.sort(np.argsort(places, kind="stable")[:limit])
    return tuple(samples[index] for index in chosen)


# ------------------------------------------------------------------------------ into the table


def table_columns(num_classes: int) -> tuple[Column, ...]:
    """The columns of `predictions.parquet`; class indices point into `labels` of the metadata."""
    return (
        Column("path", "string"),
        Column("label", "string"),
        Column("predicted", "string"),
        Column("score", "float32"),
        Column("target_index", "int32"),
        Column("predicted_index", "int32"),
        Column("top_indices", "int32", min(TOP_K, num_classes)),
        Column("top_scores", "float32", min(TOP_K, num_classes)),
        Column("scores", "float32", num_classes),
        Column("num_views", "int32"),
        Column("warnings", "string"),
    )


def table_settings(engine: Engine, *, limit: int | None, seed: int) -> dict[str, Any]:
    """What predictions are made with, as JSON; work with other settings is not mixed in."""
    loaded, assumed_fps = engine.loaded, engine.loader.limits.assumed_fps
    return {
        "task": "eval",
        "model": loaded.name,
        "checkpoint": loaded.checkpoint,
        "weights_sha256": loaded.weights_sha256,
        "labels": list(loaded.labels),
        "preprocessing": loaded.preprocessing.to_dict(),
        "protocol": asdict(engine.loader.protocol),
        "square_pixels": engine.loader.square_pixels,
        **({} if assumed_fps is None else {"assume_fps": assumed_fps}),
        "backend": engine.backend.name,
        "limit": limit,
        "seed": seed if limit is not None else None,
    }


def run_evaluation(
    plan: EvaluationPlan, engine: Engine, table: Table
) -> Iterator[Outcome | Failure]:
    """Run the videos that the table does not hold yet, and add them to it.

    Yields:
        for each video, in order, its `Outcome`, or the `Failure` that was noted instead.

    Raises:
        OutputError: the table cannot be written; finished videos are kept.
    """
    targets = plan.targets
    files = [source for source in plan.files if source.name not in table.finished]
    with table.writer() as writer:
        for result in engine.run(files, Wanted(scores=True)):
            if isinstance(result, Failure):
                writer.fail(result)
                yield result
            elif isinstance(result, VideoResult):
                key = result.input.name
                yield _add(writer, result, key, target=targets[key], labels=plan.labels)


def _add(
    writer: TableWriter, result: VideoResult, key: str, *, target: int, labels: Sequence[str]
) -> Outcome | Failure:
    """Write one video's row; scores that are no numbers are a failure of the video."""
    scores = np.empty(0) if result.scores is None else result.scores
    try:
        outcome = judge(key, target, scores)
    except ValueError as error:
        failure = Failure(key, "internal", str(error))
        writer.fail(failure)
        return failure
    top = (-scores).argsort(kind="stable")[:TOP_K]
    row: Mapping[str, Any] = {
        "path": key,
        "label": labels[target],
        "predicted": labels[outcome.predicted],
        "score": outcome.confidence,
        "target_index": target,
        "predicted_index": outcome.predicted,
        "top_indices": top,
        "top_scores": scores[top],
        "scores": scores,
        "num_views": result.num_views,
        "warnings": "; ".join(printable(warning) for warning in result.info.warnings),
    }
    writer.append({name: [value] for name, value in row.items()})
    writer.commit(key)
    return outcome
