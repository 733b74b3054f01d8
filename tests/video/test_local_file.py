"""Members of archives decode as the files that they were, isolated or not, and leave nothing."""

import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from hiera_cli.errors import Failure, MediaError
from hiera_cli.tasks.probe import ProbeRecord, probe
from hiera_cli.video.local_file import local_file
from tests.media import write_blocks


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    """The same two videos in a folder, a tar and two zips."""
    folder = tmp_path / "videos"
    for index in range(2):
        write_blocks(folder / f"{index}.mp4", num_frames=20, seed=index)
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(folder, ".")
    for name, method in (("stored", zipfile.ZIP_STORED), ("packed", zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w", method) as file:
            for path in sorted(folder.iterdir()):
                file.write(path, path.name)
    return tmp_path


def facts(record: ProbeRecord | Failure) -> tuple[object, ...]:
    assert isinstance(record, ProbeRecord), record
    return record.num_frames, record.duration_seconds, record.width, record.views


@pytest.mark.parametrize("isolate", [False, True])
@pytest.mark.parametrize("name", ["a.tar", "stored.zip", "packed.zip"])
def test_members_are_the_files_that_they_were(archives: Path, name: str, isolate: bool) -> None:
    before = len(os.listdir("/proc/self/fd"))
    files = [facts(r) for r in probe(str(archives / "videos"))]
    members = list(probe(str(archives / name), isolate=isolate))
    assert [facts(r) for r in members] == files
    assert [r.path for r in members] == [f"{archives}/{name}/{index}.mp4" for index in range(2)]
    assert len(os.listdir("/proc/self/fd")) <= before + 1  # a zip archive stays open


def test_large_members_lie_on_the_disk(archives: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = (archives / "videos" / "1.mp4").read_bytes()
    monkeypatch.setattr("hiera_cli.video.local_file.MAX_BYTES_IN_MEMORY", 100)
    with local_file(f"{archives}/a.tar/1.mp4") as path:
        assert Path(path).read_bytes() == content
        assert "memfd" not in os.readlink(path)
    assert not os.path.exists(path)


def test_what_is_no_member_is_itself(archives: Path) -> None:
    for path in (f"{archives}/a.tar", f"{archives}/absent.mp4", "\0", ""):
        with local_file(path) as same:
            assert same == path


def test_a_member_that_is_not_there(archives: Path) -> None:
    with pytest.raises(MediaError) as caught, local_file(f"{archives}/a.tar/9.mp4"):
        pass
    assert caught.value.kind == "not_found"


def test_errors_of_the_block_are_its_own(archives: Path) -> None:
    with pytest.raises(KeyError), local_file(f"{archives}/a.tar/1.mp4"):
        raise KeyError


def test_a_picture_in_an_archive(tmp_path: Path) -> None:
    Image.new("RGB", (48, 32), (200, 0, 0)).save(tmp_path / "red.png")
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as file:
        file.write(tmp_path / "red.png", "train/red.png")
    (record,) = probe(f"{tmp_path}/pictures.zip/train/red.png")
    assert facts(record)[:3] == (1, record.duration_seconds, 48)
