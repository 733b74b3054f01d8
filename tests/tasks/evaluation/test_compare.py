from pathlib import Path

import numpy as np
import pytest

from hiera_cli.errors import UsageError
from hiera_cli.tables import begin_table, lock_output, parse_output
from hiera_cli.tasks.evaluation.compare import compare_predictions, mcnemar
from hiera_cli.tasks.evaluation.predict import table_columns

LABELS = ["run", "jump", "sit"]


def write(folder: Path, answers: dict[str, tuple[int, int]], *, model: str = "m") -> Path:
    """Predictions: for each path the class and what was said."""
    folder.mkdir()
    settings = {"model": model, "labels": LABELS}
    output = parse_output(folder / "predictions.parquet")
    with lock_output(output):
        table = begin_table(
            output,
            table_columns(3),
            settings=settings,
            roots=[],
            on_existing="error",
        )
        with table.writer() as writer:
            for path, (target, said) in sorted(answers.items()):
                row = {
                    "path": path, "label": LABELS[target], "predicted": LABELS[said], "score": 1.0,
                    "target_index": target, "predicted_index": said, "top_indices": np.arange(3),
                    "top_scores": np.eye(3)[0], "scores": np.eye(3)[said], "num_views": 1,
                    "warnings": "",
                }  # fmt: skip
                writer.append({name: [value] for name, value in row.items()})
                writer.commit(path)
        table.finish()
    return folder


def test_videos_won_and_lost(tmp_path: Path) -> None:
    truth = {f"{index:02}.mp4": index % 3 for index in range(40)}
    a, b = (
        {
            path: (t, t if index % every else (t + 1) % 3)
            for index, (path, t) in enumerate(truth.items())
        }
        for every in (10, 4)
    )
    place_a = write(tmp_path / "a", {**a, "only a.mp4": (0, 0)}, model="one")
    place_b = write(tmp_path / "b", b, model="other")
    found = compare_predictions(place_a, place_b / "predictions.parquet")
    assert (found.model_a, found.model_b) == ("one", "other")
    assert (found.num_both, found.num_only_a, found.num_only_b) == (40, 1, 0)
    assert (found.top1_a, found.top1_b) == (0.9, 0.75)
    assert found.difference == pytest.approx(0.15)
    assert [c.path for c in found.won] == [f"{i:02}.mp4" for i in (4, 8, 12, 16, 24, 28, 32, 36)]
    assert [c.path for c in found.lost] == ["10.mp4", "30.mp4"]
    assert (found.won[0].label, found.won[0].predicted_a, found.won[0].predicted_b) == (
        "jump",
        "jump",
        "sit",
    )
    assert found.mcnemar_p == pytest.approx(mcnemar(8, 2))
    low, high = found.difference_interval_95
    assert low == pytest.approx(0.0, abs=0.03)
    assert high == pytest.approx(0.30, abs=0.03)


@pytest.mark.parametrize(
    ("won", "lost", "expected"),
    [(0, 0, 1.0), (1, 1, 1.0), (8, 2, 0.109375), (2, 8, 0.109375), (10, 0, 2 / 1024)],
)
def test_mcnemar_is_the_binomial_test(won: int, lost: int, expected: float) -> None:
    assert mcnemar(won, lost) == pytest.approx(expected)


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    one = write(tmp_path / "one", {"x.mp4": (0, 0)})
    elsewhere = write(tmp_path / "elsewhere", {"y.mp4": (0, 0)})
    relabelled = write(tmp_path / "relabelled", {"x.mp4": (1, 0)})
    with pytest.raises(UsageError, match="have no video in common"):
        compare_predictions(one, elsewhere)
    with pytest.raises(UsageError, match="is 'run' here and 'jump' there"):
        compare_predictions(one, relabelled)
    with pytest.raises(UsageError, match="there is no table at"):
        compare_predictions(one, tmp_path / "nothing")
