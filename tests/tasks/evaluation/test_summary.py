from dataclasses import replace
from pathlib import Path

import pytest

from hiera_cli.checkpoints.labels import known_labels
from hiera_cli.datasets.class_names import match_labels
from hiera_cli.datasets.dataset import Dataset, Sample
from hiera_cli.errors import Failure, UsageError
from hiera_cli.tasks.evaluation.files import metrics_json
from hiera_cli.tasks.evaluation.metrics import judge, measure
from hiera_cli.tasks.evaluation.predict import EvaluationPlan
from hiera_cli.tasks.evaluation.summary import (
    account_for,
    published_top1,
    read_labels_of,
    summarise,
)
from tests.report.accounts import make_account

LABELS = ["run", "walk", "jump"]
FAILURES = (Failure("b.mp4", "corrupt", "x"), Failure("a.mp4", "timeout", "y"))


def test_every_expected_video_counts_exactly_once(tmp_path: Path) -> None:
    made = make_account(
        tmp_path, LABELS, num_videos=20, num_missing=4, failures=FAILURES, num_unknown=3
    )
    account, summary = made.account, summarise(made.account, dataset="/data")
    assert [f.path for f in account.failures] == ["a.mp4", "b.mp4"]
    assert account.missing == tuple(f"gone_{i:06d}" for i in range(4))
    assert account.unknown == ("z0.mp4", "z1.mp4", "z2.mp4")
    parts = (
        summary.num_evaluated,
        summary.num_failed,
        summary.num_missing,
        summary.num_unknown_label,
    )
    assert parts == (20, 2, 4, 3)
    assert summary.num_expected == sum(parts)
    assert summary.failures_by_kind == {"corrupt": 1, "timeout": 1}
    assert (summary.num_damaged, summary.num_duplicates) == (1, 1)
    assert summary.top1_of_expected == account.metrics.num_top1 / 29
    assert list(account.damaged.values()) == ["the last frames are damaged"]


def test_the_table_alone_gives_the_metrics(tmp_path: Path) -> None:
    made = make_account(tmp_path, LABELS, num_videos=30)
    plan = made.account.plan
    direct = [judge(s.name, i % 3, made.scores[i]) for i, s in enumerate(plan.expected)]
    assert made.account.metrics == measure(direct)


def test_rows_of_videos_that_are_not_planned_do_not_count(tmp_path: Path) -> None:
    made = make_account(tmp_path, LABELS, num_videos=10)
    plan = replace(made.account.plan, expected=made.account.plan.expected[:4])
    assert account_for(made.predictions, plan).metrics.num_evaluated == 4


def test_kinetics_rows_are_found_when_the_videos_are_gone(tmp_path: Path) -> None:
    names = [f"val/run/id{i}_000001_000011.mkv" for i in range(3)]
    made = make_account(tmp_path, LABELS, num_videos=3, names=names)
    plan = made.account.plan
    gone = tuple(Sample(None, Path(sample.name).stem, sample.label) for sample in plan.expected)
    again = account_for(made.predictions, replace(plan, expected=gone))
    assert again.metrics == made.account.metrics
    assert again.missing == ()


def test_predictions_over_other_classes_are_refused(tmp_path: Path) -> None:
    made = make_account(tmp_path, LABELS, num_videos=3)
    assert read_labels_of(made.predictions) == tuple(LABELS)
    with pytest.raises(UsageError, match="over other classes"):
        account_for(made.predictions, replace(made.account.plan, labels=("a", "b", "c")))
    with pytest.raises(UsageError, match="there is no table"):
        read_labels_of(tmp_path / "absent.parquet")


def test_nothing_measured_is_null(tmp_path: Path) -> None:
    made = make_account(tmp_path, LABELS, num_videos=0, failures=FAILURES)
    summary = summarise(made.account, dataset="/data")
    assert (summary.top1, summary.top5, summary.mean_class_accuracy) == (None, None, None)
    assert summary.top1_interval_95 == (None, None)
    assert summary.top1_of_expected == 0.0
    assert '"top1": null' in metrics_json(summary)


def kinetics400(split: str, num_classes: int = 400, limit: int | None = None) -> EvaluationPlan:
    labels = known_labels("kinetics400", 400)
    samples = tuple(Sample(f"/{i}", f"{i}", labels[i].upper()) for i in range(num_classes))
    data = Dataset(samples, tuple(s.label for s in samples), "a list", split)
    return EvaluationPlan(data, labels, match_labels(data.classes, labels), samples, limit, 0)


def test_the_published_figure_is_for_official_weights_on_the_whole_of_kinetics_400_val() -> None:
    official = {"model": "hiera_base_16x224", "checkpoint": "mae_k400_ft_k400"}
    assert published_top1(kinetics400("val"), official) == pytest.approx(0.840)
    assert published_top1(kinetics400("train"), official) is None
    assert published_top1(kinetics400("val", num_classes=399), official) is None
    assert published_top1(kinetics400("val", limit=100), official) is None
    own = official | {"checkpoint": "my_weights.pth"}
    assert published_top1(kinetics400("val"), own) is None
    assert published_top1(kinetics400("val"), official | {"model": "camera-motion"}) is None
