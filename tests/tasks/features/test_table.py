"""The table of features: what it holds, that it survives, and what is refused."""

import json
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from hiera_cli.checkpoints.open import load_model, save_model
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.errors import Failure, OutputError, UsageError
from hiera_cli.inputs import expand_inputs
from hiera_cli.options import EngineOptions
from hiera_cli.tables import lock_output, merge_tables, parse_output, read_metadata
from hiera_cli.tasks.features.extract import extract_features
from hiera_cli.tasks.features.options import FeatureOptions, TableOptions
from hiera_cli.tasks.features.table import Started, write_features
from hiera_cli.tasks.features.writer import VideoFeatures
from tests.media import write_blocks
from tests.models import SMALL_VIDEO, save_tiny


def run(inputs: Path | str, out: Path | str, model: Path, **table: object) -> list[object]:
    """Every record of a run on the CPU; `features` and `engine` are dictionaries of options."""
    features = FeatureOptions(**table.pop("features", {}))
    engine = EngineOptions(model=str(model), device="cpu", isolate=False, **table.pop("engine", {}))
    files = expand_inputs([str(inputs)])
    return list(
        write_features(files, out, features=features, options=engine, table=TableOptions(**table))
    )


def test_the_table_holds_what_the_library_yields(
    clips: Path, tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "feats.parquet"
    started, *records = run(clips, out, tiny_model)
    options = EngineOptions(model=str(tiny_model), device="cpu", isolate=False)
    expected = [
        r for r in extract_features(str(clips), options=options) if not isinstance(r, Failure)
    ]

    assert started == Started(num_videos=7, num_finished=0, num_failed=0)
    assert VideoFeatures("b/clip 4.mp4", 4) in records
    table = pq.read_table(out)
    assert table.column("path").to_pylist() == [clip.path for clip in expected]
    assert table.column("clip_index").to_pylist() == [clip.clip_index for clip in expected]
    assert table.column("end_seconds").to_pylist() == [clip.end_seconds for clip in expected]
    features = np.array(table.column("feature").to_pylist(), np.float32)
    assert np.allclose(features, [clip.feature for clip in expected], atol=1e-5)
    (failure,) = map(json.loads, Path(f"{out}.errors.jsonl").read_text().splitlines())
    assert failure == {
        "path": "b/broken.mp4",
        "kind": "not_a_video",
        "message": failure["message"],
    }


def test_pandas_and_duckdb_read_it(clips: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "feats.parquet"
    run(clips, out, tiny_model, features={"scores": True})

    frame = pd.read_parquet(out)
    query = f"select path, len(feature), feature[1], scores from '{out}' where clip_index = 0"
    rows = duckdb.sql(query + " order by path").fetchall()

    assert len(frame) == 18
    assert frame.feature[0].shape == (64,)
    assert [row[0] for row in rows] == sorted(frame.path.unique())
    assert [row[1] for row in rows] == [64] * 6
    first = frame[frame.clip_index == 0]
    assert [row[2] for row in rows] == pytest.approx([f[0] for f in first.feature])
    assert np.allclose([row[3] for row in rows], np.stack(list(first.scores)))


def test_half_precision_is_read_too(clips: Path, tiny_model: Path, tmp_path: Path) -> None:
    whole, half = tmp_path / "whole.parquet", tmp_path / "half.parquet"
    run(clips, whole, tiny_model)
    run(clips, half, tiny_model, features={"feature_dtype": "float16"})

    one, other = pd.read_parquet(whole), pd.read_parquet(half)

    assert other.feature[0].dtype == np.float16
    assert np.allclose(np.stack(list(one.feature)), np.stack(list(other.feature)), atol=5e-3)
    (sums,) = duckdb.sql(f"select sum(feature[3]) from '{half}'").fetchall()
    assert sums[0] == pytest.approx(sum(f[2] for f in one.feature), abs=0.1)


def test_the_metadata_says_how_it_was_made(clips: Path, tiny_model: Path, tmp_path: Path) -> None:
    run(clips, tmp_path / "f.parquet", tiny_model, features={"layer": "stage2", "pool": "none"})
    made = read_metadata(tmp_path / "f.parquet")

    assert made["model"] == "tiny"
    assert len(made["weights_sha256"]) == 64
    assert made["protocol"]["name"] == "dense"
    assert made["preprocessing"]["crop_size"] == 32
    assert made["feature_shape"] == [2, 4, 4, 16]
    assert made["roots"] == [str(clips)]
    assert set(made["versions"]) == {"hiera-cli", "torch", "av", "pyarrow"}


def test_shards_of_a_folder(clips: Path, tiny_model: Path, tmp_path: Path) -> None:
    run(clips, tmp_path / "whole.parquet", tiny_model)
    run(clips, f"{tmp_path}/shards/", tiny_model, rows_per_shard=7)

    files = sorted((tmp_path / "shards").glob("*.parquet"))

    assert [pq.read_metadata(file).num_rows for file in files] == [7, 7, 4]
    assert pd.read_parquet(tmp_path / "shards").path.tolist() == (
        pd.read_parquet(tmp_path / "whole.parquet").path.tolist()
    )
    assert (tmp_path / "shards.errors.jsonl").exists()


def test_a_second_run_does_only_what_is_new(tiny_model: Path, tmp_path: Path, clips: Path) -> None:
    videos = tmp_path / "videos"
    write_blocks(videos / "m.mp4", num_frames=20)
    (videos / "bad.mp4").write_bytes(b"bad")
    out = videos / "feats.parquet"  # inside the input folder: it is no video
    run(videos, out, tiny_model)
    write_blocks(videos / "a.mp4", num_frames=20, seed=1)

    records = run(videos, out, tiny_model)
    assert records[0] == Started(num_videos=3, num_finished=1, num_failed=1)
    assert [type(record).__name__ for record in records[1:]] == ["Failure", "VideoFeatures"]
    assert pd.read_parquet(out).path.tolist() == ["a.mp4", "a.mp4", "m.mp4", "m.mp4"]

    write_blocks(videos / "bad.mp4", num_frames=5)
    again = run(videos, out, tiny_model, retry_failed=True)
    assert again[1:] == [VideoFeatures("bad.mp4", 1)]
    assert pd.read_parquet(out).path.tolist() == ["a.mp4"] * 2 + ["bad.mp4"] + ["m.mp4"] * 2
    assert sorted(p.name for p in videos.iterdir()) == [
        "a.mp4",
        "bad.mp4",
        "feats.parquet",
        "m.mp4",
    ]


def test_other_settings_and_weights_are_refused(
    clips: Path, tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "feats.parquet"
    run(clips / "a", out, tiny_model)
    other = save_tiny(tmp_path / "tiny", SMALL_VIDEO, seed=5)

    with pytest.raises(UsageError, match=r"protocol\.hop_seconds was null, now 0\.25"):
        run(clips, out, tiny_model, engine={"hop": 0.25})
    with pytest.raises(UsageError, match=r'layer was "final", now "stage1"'):
        run(clips, out, tiny_model, features={"layer": "stage1"})
    with pytest.raises(UsageError, match="weights_sha256 was"):
        run(clips, out, other)
    run(clips, out, other, on_existing="overwrite")
    assert len(pd.read_parquet(out)) == 18


def test_same_names_are_refused_unless_absolute(tiny_model: Path, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write_blocks(tmp_path / folder / "x.mp4", num_frames=5, seed=len(folder))
    files = list(expand_inputs([str(tmp_path / "one"), str(tmp_path / "two")]))
    options = EngineOptions(model=str(tiny_model), device="cpu", isolate=False)

    with pytest.raises(UsageError, match=r"would both be 'x\.mp4'"):
        list(write_features(files, tmp_path / "f.parquet", options=options))
    absolute = FeatureOptions(absolute_paths=True)
    list(write_features(files, tmp_path / "f.parquet", options=options, features=absolute))
    assert pd.read_parquet(tmp_path / "f.parquet").path.tolist() == [
        str(tmp_path / "one" / "x.mp4"),
        str(tmp_path / "two" / "x.mp4"),
    ]


def test_shares_have_files_of_their_own_in_a_folder(
    clips: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(clips, tmp_path / "whole.parquet", tiny_model)
    run(clips, f"{tmp_path}/parts/", tiny_model, shard="0/2")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    run(clips, f"{tmp_path}/parts/", tiny_model, shard="auto")
    with pytest.raises(UsageError, match="all tasks would write"):
        run(clips, tmp_path / "one.parquet", tiny_model, shard="auto")

    merge_tables([f"{tmp_path}/parts"], tmp_path / "merged.parquet")

    whole, merged = (
        pq.read_table(tmp_path / "whole.parquet"),
        pq.read_table(tmp_path / "merged.parquet"),
    )
    assert merged.column("path").equals(whole.column("path"))
    assert merged.schema.equals(whole.schema, check_metadata=True)
    errors = [
        (tmp_path / f"{name}.parquet.errors.jsonl").read_text() for name in ("whole", "merged")
    ]
    assert errors[0] == errors[1]


def test_a_run_that_is_under_way_locks_out_others(
    clips: Path, tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "feats.parquet"
    with lock_output(parse_output(out)), pytest.raises(OutputError, match="by another run"):
        run(clips, out, tiny_model)


def test_features_that_do_not_fit_are_failures(clips: Path, tmp_path: Path) -> None:
    model = load_model(str(save_tiny(tmp_path / "tiny", SMALL_VIDEO)))
    with torch.no_grad():
        model.norm.weight.fill_(1e6)
    save_model(
        tmp_path / "huge",
        model,
        labels=("a", "b", "c"),
        preprocessing=Preprocessing.for_config(SMALL_VIDEO),
        extra={"name": "huge"},
    )
    half = run(
        clips / "a",
        tmp_path / "h.parquet",
        tmp_path / "huge",
        features={"feature_dtype": "float16"},
    )
    whole = run(clips / "a", tmp_path / "w.parquet", tmp_path / "huge")

    assert [type(record) for record in half[1:]] == [Failure, Failure]
    assert "too large for float16" in half[1].message
    assert [type(record) for record in whole[1:]] == [VideoFeatures, VideoFeatures]


def test_devices_share_the_work(clips: Path, tiny_model: Path, tmp_path: Path) -> None:
    run(clips, tmp_path / "one.parquet", tiny_model)
    records = run(clips, tmp_path / "two.parquet", tiny_model, devices="cpu,cpu")

    assert len(records) == 8
    one, two = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("one", "two"))
    assert two.column("path").equals(one.column("path"))
    assert two.schema.equals(one.schema, check_metadata=True)
    assert np.allclose(
        np.stack(one["feature"].to_numpy()), np.stack(two["feature"].to_numpy()), atol=1e-5
    )
