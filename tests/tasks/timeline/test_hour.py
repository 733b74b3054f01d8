"""An hour of video: memory stays flat, and a timeline costs what features of its windows cost.

Run with `python -m pytest -m slow -n 0 -s tests/tasks/timeline/test_hour.py`; it prints what it
measured. Both commands take the same windows of the same file, in turns. How much memory the
frames on their way take depends on what else the machine does; flat means that it does not grow.
"""

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import psutil
import pytest

from hiera_cli.synth.options import FilmOptions
from hiera_cli.tasks.films import synthesise_films

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]
HOP_SECONDS, ROUNDS = 1.0, 2
HOUR_SECONDS, WATCH_SECONDS = 3600, 0.5


@dataclass(frozen=True)
class Cost:
    """Wall and processor time in seconds; median memory in MiB in each quarter of the run."""

    wall_seconds: float
    processor_seconds: float
    quarters_mib: tuple[int, ...]


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
    watched, memory = psutil.Process(process.pid), []
    while process.returncode is None:
        memory.append(watched.memory_info().rss / 2**20)
        time.sleep(WATCH_SECONDS)
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status) if pid else None
    assert process.returncode == 0
    wall = time.perf_counter() - begin
    quarters = (int(np.median(part)) for part in np.array_split(memory, 4))
    return Cost(wall, usage.ru_utime + usage.ru_stime, tuple(quarters))


def test_memory_is_flat_and_the_throughput_that_of_features(tmp_path: Path) -> None:
    options = FilmOptions(out=tmp_path / "films", num=1, seed=9, plain=True)
    (film,) = synthesise_films(options)
    hour = repeat(film, tmp_path / "hour.mp4", seconds=HOUR_SECONDS)
    how = ("-m", "camera-motion", "--hop", HOP_SECONDS, "--device", "cpu", "-q")
    ours, theirs = [], []
    for turn in range(ROUNDS):
        ours.append(run("timeline", hour, *how, "-f", "json", "-o", tmp_path / "found.json"))
        table = tmp_path / f"features-{turn}.parquet"
        theirs.append(run("extract-features", hour, *how, "-o", table))
    for name, costs in (("timeline", ours), ("extract-features", theirs)):
        for cost in costs:
            sys.stdout.write(f"\n{name}: {cost}")
    wall, processor = (
        statistics.median(
            getattr(one, kind) / getattr(other, kind)
            for one, other in zip(ours, theirs, strict=True)
        )
        for kind in ("wall_seconds", "processor_seconds")
    )
    sys.stdout.write(f"\ntimeline / features: wall {wall:.2f}, processor {processor:.2f}\n")
    for _, _, third, last in (cost.quarters_mib for cost in ours):
        assert last < third + 64
    assert processor < 1.15
