"""An evaluation without a model: random scores in a real table, judged by the real code."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hiera_cli.datasets.class_names import match_labels
from hiera_cli.datasets.dataset import Dataset, Sample
from hiera_cli.errors import Failure
from hiera_cli.tables import begin_table, lock_output, parse_output
from hiera_cli.tasks.evaluation.metrics import judge
from hiera_cli.tasks.evaluation.predict import EvaluationPlan, key_of, table_columns
from hiera_cli.tasks.evaluation.summary import Account, account_for


@dataclass(frozen=True)
class Made:
    account: Account
    predictions: Path
    scores: np.ndarray


def make_account(
    folder: Path,
    labels: list[str],
    *,
    num_videos: int,
    num_missing: int = 0,
    failures: tuple[Failure, ...] = (),
    num_unknown: int = 0,
    accuracy: float = 0.7,
    names: list[str] | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> Made:
    """Samples round-robin over the labels; the first ones are judged, then failed, then missing."""
    random = np.random.default_rng(seed)
    num_all = num_videos + len(failures) + num_missing
    names = names or [f"{labels[i % len(labels)]}/video_{i:05d}.mp4" for i in range(num_videos)]
    names = names + [f.path for f in failures] + [f"gone_{i:06d}" for i in range(num_missing)]
    samples = [
        Sample(
            None if i >= num_videos + len(failures) else f"/data/{names[i]}",
            names[i],
            labels[i % len(labels)],
        )
        for i in range(num_all)
    ]
    samples += [Sample(f"/data/z{i}.mp4", f"z{i}.mp4", "zorbing") for i in range(num_unknown)]
    classes = tuple(sorted({sample.label for sample in samples}))
    dataset = Dataset(tuple(samples), classes, "class folders in '/data'", "val", num_duplicates=1)
    match = match_labels(classes, labels)
    plan = EvaluationPlan(dataset, tuple(labels), match, dataset.samples, limit, 0)
    scores = _scores(random, samples[:num_videos], match.index_of, len(labels), accuracy)
    predictions = folder / "predictions.parquet"
    _write(predictions, plan, samples[:num_videos], scores, failures)
    return Made(account_for(predictions, plan), predictions, scores)


def _scores(random, samples, index_of, num_classes, accuracy) -> np.ndarray:
    logits = random.normal(size=(len(samples), num_classes))
    for row, sample in enumerate(samples):
        target = index_of[sample.label]
        right = random.random() < accuracy
        near = (target + random.choice([1, 1, 1, 2, 5])) % num_classes
        logits[row, target if right else near] += random.gamma(4, 1.2)
        logits[row, near if right else target] += random.gamma(2, 0.8)
    exp = np.exp(logits)
    return (exp / exp.sum(1, keepdims=True)).astype(np.float32)


def _write(predictions, plan, samples, scores, failures) -> None:
    labels, num_top = plan.labels, min(5, len(plan.labels))
    settings = {
        "task": "eval",
        "model": "camera-motion",
        "checkpoint": "model.safetensors",
        "weights_sha256": "5d" * 32,
        "labels": list(labels),
        "preprocessing": {
            "num_frames": 16,
            "mean": [0.45, 0.45, 0.45],
            "interpolation": "bilinear",
        },
        "protocol": {"name": "paper", "num_clips": 5, "num_crops": 3, "hop_seconds": None},
        "backend": "torch on cpu, float32",
        "limit": plan.limit,
        "seed": plan.seed,
    }
    output = parse_output(predictions)
    with lock_output(output):
        table = begin_table(output, table_columns(len(labels)), settings=settings, roots=["/data"])
        with table.writer() as writer:
            for sample, row in zip(samples, scores, strict=True):
                target = plan.match.index_of[sample.label]
                outcome = judge(key_of(sample), target, row)
                top = (-row).argsort(kind="stable")[:num_top]
                cells = (
                    key_of(sample), labels[target], labels[outcome.predicted], outcome.confidence,
                    target, outcome.predicted, top, row[top], row, 15,
                    "the last frames are damaged" if sample is samples[0] else "",
                )  # fmt: skip
                columns = [column.name for column in table_columns(len(labels))]
                writer.append({name: [cell] for name, cell in zip(columns, cells, strict=True)})
                writer.commit(key_of(sample))
            for failure in failures:
                writer.fail(failure)
        table.finish(keep_empty=True)
