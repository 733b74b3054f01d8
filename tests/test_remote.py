"""URLs are inputs like folders; nothing is remote that the user did not spell so."""

import io
import os
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hiera_cli.cli.app import without_file_schemes
from hiera_cli.datasets.dataset import read_dataset
from hiera_cli.errors import Failure, MediaError, UsageError
from hiera_cli.inputs import expand_inputs
from hiera_cli.remote import RemoteFile, absolute, is_remote, open_url
from hiera_cli.tables import parse_output
from hiera_cli.tasks.probe import ProbeRecord, probe
from hiera_cli.video.local_file import local_file
from tests.media import write_blocks

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[str]:
    """A store in memory with two videos, one of them in a folder, and a text."""
    system = fsspec.filesystem("memory")
    for name in ("a.mp4", "b/c.mp4"):
        file = write_blocks(tmp_path / "video.mp4", num_frames=20, seed=len(name))
        system.pipe(f"/videos/{name}", file.read_bytes())
    system.pipe("/videos/notes.txt", b"text")
    yield "memory://videos"
    system.rm("/videos", recursive=True)


def test_a_folder_of_a_store(store: str) -> None:
    found = list(expand_inputs([store]))
    assert [source.name for source in found] == ["a.mp4", "b/c.mp4"]
    assert all(is_remote(source.path) for source in found)
    assert [s.path for s in expand_inputs([f"{store}/*.mp4"])] == [found[0].path]


@pytest.mark.parametrize("isolate", [False, True])
def test_remote_videos_decode(store: str, isolate: bool) -> None:
    records = list(probe([store, f"{store}/none.mp4"], isolate=isolate))
    assert [r.num_frames for r in records if isinstance(r, ProbeRecord)] == [20, 20]
    (failure,) = (r for r in records if isinstance(r, Failure))
    assert (failure.path, failure.kind) == (f"{store}/none.mp4", "not_found")


def test_a_file_of_this_machine_is_never_remote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s3:").mkdir()
    (tmp_path / "s3:" / "x.mp4").touch()
    assert is_remote("s3://y.mp4")
    assert not is_remote("s3://x.mp4")  # slashes are one slash here
    assert not is_remote("http:clip.mp4")
    assert not is_remote("concat://a")
    assert absolute("s3://y.mp4") == "s3://y.mp4"
    assert absolute("y.mp4") == f"{tmp_path}/y.mp4"


def test_a_driver_that_is_missing_is_named() -> None:
    pytest.importorskip("fsspec")
    if _has("gcsfs"):
        pytest.skip("gcsfs is installed")
    with pytest.raises(MediaError, match="gcsfs") as caught, open_url("gs://bucket/a.mp4"):
        pass
    assert "pip install" in caught.value.hint


def test_no_table_is_written_to_a_store() -> None:
    with pytest.raises(UsageError, match=r"cannot be written to 's3://bucket/f\.parquet'"):
        parse_output("s3://bucket/f.parquet")


def _has(module: str) -> bool:
    try:
        __import__(module)
    except ImportError:
        return False
    return True


@pytest.fixture
def shards(tmp_path: Path) -> Iterator[str]:
    """Two tars and a zip in a store, of two videos each."""
    system = fsspec.filesystem("memory")
    for number in range(3):
        packed = io.BytesIO()
        with (
            tarfile.open(fileobj=packed, mode="w") as tar,
            zipfile.ZipFile(tmp_path / "z.zip", "w") as whole,
        ):
            for name in ("run/a.mp4", "jump/b.mp4"):
                seed = 10 * number + len(name)
                file = write_blocks(tmp_path / f"{seed}.mp4", num_frames=20, seed=seed)
                tar.add(file, name)
                whole.write(file, name)
        system.pipe(f"/shards/shard-{number:03d}.tar", packed.getvalue())
    system.pipe("/shards/z.zip", (tmp_path / "z.zip").read_bytes())
    yield "memory://shards"
    system.rm("/shards", recursive=True)


@pytest.mark.parametrize("spelling", ["shard-{000..002}.tar", "shard-*.tar"])
def test_archives_in_stores(shards: str, spelling: str) -> None:
    found = list(expand_inputs([f"{shards}/{spelling}"]))
    names = ["jump/b.mp4", "run/a.mp4"]
    assert [source.name for source in found] == names * 3
    assert found[1].path.endswith("shards/shard-000.tar/run/a.mp4")
    for isolate in (False, True):
        records = list(probe([f"{shards}/{spelling}"], isolate=isolate))
        assert [r.num_frames for r in records if isinstance(r, ProbeRecord)] == [20] * 6


def test_one_member_and_one_that_is_not_there(shards: str) -> None:
    there, gone = f"{shards}/z.zip/run/a.mp4", f"{shards}/shard-001.tar/run/none.mp4"
    record, failure = probe([there, gone])
    assert isinstance(record, ProbeRecord)
    assert isinstance(failure, Failure)
    assert failure.path == gone


def test_of_a_member_its_bytes_are_fetched(shards: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = []
    real = RemoteFile.fetch

    def fetch(self: RemoteFile, start: int, stop: int) -> bytes:
        fetched.append(stop - start)
        return real(self, start, stop)

    monkeypatch.setattr(RemoteFile, "fetch", fetch)
    with local_file(f"{shards}/shard-002.tar/run/a.mp4") as path:
        assert sum(fetched) == os.path.getsize(path)


def test_data_sets_in_stores(shards: str, store: str) -> None:
    data = read_dataset(_unpacked(shards))
    assert data.classes == ("jump", "run")
    assert [sample.name for sample in data.samples] == ["jump/b.mp4", "run/a.mp4"]
    rows = "path,label\na.mp4,x\nb/c.mp4,y\nmemory://videos/a.mp4,z\nb/none.mp4,x\n"
    fsspec.filesystem("memory").pipe("/videos/list.csv", rows.encode())
    data = read_dataset(f"{store}/list.csv")
    assert [sample.label for sample in data.samples if sample.path] == ["x", "y"]
    assert (data.num_missing, data.num_duplicates) == (1, 1)
    fsspec.filesystem("memory").pipe("/videos/list.txt", b"memory://videos/a.mp4\n")
    assert [one.path for one in expand_inputs([f"@{store}/list.txt"])] == ["memory://videos/a.mp4"]


def _unpacked(shards: str) -> str:
    """The members of the zip as a folder of the store."""
    system = fsspec.filesystem("memory")
    with zipfile.ZipFile(io.BytesIO(system.cat("/shards/z.zip"))) as whole:
        for name in whole.namelist():
            system.pipe(f"/shards/set/{name}", whole.read(name))
    return f"{shards}/set"


def test_file_urls_are_paths(tmp_path: Path) -> None:
    (tmp_path / "a b.mp4").touch()
    for name in (f"file://{tmp_path}/a b.mp4", f"FILE://localhost{tmp_path}/a%20b.mp4"):
        assert [one.path for one in expand_inputs([name])] == [f"{tmp_path}/a b.mp4"]
    assert parse_output(f"file://{tmp_path}/f.parquet").path == tmp_path / "f.parquet"
    words = ["eval", "file:///data", "--out=file:///o", "@file:///l", "-o", "file.txt", "file:x"]
    changed = ["eval", "/data", "--out=/o", "@/l", "-o", "file.txt", "file:x"]
    assert without_file_schemes(words) == changed
