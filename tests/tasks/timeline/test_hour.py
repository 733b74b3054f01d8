"""An hour of video: memory stays flat, and a timeline costs what features of its windows cost.

Run with `python -m pytest -m slow -n 0 -s tests/tasks/timeline/test_hour.py`; it prints what it
measured. Both commands take the same windows of the same file, in turns.
"""

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import av
import pytest

from hiera_cli.synth.options import FilmOptions
from hiera_cli.tasks.films import synthesise_films

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]
HOP_SECONDS, ROUNDS = 1.0, 2
PART_SECONDS, HOUR_SECONDS = 360, 3600


@dataclass(frozen=True)
class Cost:
    """Wall time and processor time in seconds, and peak memory in MiB, of the largest process."""

    wall_seconds: float
    processor_seconds: float
    peak_mib: float


def repeat(source: Path, path: Path, *, seconds: float) -> Path:
    """The packets of a film over and over, until it lasts so long."""
    with av.open(str(source)) as film, av.open(str(path), "w") as output:
        stream = film.streams.video[0]
        copied = output.add_stream_from_template(stream)
        packets = [packet for packet in film.demux(stream) if packet.dts is not None]
        assert stream.duration is not None
        assert stream.time_base is not None
        length = int(stream.duration)
        times = [(packet.dts, packet.pts) for packet in packets]
        for turn in range(int(seconds / (length * stream.time_base)) + 1):
            for packet, (dts, pts) in zip(packets, times, strict=True):
                assert dts is not None
                assert pts is not None
                packet.dts, packet.pts = dts + turn * length, pts + turn * length
                packet.stream = copied
                output.mux(packet)
    return path


def run(*arguments: object) -> Cost:
    command = [sys.executable, "-m", "hiera_cli", *map(str, arguments)]
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    wall = time.perf_counter() - begin
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def test_memory_is_flat_and_the_throughput_that_of_features(tmp_path: Path) -> None:
    options = FilmOptions(out=tmp_path / "films", num=1, seed=9, plain=True)
    (film,) = synthesise_films(options)
    part = repeat(film, tmp_path / "part.mp4", seconds=PART_SECONDS)
    hour = repeat(film, tmp_path / "hour.mp4", seconds=HOUR_SECONDS)
    how = ("-m", "camera-motion", "--hop", HOP_SECONDS, "--device", "cpu", "-q")

    def timeline(video: Path) -> Cost:
        return run("timeline", video, *how, "-f", "json", "-o", tmp_path / "timeline.json")

    short = timeline(part)
    ours, theirs = [], []
    for turn in range(ROUNDS):
        ours.append(timeline(hour))
        table = tmp_path / f"features-{turn}.parquet"
        theirs.append(run("extract-features", hour, *how, "-o", table))
    sys.stdout.write(f"\ntimeline, {PART_SECONDS} s: {short}\n")
    for name, costs in (("timeline", ours), ("extract-features", theirs)):
        for cost in costs:
            sys.stdout.write(f"{name}, {HOUR_SECONDS} s: {cost}\n")
    wall, processor = (
        statistics.median(
            getattr(o, kind) / getattr(t, kind) for o, t in zip(ours, theirs, strict=True)
        )
        for kind in ("wall_seconds", "processor_seconds")
    )
    sys.stdout.write(f"timeline / extract-features: wall {wall:.2f}, processor {processor:.2f}\n")
    assert max(cost.peak_mib for cost in ours) < short.peak_mib + 64
    assert processor < 1.15
