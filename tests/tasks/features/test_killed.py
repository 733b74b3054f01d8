"""kill -9 at random moments: the table is the one of an uninterrupted run, byte for byte."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.media import write_blocks

NUM_CLIPS = 40
RUNNER = """
import os, sys, torch
from hiera_cli.inputs import expand_inputs
from hiera_cli.options import EngineOptions
from hiera_cli.tasks.features import table  # everything is imported before the first fork
videos, model = sys.argv[1:]
for out in sys.stdin:
    pid = os.fork()
    if pid == 0:
        torch.set_num_threads(1)
        options = EngineOptions(
            model=model, device="cpu", batch_size="2", workers="1", isolate=False
        )
        files = expand_inputs([videos])
        for _ in table.write_features(files, out.strip(), options=options):
            pass
        os._exit(0)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Runs:
    """Runs over the same videos, each in a process of its own that can be killed."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", RUNNER, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, out: Path, *, kill_after_seconds: float | None = None) -> int:
        """The exit code of a run, negative for the signal that ended it."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{out}\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        if kill_after_seconds is not None:
            time.sleep(kill_after_seconds)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return int(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture
def runs(tmp_path: Path, tiny_model: Path) -> Iterator[Runs]:
    for index in range(NUM_CLIPS):
        frames = 8 + 5 * (index % 9)
        write_blocks(tmp_path / "videos" / f"{index:02d}.mp4", num_frames=frames, seed=index)
    (tmp_path / "videos" / "17b.mp4").write_bytes(b"no video")
    made = Runs(str(tmp_path / "videos"), str(tiny_model))
    yield made
    made.close()


@pytest.mark.parametrize("num_wanted", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_at_random_moments(runs: Runs, tmp_path: Path, num_wanted: int) -> None:
    whole, killed = tmp_path / "whole.parquet", tmp_path / "killed.parquet"
    started = time.monotonic()
    assert runs.run(whole) == 0
    whole_seconds = time.monotonic() - started

    moments, num_kills = random.Random(4), 0
    while num_kills < num_wanted:
        delay = moments.uniform(0.05, 0.4) * whole_seconds
        code = runs.run(killed, kill_after_seconds=delay)
        assert code in (0, -signal.SIGKILL)
        num_kills += code != 0
        if code == 0 and num_kills < num_wanted:
            assert killed.read_bytes() == whole.read_bytes()
            killed.unlink()
    assert runs.run(killed) == 0

    assert killed.read_bytes() == whole.read_bytes()
    errors = [path.with_name(path.name + ".errors.jsonl") for path in (whole, killed)]
    assert errors[0].read_bytes() == errors[1].read_bytes()
    assert len(list(tmp_path.iterdir())) == 5  # nothing is left behind
