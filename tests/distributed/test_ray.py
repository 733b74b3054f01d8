"""The same table from Ray as from this machine, whoever is killed. Real clusters, real videos."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hiera_cli.inputs import expand_inputs
from hiera_cli.options import EngineOptions
from hiera_cli.tasks.features.table import write_features
from tests.media import write_blocks
from tests.models import save_tiny

pytest.importorskip("ray")

NUM_CLIPS = 150  # more than two actors answer at once: some are left when one is lost
# Two machines, of which one may be lost on the way; and an actor that may be killed.
NODES = """
import sys
from functools import partial
import ray
from ray.cluster_utils import Cluster
from hiera_cli.distributed.jobs import open_ray_workers
from hiera_cli.inputs import expand_inputs
from hiera_cli.options import EngineOptions
from hiera_cli.distributed.options import RayOptions
from hiera_cli.tasks.features.table import write_features

videos, model, out, accident = sys.argv[1:]
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
second = cluster.add_node(num_cpus=1)
ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
options = RayOptions(engine="ray", num_actors=2)
records = write_features(
    expand_inputs([videos]), out,
    options=EngineOptions(model=model, device="cpu", batch_size="2"),
    open_workers=partial(open_ray_workers, options),
)
for number, record in enumerate(records):
    if number == 8 and accident == "node":
        cluster.remove_node(second, allow_graceful=False)
    if number in (8, 16) and accident == "actor":
        actors = [a for a in ray._private.state.actors().values() if a["State"] == "ALIVE"]
        import os, signal
        os.kill(actors[-1]["Pid"], signal.SIGKILL)
print(len({node["NodeID"] for node in ray.nodes()}), "machines", flush=True)
ray.shutdown()
cluster.shutdown()
"""


def environment() -> dict[str, str]:
    return {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": os.pathsep.join(sys.path)}


def local(videos: Path, model: Path, out: Path) -> Path:
    options = EngineOptions(model=str(model), device="cpu", batch_size="2", isolate=False)
    for _ in write_features(expand_inputs([str(videos)]), out, options=options):
        pass
    return out


def command(videos: Path, model: Path, out: Path, *more: str) -> list[str]:
    hiera = [sys.executable, "-m", "hiera_cli", "extract-features", str(videos), "-o", str(out)]
    return [*hiera, "-m", str(model), "--device", "cpu", "--batch-size", "2", *more]


def make_videos(folder: Path, num: int) -> Path:
    for index in range(num):
        write_blocks(folder / f"{index:02d}.mp4", num_frames=8 + 5 * (index % 9), seed=index)
    (folder / "17b.mp4").write_bytes(b"no video")
    return folder


def assert_same(one: Path, other: Path) -> None:
    """Row for row, and in what they say about themselves."""
    tables = [pq.read_table(path) for path in (one, other)]
    assert tables[0].equals(tables[1])
    assert tables[0].schema.metadata == tables[1].schema.metadata
    errors = [Path(f"{path}.errors.jsonl").read_bytes() for path in (one, other)]
    assert errors[0] == errors[1]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_videos(tmp_path_factory.mktemp("ray") / "videos", NUM_CLIPS)


def test_two_actors_give_the_table_of_this_machine(tmp_path: Path, model: Path) -> None:
    videos = make_videos(tmp_path / "videos", 4)
    whole, out = local(videos, model, tmp_path / "whole.parquet"), tmp_path / "ray.parquet"
    words = command(videos, model, out, "--engine", "ray", "--num-actors", "2")
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, check=False)

    assert done.returncode == 3, done.stderr
    assert done.stdout == ""
    assert "failed: 17b.mp4" in done.stderr
    assert_same(whole, out)


@pytest.mark.slow
@pytest.mark.parametrize("accident", ["none", "actor", "node"])
def test_two_machines(tmp_path: Path, videos: Path, model: Path, accident: str) -> None:
    whole, out = local(videos, model, tmp_path / "whole.parquet"), tmp_path / "ray.parquet"
    words = [sys.executable, "-c", NODES, str(videos), str(model), str(out), accident]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "2 machines" in done.stdout
    assert ("an actor died" in done.stderr) == (accident != "none"), done.stderr
    assert_same(whole, out)


@pytest.mark.slow
def test_a_killed_driver_is_continued(tmp_path: Path, videos: Path, model: Path) -> None:
    whole, out = local(videos, model, tmp_path / "whole.parquet"), tmp_path / "ray.parquet"
    words = command(videos, model, out, "--engine", "ray", "--num-actors", "2")
    driver = subprocess.Popen(words, env=environment(), stderr=subprocess.PIPE)
    journals = out.with_name("ray.parquet.partial")
    while sum(p.read_bytes().count(b"\n") for p in journals.glob("rows-*.jsonl")) < 5:
        assert driver.poll() is None, driver.communicate()[1]
        time.sleep(0.01)
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    assert not out.exists()
    again = subprocess.run(words, env=environment(), capture_output=True, text=True, check=False)

    assert again.returncode == 3, again.stderr
    assert "videos are finished already" in again.stderr
    assert_same(whole, out)


@pytest.mark.slow
def test_eval_on_ray_predicts_the_same(tmp_path: Path, videos: Path, model: Path) -> None:
    for index, file in enumerate(sorted(videos.glob("[0-9][0-9].mp4"))[:12]):
        place = tmp_path / "data" / ("run", "jump", "sit")[index % 3] / file.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(file)
    tables = []
    for more in ([], ["--engine", "ray", "--num-actors", "2"]):
        out = tmp_path / f"out{len(more)}"
        words = [sys.executable, "-m", "hiera_cli", "eval", str(tmp_path / "data"), "-o", str(out)]
        words += ["-m", str(model), "--device", "cpu", "--batch-size", "2", *more]
        done = subprocess.run(words, env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        tables.append(pq.read_table(out / "predictions.parquet"))
    assert tables[0].num_rows == 12
    assert tables[0].equals(tables[1])
