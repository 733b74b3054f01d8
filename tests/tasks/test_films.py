"""Folders of films with the times of their movements."""

from pathlib import Path

import numpy as np
import pytest

from hiera_cli.errors import NoInputError, UsageError
from hiera_cli.synth.options import FilmOptions
from hiera_cli.tasks.films import synthesise_films
from hiera_cli.tasks.timeline.scoring import read_annotations
from hiera_cli.video.decode import probe
from hiera_cli.video.encode import write_video


def test_films_and_their_annotations(tmp_path: Path) -> None:
    options = FilmOptions(out=tmp_path, num=2, width=48, height=32, fps=5, seed=3)
    files = list(synthesise_films(options))
    truth = read_annotations(tmp_path / "annotations.csv")
    assert sorted(truth) == [file.stem for file in files] == ["film_3_0000", "film_3_0001"]
    for file in files:
        rows = truth[file.stem]
        assert len({row.label for row in rows}) == 10
        assert rows[0].start_seconds == 0
        assert rows[-1].end_seconds == pytest.approx(probe(str(file)).duration_seconds, abs=1e-3)


def test_real_footage(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (96, 144, 3), dtype=np.uint8)
    write_video(tmp_path / "real.mp4", [picture] * 40, fps=15)
    sources = [str(tmp_path / "real.mp4")]
    options = FilmOptions(out=tmp_path / "out", num=1, width=48, height=32, fps=5, source=sources)
    assert [file.name for file in synthesise_films(options)] == ["film_0_0000.mp4"]


def test_footage_whose_camera_moves_is_refused(tmp_path: Path) -> None:
    wide = np.random.default_rng(0).integers(0, 255, (96, 300, 3), dtype=np.uint8)
    write_video(tmp_path / "pan.mp4", [wide[:, 4 * t : 4 * t + 144] for t in range(35)], fps=15)
    options = FilmOptions(out=tmp_path / "out", num=1, source=[str(tmp_path / "pan.mp4")])
    with pytest.raises(NoInputError, match="no camera stands still"):
        list(synthesise_films(options))


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"num": 0}, "--num"), ({"width": 47}, "47×80"), ({"plain": True, "source": ["a"]}, "plain")],
)
def test_refuses_options_that_mean_nothing(tmp_path: Path, changes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        FilmOptions(out=tmp_path, **changes)
