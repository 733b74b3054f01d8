"""Rows for boxes and tracks: their values, their times, and the files that are refused."""

import json
import re
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F

from hiera_cli.checkpoints.open import open_model
from hiera_cli.errors import Failure, UsageError
from hiera_cli.inputs import expand_inputs
from hiera_cli.model.box_features import box_features
from hiera_cli.options import EngineOptions
from hiera_cli.tables import read_metadata
from hiera_cli.tasks.features.boxes import open_box_workers, read_box_file
from hiera_cli.tasks.features.options import BoxOptions, FeatureOptions, TableOptions
from hiera_cli.tasks.features.table import write_features
from hiera_cli.tasks.features.writer import VideoFeatures
from hiera_cli.video.decode import decode_video
from hiera_cli.video.protocols import Protocol
from tests.media import write_blocks

LEFT, RIGHT = (0.0, 0.0, 0.5, 1.0), (0.5, 0.25, 1.0, 1.0)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    for index, name in enumerate("ab"):
        write_blocks(folder / f"{name}.mp4", num_frames=70, seed=index)
    return folder


def csv(path, *rows):
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    return path


def track(path, number, *boxes):
    named = [
        dict(zip(("time_seconds", "x1", "y1", "x2", "y2", "score"), box, strict=True))
        for box in boxes
    ]
    entry = {"path": str(path), "track": number, "label": "dog", "boxes": named, "actions": []}
    return json.dumps(entry) + "\n"


def run(inputs, out, model, file, *, box=None, table=None, features=None, **engine):
    options = EngineOptions(model=str(model), device="cpu", isolate=False, **engine)
    boxes = BoxOptions(boxes=file, **(box or {}))
    return list(
        write_features(
            expand_inputs([str(inputs)]),
            out,
            features=FeatureOptions(**(features or {"layer": "stage1"})),
            options=options,
            table=TableOptions(**(table or {})),
            open_workers=partial(open_box_workers, read_box_file(boxes), boxes),
        )
    )


def frames_at(path, indices):
    """(3, T, H, W) uint8 frames of a video."""
    everything = Protocol("all", None, 1, num_frames=1, frame_stride=1, hop_seconds=1 / 30)
    rgb = {}
    for event in decode_video(str(path), everything):
        if hasattr(event, "rgb"):
            rgb[event.frame_index] = event.rgb
    return torch.stack([torch.from_numpy(rgb[i]) for i in indices], 1).permute(3, 1, 0, 2)


def test_rows_are_boxes_with_the_features_of_their_places(videos, tiny_model, tmp_path):
    file = csv(tmp_path / "boxes.csv", ("a", 1, *LEFT, 3, 0), ("a", 1, *RIGHT, 3, 7),
               ("a", 2, *LEFT, "", 0), ("b", 1, *LEFT, 3, 0))  # fmt: skip
    out = tmp_path / "f.parquet"
    records = run(videos, out, tiny_model, file)
    assert records[1:] == [VideoFeatures("a.mp4", 3), VideoFeatures("b.mp4", 1)]
    table = pd.read_parquet(out)
    assert table.columns.tolist() == [
        "path", "clip_index", "start_seconds", "end_seconds", "track", "label", "time_seconds",
        "x1", "y1", "x2", "y2", "score", "num_boxes", "feature",
    ]  # fmt: skip
    assert table.path.tolist() == ["a.mp4"] * 3 + ["b.mp4"]
    assert table.clip_index.tolist() == [0, 1, 2, 0]
    assert table.track.tolist() == [0, 7, 0, 0]
    assert table.time_seconds.tolist() == [1, 1, 2, 1]
    assert table.loc[1, ["x1", "y1", "x2", "y2"]].tolist() == [24, 12, 48, 48]
    # 4 frames at a stride of 4 around frame 30: 22, 26, 30, 34
    assert table.start_seconds[0] == pytest.approx(22 / 30)
    assert table.end_seconds[0] == pytest.approx(35 / 30)
    loaded = open_model(str(tiny_model))
    clip = F.interpolate(
        frames_at(videos / "a.mp4", (22, 26, 30, 34)).transpose(0, 1).float(),
        size=(32, 32), mode="bilinear", antialias=True,
    ).round()  # fmt: skip
    pixels = loaded.preprocessing
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (pixels.mean, pixels.std))
    x = ((clip / 255 - mean) / std).transpose(0, 1)[None]
    corners = [torch.tensor([LEFT, RIGHT]) * 32]
    with torch.no_grad():
        expected = box_features(loaded.model, x, corners, layer="stage1", pool="mean").numpy()
    assert np.allclose(np.stack(table.feature[:2]), expected, atol=1e-4)
    assert np.abs(table.feature[0] - table.feature[1]).max() > 1e-2


