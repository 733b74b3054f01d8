"""URLs are inputs like folders; nothing is remote that the user did not spell so."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hiera_cli.errors import Failure, MediaError, UsageError
from hiera_cli.inputs import expand_inputs
from hiera_cli.remote import absolute, is_remote, open_url
from hiera_cli.tables import parse_output
from hiera_cli.tasks.probe import ProbeRecord, probe
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
