"""One film of all ten movements, and the timeline that the bundled model gives of it."""

from pathlib import Path

import numpy as np
import pytest

from hiera_cli.errors import Failure
from hiera_cli.synth.camera import MOTIONS
from hiera_cli.synth.films import Take, film_frames, stage_film
from hiera_cli.synth.props import Props
from hiera_cli.synth.staging import Shot
from hiera_cli.tasks.timeline.timeline import VideoTimeline, timeline
from hiera_cli.video.encode import h264, write_video


@pytest.fixture(scope="session")
def takes() -> list[Take]:
    rng = np.random.default_rng(11)
    return [Take(str(motion), float(rng.integers(4, 7))) for motion in rng.permutation(MOTIONS)]


@pytest.fixture(scope="session")
def strung(tmp_path_factory: pytest.TempPathFactory, takes: list[Take]) -> Path:
    path, rng = tmp_path_factory.mktemp("films") / "strung.mp4", np.random.default_rng(11)
    shot = Shot(fps=15, width=160, height=120)
    scene = stage_film(takes, rng, Props(rng), shot, plain=True)
    frames = film_frames(scene, shot, rng=rng)
    write_video(path, frames, fps=shot.fps, encoding=h264(crf=23, preset="veryfast"))
    return path


@pytest.fixture(scope="session")
def found(strung: Path) -> VideoTimeline:
    (record,) = timeline(strung, model="camera-motion", device="cpu")
    assert not isinstance(record, Failure)
    return record
