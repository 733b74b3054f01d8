"""A long run over good and damaged files while its decoders are killed from outside.

The long form takes minutes and draws the memory of the main process:
`HIERA_SOAK_PLOT=memory.png pytest -m slow tests/tasks/features/test_soak.py`.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median

import pandas as pd
import psutil
import pytest

from hiera_cli.errors import MediaError
from hiera_cli.video.decode import Limits, probe
from tests.media import write_blocks
from tests.video.clips import tiny_clips
from tests.video.mutation import mutate

SAMPLE_SECONDS = 0.2
MEAN_SECONDS_TO_KILL = 0.5
MAX_GROWTH_MEGABYTES = 30.0


@dataclass
class Watch:
    """A run as seen from outside.

    Attributes:
        seconds: since the start, of each sample.
        megabytes: resident memory of the main process.
        num_kills: decoders killed.
    """

    seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    num_kills: int = 0

    @property
    def growth_megabytes(self) -> float:
        """From the second quarter of the run, when everything is loaded, to the last."""
        quarter = len(self.megabytes) // 4
        return median(self.megabytes[-quarter:]) - median(self.megabytes[quarter : 2 * quarter])


def make_files(folder: Path, num_files: int) -> tuple[set[str], set[str]]:
    """Write the files, every third of them unreadable; names of the good and of the bad ones."""
    random, good, bad = Random(6), set(), set()
    clips = [content for _name, content in tiny_clips(folder.parent)]
    (folder / "sub").mkdir(parents=True)
    for number in range(num_files):
        name = f"{'sub/' * (number % 2)}{number:05d}.mp4"
        if number % 3 == 2:
            write_unreadable(folder / name, random.choice(clips), random)
            bad.add(name)
        elif number % 5 == 0:
            (folder / name).write_bytes(random.choice(clips))
            good.add(name)
        else:
            frames = random.randrange(1, 60)
            write_blocks(folder / name, num_frames=frames, seed=number % 50)
            good.add(name)
    return good, bad


def write_unreadable(path: Path, content: bytes, random: Random) -> None:
    """Damage the content until nothing can be read of it."""
    while True:
        content = mutate(content, content, random)
        path.write_bytes(content)
        try:
            probe(str(path), limits=Limits(timeout_seconds=5.0))
        except MediaError:
            return


def extract(folder: Path, out: Path, model: str) -> subprocess.Popen[str]:
    """A run in a process of its own, isolated as it is by default."""
    command = [sys.executable, "-m", "hiera_cli", "extract-features", folder, "--out", out]
    flags = ["--protocol", "fast", "--device", "cpu", "--workers", "1", "--threads", "1"]
    return subprocess.Popen(
        [*command, "-m", model, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def watch(process: subprocess.Popen[str], random: Random) -> Watch:
    """Sample its memory and kill its decoders until it ends."""
    seen, main, began = Watch(), psutil.Process(process.pid), time.monotonic()
    working_seconds, next_kill = 1.5 * seconds_to_start(), 0.0
    while process.poll() is None:
        time.sleep(SAMPLE_SECONDS)
        elapsed = time.monotonic() - began
        try:
            if resident := main.memory_info().rss:  # none in its last moment
                seen.megabytes.append(resident / 2**20)
                seen.seconds.append(elapsed)
            enough = working_seconds if seen.num_kills else 0.0  # the first one as it starts
            if elapsed >= next_kill and (decoders := list(decoders_of(main, enough))):
                random.choice(decoders).kill()
                seen.num_kills += 1
                next_kill = elapsed + random.expovariate(1 / MEAN_SECONDS_TO_KILL)
        except psutil.NoSuchProcess:
            continue
    return seen


def seconds_to_start() -> float:
    """CPU time of a decoder that is asked for nothing."""
    command = [sys.executable, "-m", "hiera_cli.video.isolation.child", str(os.getpid())]
    with psutil.Popen(command, stdin=subprocess.PIPE) as decoder:
        before = psutil.Process().cpu_times()
        decoder.communicate(b"")
        after = psutil.Process().cpu_times()
    return sum(after[2:4]) - sum(before[2:4])  # of children that ended, user and system


def decoders_of(main: psutil.Process, working_seconds: float) -> Iterator[psutil.Process]:
    """Those that have worked for so long, so that no file meets two kills in a row."""
    for child in main.children():
        if "hiera_cli.video.isolation.child" in child.cmdline() and sum(child.cpu_times()[:2]) > (
            working_seconds
        ):
            yield child


def draw(seen: Watch, path: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(seen.seconds, seen.megabytes)
    axes.set(xlabel="seconds", ylabel="resident memory in MiB", ylim=(0, None))
    axes.set_title(f"main process; {seen.num_kills} decoders killed")
    figure.savefig(path)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("num_files", [90, pytest.param(2000, marks=pytest.mark.slow)])
def test_every_file_is_accounted_for_once_and_memory_is_flat(
    tmp_path: Path, num_files: int, tell: Callable[[str], None]
) -> None:
    good, bad = make_files(tmp_path / "videos", num_files)
    out = tmp_path / "features.parquet"
    process = extract(tmp_path / "videos", out, "camera-motion")
    seen = watch(process, Random(7))
    stdout, stderr = process.communicate()
    if plot := os.environ.get("HIERA_SOAK_PLOT"):
        draw(seen, plot)
        tell(report(seen, good, bad))

    assert process.returncode == 3, stderr
    assert stdout == ""
    assert "Traceback" not in stderr
    table = pd.read_parquet(out)
    assert sorted(table.path) == sorted(good)  # one clip each, so each once
    lines = Path(f"{out}.errors.jsonl").read_text().splitlines()
    failures = [json.loads(line) for line in lines]
    assert sorted(failure["path"] for failure in failures) == sorted(bad)
    assert not [failure for failure in failures if failure["kind"] == "internal"]
    assert seen.num_kills > num_files // 500
    if num_files >= 1000:  # a short run is all warm-up
        assert seen.growth_megabytes < MAX_GROWTH_MEGABYTES, report(seen, good, bad)


def report(seen: Watch, good: set[str], bad: set[str]) -> str:
    quarter = len(seen.megabytes) // 4
    return (
        f"{len(good)} good, {len(bad)} bad files in {seen.seconds[-1]:.0f} s, "
        f"{seen.num_kills} decoders killed; main process in MiB: after a quarter "
        f"{seen.megabytes[quarter]:.0f}, last {seen.megabytes[-1]:.0f}, peak "
        f"{max(seen.megabytes):.0f}, growth {seen.growth_megabytes:+.0f}"
    )
