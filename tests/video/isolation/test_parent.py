"""Decoding in a child process: the same events, and a child that can die."""

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hiera_cli.errors import MediaError
from hiera_cli.video.decode import Finished, Frame, Limits, Planned, decode_video
from hiera_cli.video.decode import probe as probe_file
from hiera_cli.video.isolation import worker
from hiera_cli.video.isolation.parent import DecodeProcess
from hiera_cli.video.protocols import PROTOCOLS
from tests.media import read_number, write_clip

FAST, DENSE = PROTOCOLS["fast"], PROTOCOLS["dense"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "é clip.mp4", 90)


def frames(events: list[object]) -> list[tuple[int, int]]:
    return [(e.frame_index, read_number(e.rgb)) for e in events if isinstance(e, Frame)]


@pytest.mark.parametrize("protocol", [FAST, DENSE], ids=["fast", "dense"])
def test_events_are_those_of_decoding_here(clip: Path, protocol: object, process) -> None:
    here = list(decode_video(str(clip), protocol))
    there = list(process.decode(str(clip), protocol, limits=Limits()))
    assert [type(e) for e in there] == [type(e) for e in here]
    assert frames(there) == frames(here)
    for one, other in zip(here, there, strict=True):
        if isinstance(one, Planned | Finished):
            assert other.clips == one.clips
            assert replace(other.info, timeline=one.info.timeline).__repr__() == repr(one.info)
            np.testing.assert_array_equal(
                other.info.timeline.times_seconds, one.info.timeline.times_seconds
            )


def test_one_child_serves_many_videos_and_probes(clip: Path, process: DecodeProcess) -> None:
    list(process.decode(str(clip), FAST, limits=Limits()))
    pid = process.pid
    assert process.probe(str(clip), count=True, limits=Limits()).num_frames == 90
    assert probe_file(str(clip)).num_frames == 90
    with pytest.raises(MediaError) as error:
        process.probe(str(clip.parent / "gone.mp4"), count=True, limits=Limits())
    assert error.value.kind == "not_found"
    assert process.pid == pid


def test_a_child_killed_from_outside_is_replaced_and_nothing_is_lost(
    clip: Path, process: DecodeProcess
) -> None:
    expected = list(decode_video(str(clip), DENSE))
    events = process.decode(str(clip), DENSE, limits=Limits())
    seen = [next(events), next(events)]
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    rest = list(events)
    again = max(i for i, e in enumerate(seen + rest) if isinstance(e, Planned))
    assert again > 0
    assert frames((seen + rest)[again:]) == frames(expected)


def test_a_stuck_child_is_killed_at_the_time_limit(
    clip: Path, process: DecodeProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "GRACE_SECONDS", 0.0)
    list(process.decode(str(clip), FAST, limits=Limits()))  # the child is up
    pid = process.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(MediaError) as error:
        list(process.decode(str(clip), FAST, limits=Limits(timeout_seconds=0.5)))
    assert error.value.kind == "timeout"
    assert time.monotonic() - began < 20
    assert not Path(f"/proc/{pid}").exists()
    assert frames(list(process.decode(str(clip), FAST, limits=Limits())))


def test_a_slow_consumer_is_not_taken_for_a_stuck_child(
    clip: Path, process: DecodeProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "GRACE_SECONDS", 0.0)
    list(process.decode(str(clip), FAST, limits=Limits()))
    events = process.decode(str(clip), DENSE, limits=Limits(timeout_seconds=10.0))
    first = next(events)
    threading.Event().wait(0.5)
    assert isinstance(first, Planned)
    assert isinstance(list(events)[-1], Finished)


def test_leaving_early_ends_the_child(clip: Path, process: DecodeProcess) -> None:
    events = process.decode(str(clip), DENSE, limits=Limits())
    next(events)
    pid = process.pid
    events.close()
    assert process.pid is None
    assert not Path(f"/proc/{pid}").exists()


def test_stopping_from_another_thread_ends_the_wait_and_starts_nothing_more(
    clip: Path, process: DecodeProcess
) -> None:
    list(process.decode(str(clip), FAST, limits=Limits()))  # the child is up
    pid = process.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    threading.Timer(0.3, process.stop).start()
    began = time.monotonic()
    with pytest.raises(MediaError):
        list(process.decode(str(clip), FAST, limits=Limits(timeout_seconds=None)))
    assert time.monotonic() - began < 10
    assert process.pid is None
    with pytest.raises(MediaError, match="stopped"):
        list(process.decode(str(clip), FAST, limits=Limits()))