def test_a_row_a_track_is_the_mean_over_its_boxes(videos, tiny_model, tmp_path):
    file = tmp_path / "tracks.jsonl"
    file.write_text(
        track(videos / "a.mp4", 0, (0.5, 0, 0, 24, 48, 0.9), (1.0, 4, 0, 28, 48, 0.7))
        + json.dumps({"path": "gone.mp4", "error": {"kind": "not_found", "message": ""}}) + "\n"
        + track(videos / "a.mp4", 1, (1.0, 24, 0, 48, 48, 0.9))
    )  # fmt: skip
    run(videos / "a.mp4", tmp_path / "b.parquet", tiny_model, file)
    run(videos / "a.mp4", tmp_path / "t.parquet", tiny_model, file, box={"per": "track"})
    boxes, tracks = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in "bt")
    assert boxes.track.tolist() == [0, 0, 1]
    assert boxes.label.unique().tolist() == ["dog"]
    assert (tracks.track.tolist(), tracks.num_boxes.tolist()) == ([0, 1], [2, 1])
    assert np.allclose(tracks.feature[0], (boxes.feature[0] + boxes.feature[1]) / 2, atol=1e-5)
    assert tracks.feature[1].tolist() == boxes.feature[2].tolist()
    assert tracks.loc[0, ["x1", "x2", "time_seconds"]].tolist() == pytest.approx([2, 26, 0.75])
    assert tracks.start_seconds[0] == boxes.start_seconds[0]
    assert tracks.end_seconds[0] == boxes.end_seconds[1]
    made = read_metadata(tmp_path / "t.parquet")
    assert (made["boxes"]["per"], made["feature_shape"]) == ("track", [8])


def test_frame_numbers_hops_and_unpooled_features(videos, tiny_model, tmp_path):
    file = csv(tmp_path / "boxes.csv", *(("a", k, *LEFT, 3, 0) for k in range(0, 60, 10)))
    features = {"layer": "stage2", "pool": "none"}
    run(videos / "a.mp4", tmp_path / "f.parquet", tiny_model, file,
        box={"box_times": "frames"}, hop=0.5, features=features)  # fmt: skip
    table = pd.read_parquet(tmp_path / "f.parquet")
    assert table.time_seconds.tolist() == pytest.approx([0, 20 / 30, 40 / 30])
    assert len(table.feature[0]) == 7 * 7 * 16


def test_it_goes_on_where_it_was_and_refuses_other_boxes(videos, tiny_model, tmp_path):
    file = csv(tmp_path / "boxes.csv", ("a", 1, *LEFT, 3, 0), ("b", 9, *LEFT, 3, 0))
    out = tmp_path / "f.parquet"
    started, good, late = run(videos, out, tiny_model, file)
    assert isinstance(late, Failure)
    assert (good.num_clips, late.path, late.kind) == (1, "b.mp4", "corrupt")
    assert "second 9 of 2.3" in late.message
    before = pd.read_parquet(out)
    started, again = run(videos, out, tiny_model, file)
    assert (started.num_finished, again) == (1, late)
    assert pd.read_parquet(out).equals(before)
    csv(file, ("a", 1, *RIGHT, 3, 0), ("b", 1, *LEFT, 3, 0))
    with pytest.raises(UsageError, match=r"boxes\.sha256 was"):
        run(videos, out, tiny_model, file)


def test_boxes_outside_the_frame_or_the_video_are_failures(videos, tiny_model, tmp_path):
    file = tmp_path / "tracks.jsonl"
    file.write_text(
        track(videos / "a.mp4", 0, (0.5, 0, 0, 60, 48, 0.9))
        + track(videos / "b.mp4", 0, (5.0, 0, 0, 40, 48, 0.9))
    )
    _, wide, late = run(videos, tmp_path / "f.parquet", tiny_model, file)
    assert "reaches outside the frame of 48x48" in wide.message
    assert "second 5.0 of 2.3" in late.message
    lines = (tmp_path / "f.parquet.errors.jsonl").read_text().splitlines()
    assert [json.loads(line)["path"] for line in lines] == ["a.mp4", "b.mp4"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,1,10,20,30,40,1,0\n", "look like pixels|no fractions"),
        ("a,1,0.1,0.2,1.2,0.4,1,0\n", "reaches outside the frame"),
        ("a,1,0.1,0.2,nan,0.4,1,0\n", "not a finite number"),
        ("a,1,0.1,0.2,0.3,1,0\n", "7 columns"),
        (track("a", 0, (0.5, 0.1, 0.1, 0.6, 0.8, 0.9)), "fractions of the frame"),
        (track("a", 0, (0.5, 1, 1, float("nan"), 8, 0.9)), "line 1: the box 1, 1, nan, 8"),
        (track("a", 0, (0.5, 9, 1, 5, 8, 0.9)), "has no area"),
        ('{"path": "a", "boxes": []}\n', "no track: KeyError: 'track'"),
        ('{"path": \n', "no JSON"),
    ],
)
def test_files_that_cannot_be_meant(tmp_path, text, message):
    (tmp_path / "boxes").write_text(text)
    with pytest.raises(UsageError) as error:
        read_box_file(BoxOptions(boxes=tmp_path / "boxes"))
    assert re.search(message, error.value.message)


def test_options_that_mean_nothing(videos, tiny_model, tmp_path):
    with pytest.raises(UsageError, match="cannot read"):
        read_box_file(BoxOptions(boxes=tmp_path / "gone.csv"))
    scores = csv(tmp_path / "scores.csv", ("a", 1, *LEFT, "", 0.9))
    with pytest.raises(UsageError, match="numbers no tracks"):
        read_box_file(BoxOptions(boxes=scores, per="track"))
    with pytest.raises(UsageError, match="need --boxes"):
        BoxOptions(per="track")
    with pytest.raises(UsageError, match="--protocol has no meaning"):
        run(videos, tmp_path / "f.parquet", tiny_model, scores, protocol="paper")
    with pytest.raises(UsageError, match="--layer stages has no meaning"):
        run(videos, tmp_path / "f.parquet", tiny_model, scores, features={"layer": "stages"})
    with pytest.raises(UsageError, match="--scores has no meaning"):
        run(videos, tmp_path / "f.parquet", tiny_model, scores, features={"scores": True})
