"""One film of all ten movements, and the timeline that the bundled model gives of it."""

from pathlib import Path

import numpy as np
import pytest

from hiera_cli.errors import Failure
from hiera_cli.synth.camera import MOTIONS
from hiera_cli.tasks.timeline.timeline import VideoTimeline, timeline
from tests.tasks.timeline.films import Take, film


@pytest.fixture(scope="session")
def takes() -> list[Take]:
    rng = np.random.default_rng(11)
    return [Take(str(motion), float(rng.integers(4, 7))) for motion in rng.permutation(MOTIONS)]


@pytest.fixture(scope="session")
def strung(tmp_path_factory: pytest.TempPathFactory, takes: list[Take]) -> Path:
    return film(tmp_path_factory.mktemp("films") / "strung.mp4", takes, seed=11)


@pytest.fixture(scope="session")
def found(strung: Path) -> VideoTimeline:
    (record,) = timeline(strung, model="camera-motion", device="cpu")
    assert not isinstance(record, Failure)
    return record
