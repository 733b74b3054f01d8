"""What the decoding child may do, and when it ends. (What it answers: test_isolate.py.)"""

import json
import os
import re
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from hiera_cli.video.decode import Limits
from hiera_cli.video.isolation.child import memory_limit
from hiera_cli.video.isolation.parent import DecodeProcess
from tests.media import write_clip

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
PARENT = """
import sys, time
from hiera_cli.video.decode import Limits
from hiera_cli.video.isolation.parent import DecodeProcess
process = DecodeProcess()
process.probe(sys.argv[1], count=True, limits=Limits())
print(process.pid, flush=True)
time.sleep(100)
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", 20))


def test_it_writes_no_files_and_has_memory_for_the_pictures_that_are_allowed(clip: str) -> None:
    with closing(DecodeProcess()) as process:
        for max_pixels in (10**6, 10**7, 2 * 10**4):
            process.probe(clip, count=True, limits=Limits(max_pixels=max_pixels))
            table = Path(f"/proc/{process.pid}/limits").read_text()
            names = ("file size", "address space")
            soft = {name: re.search(rf"Max {name} +(\S+)", table) for name in names}
            found = {name: match.group(1) for name, match in soft.items() if match}
            assert found == {"file size": "0", "address space": str(memory_limit(max_pixels))}
    assert memory_limit(Limits().max_pixels) < 9 << 30


def test_it_has_one_thread(clip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each core of a large machine would take all the address space it has."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    with closing(DecodeProcess()) as process:
        process.probe(clip, count=True, limits=Limits())
        assert "Threads:\t1\n" in Path(f"/proc/{process.pid}/status").read_text()


def test_it_ends_with_its_parent(clip: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, clip], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    until = time.monotonic() + 10
    while is_running(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(child)


def is_running(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_request_that_means_nothing_is_answered(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path / "none.mp4").hex()
    request = {"path": path, "count": True, "limits": {"no such limit": 1}}
    result = subprocess.run(
        [sys.executable, "-m", "hiera_cli.video.isolation.child", str(os.getpid())],
        input=json.dumps(request).encode() + b"\n",
        capture_output=True,
        timeout=60,
    )
    assert result.returncode == 0
    size = int.from_bytes(result.stdout[:4], "little")
    answer = json.loads(result.stdout[4 : 4 + size])
    assert answer["error"] == "internal"
