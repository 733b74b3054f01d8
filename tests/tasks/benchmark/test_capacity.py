"""A plan is arithmetic on what one view costs; and it is checked against a run."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from hiera_cli.errors import UsageError
from hiera_cli.inference.backend import make_backend
from hiera_cli.inference.open import loader_options
from hiera_cli.options import EngineOptions
from hiera_cli.tasks.benchmark.capacity import Workload, plan, plan_capacity, plan_work, views_of
from hiera_cli.tasks.benchmark.costs import (
    ViewCosts,
    measure_costs,
    read_costs,
    read_seconds,
    spread,
    stated_costs,
)
from hiera_cli.tasks.benchmark.generated import generated_videos, moving_texture
from hiera_cli.tasks.benchmark.options import PlanOptions
from hiera_cli.video.encode import write_video
from hiera_cli.video.protocols import make_protocol
from tests.models import tiny_loaded_model

GPU = ViewCosts("test", "a GPU", 16, 1, 0.05, 0.01, 1.0, 10.0, 100.0)
CORES = ViewCosts("test", "cores", 4, 0, 0.05, 0.01, 1.0, 10.0, 100.0)
WORK = Workload(num_videos=100, seconds=10, num_views=3600, source_bytes=1e6, output_bytes=0)


def asked(**values: object) -> PlanOptions:
    return PlanOptions(plan=True, videos=100, **values)


def test_gpus_wait_for_few_cores() -> None:
    found = plan_capacity(GPU, WORK, asked(gpus=2, cores=12))
    # 3600 views of 0.05 s on the 10 cores that drive no GPU; the GPUs would take 18 s
    assert found.asked.wall_hours * 3600 == pytest.approx(18.0)
    assert found.asked.bottleneck == "model"
    assert found.balanced_cores_per_gpu == pytest.approx(6.0)
    few = plan_capacity(GPU, WORK, asked(gpus=2, cores=7)).asked
    assert (few.wall_hours * 3600, few.bottleneck) == (pytest.approx(36.0), "reading")
    assert few.gpu_hours * 3600 == pytest.approx(36.0)  # at work; held are 72
    assert few.source_bytes_per_second == pytest.approx(1e6 / 36)
    assert few.videos_per_second == pytest.approx(100 / 36)


def test_the_bottleneck_moves_with_the_cores() -> None:
    found = plan_capacity(GPU, WORK, asked(gpus=1))
    assert [one.num_cores for one in found.others] == [1, 2, 4, 8, 16, 32, 64]
    assert [one.bottleneck for one in found.others] == ["reading"] * 3 + ["model"] * 4
    assert found.others[0].wall_hours == float("inf")  # the only core drives the GPU
    assert found.asked.num_cores == 16


def test_on_cores_both_stages_add_up() -> None:
    found = plan_capacity(CORES, WORK, asked(gpus=0, cores=4)).asked
    assert found.wall_hours * 3600 == pytest.approx(3600 * 0.06 / 4)
    assert (found.bottleneck, found.gpu_hours) == ("reading", 0.0)
    slow = replace(CORES, read_seconds=0.0, model_seconds=0.05)  # on one core of four
    assert plan_capacity(slow, WORK, asked(cores=4)).asked.wall_hours * 3600 == pytest.approx(180)
    assert plan_capacity(slow, WORK, asked(cores=8)).asked.wall_hours * 3600 == pytest.approx(90)


def test_views_are_those_that_the_protocol_takes() -> None:
    assert views_of(10.0, make_protocol("dense")) == 5  # 64 frames each, the last one shifted
    assert views_of(10.0, make_protocol("paper")) == 15
    work = plan_work(GPU, asked(seconds=60.0), make_protocol("fast"), row_bytes=8)
    assert (work.num_views, work.output_bytes, work.source_bytes) == (100, 800, 600_000)


def test_what_is_missing_or_does_not_fit_is_said() -> None:
    with pytest.raises(UsageError, match="for a plan") as caught:
        PlanOptions(videos=3)
    assert caught.value.hint == "add --plan"
    with pytest.raises(UsageError, match="timed on cores"):
        plan_capacity(CORES, WORK, asked(gpus=8))
    with pytest.raises(UsageError, match="number of cores"):
        plan_capacity(stated_costs(read_rate=20, model_rate=100), WORK, asked(gpus=8))
    with pytest.raises(UsageError, match="length of the videos"):
        plan_work(replace(GPU, video_seconds=None), asked(), make_protocol("fast"), row_bytes=8)


def test_rates_of_a_benchmark_elsewhere(tmp_path: Path) -> None:
    names = {"decode": 0.03, "preprocess": 0.02, "copy": 0.001, "model": 0.009, "end to end": 0.1}
    stages = [{"name": name, "seconds_per_view": value} for name, value in names.items()]
    report = {"backend": "torch on cuda, bfloat16", "machine": "H", "threads": 8, "stages": stages}
    file = tmp_path / "speed.json"
    file.write_text(json.dumps([report]))
    costs = read_costs(str(file))
    assert (costs.read_seconds, costs.model_seconds) == pytest.approx((0.05, 0.01))
    assert costs.num_devices == 1
    options = asked(rates=str(file), gpus=2, cores=12, seconds=10.0)
    found = plan([], EngineOptions(model="camera-motion"), options)
    assert found.work.num_views == 500
    assert found.asked.wall_hours * 3600 == pytest.approx(2.5)
    file.write_text("[]")
    with pytest.raises(UsageError, match="not what a benchmark wrote"):
        read_costs(str(file))


def test_reading_never_takes_less_than_no_time() -> None:
    assert read_seconds(1.5, 2.0) == 0.5
    assert read_seconds(1.5, 1.4) == 1.5


def test_costs_are_measured_on_a_sample() -> None:
    assert spread(range(100), 4) == [0, 25, 50, 75]
    loaded = tiny_loaded_model()
    options = EngineOptions(device="cpu", protocol="fast", batch_size="2")
    loader, backend = loader_options(options, loaded.preprocessing, "fast"), make_backend(loaded)
    with generated_videos(num=2, seconds=1.0) as files:
        num_bytes = sum(os.path.getsize(file.path) for file in files)
        costs = measure_costs(files, backend, loader, device=torch.device("cpu"), threads=1)
    assert costs.video_seconds == pytest.approx(1.0, abs=0.01)
    assert costs.source_bytes_per_second == pytest.approx(num_bytes / 2, rel=0.02)
    assert 0 < costs.read_seconds < 5
    assert 0 < costs.model_seconds < 5
    assert (costs.num_devices, costs.model_cores) == (0, 1.0)


FOOTAGE = Path(__file__).parents[4] / "shared" / "data"
HIERA = [sys.executable, "-m", "hiera_cli"]
MODEL = ["-m", "camera-motion", "--device", "cpu"]
NUM_FIRST = 20


def extraction(names: list[str], folder: Path) -> tuple[float, float]:
    """Seconds on the wall and of processors for the features of some videos."""
    (folder / "list.txt").write_text("\n".join(names))
    words = ["extract-features", f"@{folder / 'list.txt'}", "-o", str(folder / f"{len(names)}/")]
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*HIERA, *words, *MODEL], check=True, capture_output=True)
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.slow
@pytest.mark.skipif(not FOOTAGE.is_dir(), reason="needs the shared footage")
def test_a_plan_against_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints what was planned for some hundred clips and what they took, start-up excluded."""
    files = sorted(str(path) for path in FOOTAGE.glob("[ws][ak]*/**/*.mp4"))
    files = spread(files, 320)
    (tmp_path / "all.txt").write_text("\n".join(files))
    num = str(len(files) - NUM_FIRST)
    words = ["benchmark", f"@{tmp_path / 'all.txt'}", "--plan", "--videos", num, "-f", "json"]
    told = subprocess.run([*HIERA, *words, *MODEL], capture_output=True, check=True).stdout
    (planned,) = json.loads(told)
    wall_first, cpu_first = extraction(spread(files, NUM_FIRST), tmp_path)
    wall_all, cpu_all = extraction(files, tmp_path)

    wall, cpu = wall_all - wall_first, cpu_all - cpu_first
    planned_wall = 3600 * planned["asked"]["wall_hours"]
    planned_cpu = 3600 * planned["asked"]["cpu_hours"]
    with capsys.disabled():
        sys.stdout.write(
            f"\n{num} clips: {wall:.1f} s, planned {planned_wall:.1f}; "
            f"processor time {cpu:.1f} s, planned {planned_cpu:.1f}\n"
        )
    assert 0.7 < cpu / planned_cpu < 1.4


@pytest.mark.slow
def test_cores_for_the_highest_public_figure(tmp_path: Path, tell) -> None:
    """Prints what 28.6 videos of 15 s in 1080p a second ask of cores and of the GPU."""
    frames = (np.kron(f, np.ones((5, 6, 1), np.uint8))[:1080, :1920] for f in _texture(450))
    write_video(tmp_path / "film.mp4", frames, fps=30.0)
    words = ["benchmark", str(tmp_path / "film.mp4"), "-m", "hiera_base_16x224", "--plan"]
    words += ["--videos", "1000", "--gpus", "1", "--cores", "16", "--model-rate", "1000"]
    told = subprocess.run([*HIERA, *words, "-f", "json"], capture_output=True, check=True).stdout
    (found,) = json.loads(told)
    views = found["work"]["num_views"] / 1000
    cores = 28.6 * views * found["costs"]["read_seconds"]
    tell(
        f"{views:g} views a video: {28.6 * views:.0f} views a second; "
        f"{1000 * found['costs']['read_seconds']:.1f} ms of a core a view, {cores:.0f} cores"
    )
    assert cores > 1


def _texture(num_frames: int) -> Iterator[npt.NDArray[np.uint8]]:
    yield from moving_texture(num_frames, seed=0)
