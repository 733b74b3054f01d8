"""Films written anew: the same frames, times and sound as their source."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from hiera_cli.video.cut import Cut, cut_video
from hiera_cli.video.decode import probe
from hiera_cli.video.info import DEFAULT_LIMITS
from hiera_cli.video.rewrite import read_upright, rewrite_video
from hiera_cli.video.stills import read_stills
from tests.media import read_number, write_clip


def sound_of(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return (
            [bytes(p) for p in container.demux(audio=0) if p.size]
            if container.streams.audio
            else []
        )


@pytest.mark.parametrize("odd", [False, True])
def test_same_frames_times_and_sound(tmp_path: Path, odd: bool) -> None:
    times = [0.0, 0.04, 0.1, 0.3, 0.31, 0.5, 0.9] if odd else None
    source = write_clip(
        tmp_path / "in.mp4", 7 if odd else 40, times=times, audio_seconds=1.0, fps=Fraction(30)
    )
    info, out = probe(str(source)), tmp_path / "out.mp4"
    seen = list(rewrite_video(info, out, draw=lambda _, p: p, limits=DEFAULT_LIMITS))
    again = probe(str(out))
    assert len(seen) == again.num_frames == info.num_frames
    assert again.duration_seconds == pytest.approx(info.duration_seconds, abs=1e-3)
    assert np.allclose(again.timeline.times_seconds, info.timeline.times_seconds, atol=1e-3)
    assert sound_of(out) == sound_of(source) != []
    numbers = [read_number(p) for p in read_upright(str(out), limits=DEFAULT_LIMITS)]
    assert numbers == list(range(info.num_frames))


def test_stills_are_the_frames_on_display(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", 300)
    times = [0.0, 0.35, 5.0, 5.02, 9.99]
    numbers = [read_number(picture) for _, picture in read_stills(str(source), times)]
    assert numbers == [0, 10, 150, 150, 299]
    assert list(read_stills(str(tmp_path / "gone.mp4"), times)) == []


def test_cuts_are_copied_at_key_frames_and_encoded_elsewhere(tmp_path: Path) -> None:
    options = {"bf": "0", "sc_threshold": "0"}
    source = write_clip(tmp_path / "in.mp4", 60, gop=12, options=options, audio_seconds=2.0)
    info = probe(str(source))
    cuts = [
        Cut(12 / 30, 36 / 30, tmp_path / "a.mp4"),
        Cut(5 / 30, 20 / 30, tmp_path / "b.mp4"),
        Cut(48 / 30, 9.0, tmp_path / "c.mp4"),
        Cut(0.011, 0.012, tmp_path / "none.mp4"),
    ]
    written = {w.out.stem: w for w in cut_video(info, cuts, limits=DEFAULT_LIMITS)}
    assert {name: w.copied for name, w in written.items()} == {"a": True, "b": False, "c": True}
    for name, first, stop in (("a", 12, 36), ("b", 5, 20), ("c", 48, 60)):
        path = tmp_path / f"{name}.mp4"
        numbers = [read_number(p) for p in read_upright(str(path), limits=DEFAULT_LIMITS)]
        assert numbers == list(range(first, stop))
        assert sound_of(path)
    assert not (tmp_path / "none.mp4").exists()
