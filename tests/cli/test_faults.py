"""What the machine does to a run: signals, closed pipes, full disks, folders that vanish."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
import psutil
import pytest

from tests.media import write_blocks
from tests.models import SMALL_VIDEO, save_tiny

NUM_VIDEOS = 120
HIERA = [sys.executable, "-m", "hiera_cli"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """So many that no run is over before something happens to it."""
    folder = tmp_path_factory.mktemp("videos")
    clip = write_blocks(folder / "000.mp4", num_frames=20)
    for number in range(1, NUM_VIDEOS):
        shutil.copy(clip, folder / f"{number:03d}.mp4")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny(tmp_path_factory.mktemp("model") / "tiny", SMALL_VIDEO))


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*HIERA, *map(str, arguments), "--device", "cpu", "--batch-size", "1", "--workers", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)


def size_of(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file())


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and stderr of a run that should end by itself, with all its children."""
    children = psutil.Process(process.pid).children(recursive=True)
    _, stderr = process.communicate(timeout=120)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert "Traceback" not in stderr
    assert "internal error" not in stderr
    return process.returncode, stderr


def test_an_interrupted_table_goes_on_where_it_was(
    videos: Path, model: str, tmp_path: Path
) -> None:
    out = tmp_path / "features.parquet"
    command = ("extract-features", videos, "-m", model, "-o", out)
    assert interrupted(command, signal.SIGINT, tmp_path) == 130
    assert not out.exists()

    code, stderr = ended(start(*command))
    assert code == 0
    told = next(line for line in stderr.splitlines() if line.endswith("are finished already"))
    assert 0 < int(told.split()[0]) < NUM_VIDEOS
    assert pd.read_parquet(out).path.nunique() == NUM_VIDEOS


def test_terminating_is_interrupting(videos: Path, model: str, tmp_path: Path) -> None:
    command = ("extract-features", videos, "-m", model, "-o", tmp_path / "features.parquet")
    assert interrupted(command, signal.SIGTERM, tmp_path) == 130


def interrupted(command: Sequence[object], number: signal.Signals, folder: Path) -> int:
    """Exit code of a run that gets a signal when some videos are finished."""
    process = start(*command)
    wait_for(lambda: size_of(folder, "*.partial/*") > 10_000, process)
    process.send_signal(number)
    code, stderr = ended(process)
    kept = re.fullmatch(
        r"interrupted; finished work is kept: (\d+) of 120 videos; the same command goes on from "
        "there",
        stderr.splitlines()[-1],
    )
    assert kept is not None
    assert 0 < int(kept[1]) < NUM_VIDEOS
    return code


def test_interrupted_records_are_those_that_are_finished(
    videos: Path, model: str, tmp_path: Path
) -> None:
    out = tmp_path / "records.json"
    process = start("classify", videos, "-m", model, "-o", out)
    wait_for(lambda: size_of(tmp_path, ".records.json*") > 0, process)
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 130
    records = json.loads(out.read_text())
    assert 0 < len(records) < NUM_VIDEOS
    assert all(len(record["predictions"]) == 3 for record in records)
    assert [path.name for path in tmp_path.iterdir()] == ["records.json"]


STUBBORN = """
import time
from hiera_cli.cli.app import _guard
def stubborn():
    while True:
        try:
            print("working", flush=True)
            time.sleep(100)
        except KeyboardInterrupt:
            pass
_guard(stubborn)()
"""


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_the_second_interrupt_stops_at_once(second: signal.Signals) -> None:
    process = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "working\n"  # the first one was taken, and survived
        process.send_signal(second)
        assert process.wait(timeout=10) == -second


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
def test_a_closed_pipe_ends_quietly_and_well(videos: Path, form: str) -> None:
    probe = " ".join([*HIERA, "probe", str(videos), "--no-isolate", "-f", form])
    script = f"{probe} | head -n 1 > /dev/null; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
def test_a_full_disk_behind_stdout(videos: Path, form: str) -> None:
    with open("/dev/full", "w") as full:
        command = [*HIERA, "probe", str(videos / "000.mp4"), "-f", form]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        "error: cannot write: No space left on device",
        "hint: free some space and run the same command again",
    ]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kilobytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount a tmpfs here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_full_disk_leaves_nothing_half_written(videos: Path, small_disk: Path, form: str) -> None:
    (small_disk / "ballast").write_bytes(bytes(60 * 1024))
    command = [*HIERA, "probe", str(videos), "--no-isolate", "-o", str(small_disk / f"x.{form}")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 1
    assert "error: cannot write: No space left on device" in result.stderr
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]


def test_a_table_whose_folder_vanishes(videos: Path, model: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    process = start("extract-features", videos, "-m", model, "-o", folder / "features.parquet")
    wait_for(lambda: size_of(folder, "*.partial/*") > 10_000, process)
    shutil.rmtree(folder)
    code, stderr = ended(process)
    assert code == 1
    assert f"error: cannot write '{folder}/features.parquet'" in stderr


def test_records_whose_folder_vanishes(videos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    command = [*HIERA, "probe", str(videos), "-o", str(folder / "records.json")]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    wait_for(lambda: size_of(folder, ".records.json*") > 0, process)
    shutil.rmtree(folder)
    code, stderr = ended(process)
    assert code == 1
    assert f"error: cannot write '{folder}/records.json'" in stderr
    assert "hint: run the same command again" in stderr


def test_no_place_to_keep_anything(videos: Path) -> None:
    places = ("HOME", "XDG_CACHE_HOME", "HIERA_CACHE", "HF_HOME")
    nowhere = dict.fromkeys(places, "/proc/nowhere")
    command = [*HIERA, "classify", str(videos / "000.mp4"), "-m", "camera-motion", "-f", "jsonl"]
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env=ENVIRONMENT | nowhere
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert len(json.loads(result.stdout)["predictions"]) == 5
