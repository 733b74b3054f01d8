"""What Ray costs with one actor, against this process: the same clips, taking turns.

From the first video to the last; starting a cluster and ending it is told apart.
"""

import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from tests.media import write_blocks

pytest.importorskip("ray")

FOOTAGE = Path(__file__).parents[3] / "shared" / "data"
NUM_CLIPS, ROUNDS = 200, 5
TURNS = """
import sys, time
from functools import partial
from hiera_cli.distributed.jobs import open_ray_workers
from hiera_cli.distributed.options import RayOptions
from hiera_cli.inputs import expand_inputs
from hiera_cli.options import EngineOptions
from hiera_cli.tasks.features.table import write_features

names, out, rounds = sys.argv[1:]
ray = partial(open_ray_workers, RayOptions(engine="ray", num_actors=1))

def run(name, workers):
    records = write_features(
        expand_inputs(["@" + names]), f"{out}/{name}.parquet", open_workers=workers,
        options=EngineOptions(model="camera-motion", device="cpu"),
    )
    next(records)  # the model is loaded
    begun = last = time.perf_counter()
    for record in records:
        assert record.num_clips
        last = time.perf_counter()
    return last - begun, time.perf_counter() - last

for number in range(int(rounds)):
    for engine, workers in (("local", None), ("ray", ray)):
        print(engine, *run(f"{engine}{number}", workers), flush=True)
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_one_actor_against_this_process(tmp_path: Path, capsys) -> None:
    files = sorted(map(str, FOOTAGE.glob("wagons/**/*.mp4")))[:NUM_CLIPS]
    for number in range(NUM_CLIPS - len(files)):
        files.append(str(write_blocks(tmp_path / f"{number}.mp4", num_frames=250, seed=number)))
    (tmp_path / "list.txt").write_text("\n".join(files))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("OMP_NUM_THREADS", None)
    told = subprocess.run(
        [sys.executable, "-c", TURNS, str(tmp_path / "list.txt"), str(tmp_path), str(ROUNDS)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ).stdout
    seconds: dict[str, list[float]] = {"local": [], "ray": []}
    closing: dict[str, list[float]] = {"local": [], "ray": []}
    for line in told.splitlines():
        engine, working, ending = line.split()
        seconds[engine].append(float(working))
        closing[engine].append(float(ending))
    ratios = [ray / local for local, ray in zip(*seconds.values(), strict=True)]
    with capsys.disabled():
        for engine, all_rounds in seconds.items():
            shown = " ".join(f"{one:.1f}" for one in all_rounds)
            end = statistics.median(closing[engine])
            sys.stdout.write(
                f"\n{engine}: {shown} s for {NUM_CLIPS} clips, then {end:.1f} s to end"
            )
        sys.stdout.write(f"\nratio: {statistics.median(ratios):.3f} (median)\n")
    assert statistics.median(ratios) < 1.1
