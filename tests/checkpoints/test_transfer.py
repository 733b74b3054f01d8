import hashlib
import multiprocessing
import shutil
import threading
import time
from collections import namedtuple
from pathlib import Path

import pytest

from hiera_cli.checkpoints.transfer import download_file, file_sha256, recorded_sha256
from hiera_cli.errors import OutputError, UsageError, WeightsError
from tests.checkpoints.server import Server

BODY = bytes(range(256)) * 12_000  # 3 MB
DIGEST = hashlib.sha256(BODY).hexdigest()
CLOSED = "http://127.0.0.1:9"  # the discard port: nobody listens


def left_over(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"f.pth.lock"}


def test_a_whole_file_with_its_record_and_progress(server: Server, tmp_path: Path) -> None:
    server.files["/f.pth"] = BODY
    seen: list[tuple[str, int, int | None]] = []
    target = tmp_path / "deep" / "f.pth"
    download_file(f"{server.url}/f.pth", target, progress=lambda *now: seen.append(now))
    assert target.read_bytes() == BODY
    assert recorded_sha256(target) == DIGEST == file_sha256(target)
    assert left_over(target.parent) == {"f.pth", "f.pth.json"}
    assert seen[-1] == ("f.pth", len(BODY), len(BODY))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)


@pytest.mark.parametrize("versioned", [True, False])
def test_a_dropped_connection_is_resumed(server: Server, tmp_path: Path, versioned: bool) -> None:
    server.files["/f.pth"] = BODY
    server.versioned = versioned
    server.drop_after = [1_000_000, 500_000]
    download_file(f"{server.url}/f.pth", tmp_path / "f.pth", sha256=DIGEST)
    assert (tmp_path / "f.pth").read_bytes() == BODY
    asked = [asked for _, _, asked in server.requests]
    assert asked == ["", "bytes=1000000-", "bytes=1500000-"]


def test_a_server_without_ranges_starts_again(server: Server, tmp_path: Path) -> None:
    server.files["/f.pth"] = BODY
    server.ranges = False
    server.drop_after = [1_000_000]
    download_file(f"{server.url}/f.pth", tmp_path / "f.pth", sha256=DIGEST)
    assert (tmp_path / "f.pth").read_bytes() == BODY


def test_a_part_of_an_earlier_run_is_continued(server: Server, tmp_path: Path) -> None:
    server.files["/f.pth"] = BODY
    server.drop_after = [2_000_000, 0, 0, 0]
    with pytest.raises(WeightsError, match="closed early"):
        download_file(f"{server.url}/f.pth", tmp_path / "f.pth")
    assert (tmp_path / "f.pth.part").stat().st_size == 2_000_000
    assert not (tmp_path / "f.pth").exists()
    server.requests.clear()
    server.drop_after = []
    download_file(f"{server.url}/f.pth", tmp_path / "f.pth", sha256=DIGEST)
    assert server.requests == [("GET", "/f.pth", "bytes=2000000-")]
    assert left_over(tmp_path) == {"f.pth", "f.pth.json"}


def test_a_part_of_another_version_is_thrown_away(server: Server, tmp_path: Path) -> None:
    server.files["/f.pth"] = BODY
    server.drop_after = [2_000_000, 0, 0, 0]
    with pytest.raises(WeightsError):
        download_file(f"{server.url}/f.pth", tmp_path / "f.pth")
    server.files["/f.pth"] = BODY[::-1]
    server.drop_after = []
    download_file(f"{server.url}/f.pth", tmp_path / "f.pth")
    assert (tmp_path / "f.pth").read_bytes() == BODY[::-1]


def test_a_wrong_hash_leaves_nothing(server: Server, tmp_path: Path) -> None:
    server.files["/f.pth"] = BODY
    with pytest.raises(WeightsError, match=f"SHA-256 {DIGEST}, expected {'0' * 64}"):
        download_file(f"{server.url}/f.pth", tmp_path / "f.pth", sha256="0" * 64)
    assert left_over(tmp_path) == set()


def test_not_found_is_said_at_once(server: Server, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="HTTP 404 Not Found"):
        download_file(f"{server.url}/f.pth", tmp_path / "f.pth")
    assert len(server.requests) == 1


def test_no_connection_is_said_at_once(tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(WeightsError, match="refused"):
        download_file(f"{CLOSED}/f.pth", tmp_path / "f.pth")
    assert time.monotonic() - begun < 2


def test_only_http(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    with pytest.raises(UsageError, match="not an HTTP address"):
        download_file((tmp_path / "secret").as_uri(), tmp_path / "f.pth")


def test_a_disk_too_small_is_known_before_the_first_byte(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/f.pth"] = BODY
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 10, 1000))
    with pytest.raises(WeightsError, match=r"needs 0\.0 GiB") as caught:
        download_file(f"{server.url}/f.pth", tmp_path / "f.pth")
    assert "--cache-dir" in caught.value.hint


def test_a_folder_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot write") as caught:
        download_file(f"{server.url}/f.pth", tmp_path / "file" / "f.pth")
    assert "--cache-dir" in caught.value.hint


def test_two_processes_download_once(server: Server, tmp_path: Path) -> None:
    server.files["/f.pth"] = BODY
    server.gate = threading.Event()
    context = multiprocessing.get_context("spawn")
    target = tmp_path / "f.pth"
    processes = [
        context.Process(target=download_file, args=(f"{server.url}/f.pth", target))
        for _ in range(2)
    ]
    for process in processes:
        process.start()
    while not server.requests:
        time.sleep(0.01)
    time.sleep(0.3)  # the second one has had time to ask as well, if it were not waiting
    server.gate.set()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(server.requests) == 1
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("content", ["", "no json", "[]", '{"sha256"', '{"size": 3}'])
def test_a_broken_record_is_no_record(tmp_path: Path, content: str) -> None:
    (tmp_path / "f.pth.json").write_text(content)
    assert recorded_sha256(tmp_path / "f.pth") is None
