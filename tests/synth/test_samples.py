"""The sample videos: small, in class folders, and what their folders say."""

from pathlib import Path

import av
import numpy as np
import pytest

from hiera_cli.synth.camera import MOTIONS
from hiera_cli.synth.samples import FILMS, shoot

SAMPLE_VIDEOS = Path(__file__).parents[2] / "sample_videos"


def frames_of(path):
    with av.open(str(path)) as container:
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])


def test_every_class_has_a_film():
    assert {film.name.partition("/")[0] for film in FILMS} == {m.replace(" ", "_") for m in MOTIONS}


@pytest.mark.parametrize("film", FILMS, ids=lambda film: film.name)
def test_the_files_are_there_and_small(film):
    path = SAMPLE_VIDEOS / film.name
    assert path.stat().st_size < 200_000
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, float(stream.average_rate)) == (320, 240, 30.0)
        assert stream.codec_context.name in ("h264", "vp9", "libvpx-vp9")


def test_rendering_again_gives_the_same_pictures():
    film = next(film for film in FILMS if film.name == "tilt_down/mountains.mp4")
    shipped = frames_of(SAMPLE_VIDEOS / film.name).astype(int)
    assert np.abs(shoot(film).astype(int) - shipped).mean() < 4
