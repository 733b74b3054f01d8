"""Arrays beside the table: the same numbers, with their times, under names that programs read."""

import json
from pathlib import Path

import numpy as np
import pytest

from hiera_cli.cli.app import make_app
from hiera_cli.errors import UsageError
from hiera_cli.tables.features import read_features
from hiera_cli.tasks.features.arrays import _below, export_arrays
from tests.media import write_blocks
from tests.models import save_tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos in folders, and a model."""
    folder = tmp_path_factory.mktemp("arrays")
    save_tiny(folder / "model")
    for name, num_frames in (("a/one.mp4", 45), ("b/two.mp4", 20)):
        write_blocks(folder / "videos" / name, num_frames=num_frames, seed=num_frames)
    return folder


def extract(folder: Path, out: str, *more: str) -> int:
    words = ["extract-features", str(folder / "videos"), "-o", str(folder / out), "-q"]
    with pytest.raises(SystemExit) as caught:
        make_app("extract-features")(
            [*words, "-m", str(folder / "model"), "--device", "cpu", "--no-isolate", *more]
        )
    return int(caught.value.code or 0)


def test_windows_of_consecutive_frames(folder: Path) -> None:
    assert extract(folder, "tad.parquet", "--export", "actionformer") == 0
    rows = read_features(folder / "tad.parquet")
    num_frames = rows.attrs["hiera_cli"]["protocol"]["num_frames"]
    one = np.load(folder / "tad.arrays" / "one.npy")
    about = json.loads((folder / "tad.arrays" / "one.json").read_text())
    own = rows[rows["path"] == "a/one.mp4"]
    assert one.dtype == np.float32
    assert np.array_equal(one, np.stack(own["feature"].tolist()))
    assert about["start_seconds"] == own["start_seconds"].tolist()
    assert np.allclose(np.diff(about["start_seconds"])[:-1], 4 / 30)
    spans = np.subtract(about["end_seconds"], about["start_seconds"])
    assert np.allclose(spans[:-1], num_frames / 30)  # one frame after the other
    assert sorted(path.name for path in (folder / "tad.arrays").iterdir()) == [
        "one.json",
        "one.npy",
        "two.json",
        "two.npy",
    ]


def test_other_layouts(folder: Path) -> None:
    assert extract(folder, "f/", "--export", "npy", "--feature-dtype", "float16") == 0
    rows = read_features(folder / "f")
    two = np.load(folder / "f.arrays" / "b" / "two.npy")
    assert two.dtype == np.float32
    assert np.array_equal(two, np.stack(rows[rows["path"] == "b/two.mp4"]["feature"].tolist()))
    exported = list(export_arrays(folder / "f", folder / "vf", "video-features"))
    assert [one.path for one in exported] == ["a/one.mp4", "b/two.mp4"]
    model = rows.attrs["hiera_cli"]["model"]
    assert np.load(folder / "vf" / f"two_{model}.npy").shape == two.shape
    times = np.load(folder / "vf" / "two_timestamps_ms.npy")
    assert np.allclose(times, 1000 * rows[rows["path"] == "b/two.mp4"]["start_seconds"])


def test_names_that_clash_or_lead_out(folder: Path, tmp_path: Path) -> None:
    write_blocks(tmp_path / "videos" / "a" / "x.mp4", num_frames=20, seed=1)
    write_blocks(tmp_path / "videos" / "b" / "x.mkv", num_frames=20, seed=2)
    (tmp_path / "model").symlink_to(folder / "model")
    assert extract(tmp_path, "t.parquet", "--export", "video-features") == 2
    assert len(list(export_arrays(tmp_path / "t.parquet", tmp_path / "n", "npy"))) == 2
    assert _below("/a/../b/x.mp4") == "a/_/b/x"
    assert _below("s3://bucket/x.y.mp4") == "s3/bucket/x.y"
    with pytest.raises(UsageError, match="no table"):
        list(export_arrays(tmp_path / "none.parquet", tmp_path / "n", "npy"))


def test_what_does_not_go_together(folder: Path) -> None:
    assert extract(folder, "s/", "--export", "npy", "--shard", "0/2") == 2
    assert extract(folder, "p.parquet", "--export", "actionformer", "--protocol", "fast") == 2


def test_hugging_face_datasets_reads_the_table(folder: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    assert extract(folder, "hf.parquet") == 0
    name = str(folder / "hf.parquet")
    found = datasets.load_dataset("parquet", data_files=name, cache_dir=str(tmp_path))["train"]
    rows = read_features(name)
    assert found["path"][:] == rows["path"].tolist()
    assert np.allclose(found[0]["feature"], rows["feature"][0])
