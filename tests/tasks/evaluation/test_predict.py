from collections import Counter

import numpy as np
import pytest

from hiera_cli.datasets.dataset import Dataset, Sample
from hiera_cli.errors import UsageError
from hiera_cli.inputs import InputPath
from hiera_cli.tasks.evaluation.options import EvaluationOptions
from hiera_cli.tasks.evaluation.predict import (
    key_of,
    plan_evaluation,
    shorten,
    stratify,
    table_columns,
)

LABELS = ("run", "walk", "jump")


def samples(**counts: int) -> tuple[Sample, ...]:
    return tuple(
        Sample(f"/d/{label}/{i}.mp4", f"{label}/{i}.mp4", label)
        for label, count in counts.items()
        for i in range(count)
    )


def dataset(*promised: Sample) -> Dataset:
    return Dataset(promised, tuple(sorted({s.label for s in promised})), "a list")


def test_a_plan_runs_what_is_there_and_known() -> None:
    promised = (
        Sample("/d/1.mp4", "1.mp4", "RUN"),
        Sample(None, "2.mp4", "walk"),
        Sample("/d/3.mp4", "3.mp4", "fly"),
        Sample("/d/\udce9.mp4", "\udce9\n.mp4", "jump"),
    )
    plan = plan_evaluation(dataset(*promised), LABELS)
    assert plan.targets == {"1.mp4": 0, "2.mp4": 1, "\\xe9\\x0a.mp4": 2}
    files = [InputPath("/d/1.mp4", "1.mp4"), InputPath("/d/\udce9.mp4", "\\xe9\\x0a.mp4")]
    assert plan.files == files
    assert plan.match.unknown == ("fly",)
    assert plan.expected == promised


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_is_a_number_of_videos(limit: int) -> None:
    with pytest.raises(UsageError, match="--limit must be at least 1"):
        EvaluationOptions(limit=limit)


def test_no_label_in_common() -> None:
    with pytest.raises(UsageError, match="none of the data set's labels: fly"):
        plan_evaluation(dataset(*samples(fly=3)), LABELS)


@pytest.mark.parametrize("limit", [1, 3, 7, 10, 29, 30, 100])
def test_every_class_has_its_share_of_a_limited_look(limit: int) -> None:
    everything = samples(run=15, walk=10, jump=5)
    for seed in range(20):
        chosen = stratify(everything, limit, seed=seed)
        assert len(chosen) == len(set(chosen)) == min(limit, 30)
        counts = Counter(sample.label for sample in chosen)
        for label, total in (("run", 15), ("walk", 10), ("jump", 5)):
            assert abs(counts[label] - min(limit, 30) * total / 30) < 2
        assert list(chosen) == [s for s in everything if s in set(chosen)]


def test_a_limited_look_is_random_but_seeded() -> None:
    everything = samples(run=200, walk=200)
    assert stratify(everything, 20, seed=1) == stratify(everything, 20, seed=1)
    assert stratify(everything, 20, seed=1) != stratify(everything, 20, seed=2)
    hits = Counter(s.name for seed in range(300) for s in stratify(everything, 40, seed=seed))
    assert len(hits) == 400  # every video has its chance: 30 hits expected, standard deviation 5
    assert max(hits.values()) < 60


def test_long_lists_are_shortened() -> None:
    assert shorten(["a", "b"]) == "a, b"
    assert shorten([str(i) for i in range(25)]).endswith("18, 19 and 5 more")


def test_top_columns_are_no_wider_than_the_model() -> None:
    widths = {column.name: column.width for column in table_columns(3)}
    assert (widths["top_indices"], widths["top_scores"], widths["scores"]) == (3, 3, 3)
    assert {column.name: column.width for column in table_columns(400)}["top_indices"] == 5


def test_keys_are_safe_text() -> None:
    assert key_of(Sample(None, "a\x1b\udcff", "x")).encode() == b"a\\x1b\\xff"
    assert np.char.str_len(key_of(Sample(None, "plain é.mp4", "x"))) == 11
