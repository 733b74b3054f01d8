"""Features as records: values, names, times, shapes, layers and image models."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hiera_cli.checkpoints.open import load_model
from hiera_cli.checkpoints.zoo import find_model
from hiera_cli.errors import Failure, UsageError
from hiera_cli.inputs import InputPath
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.hiera import Hiera
from hiera_cli.options import EngineOptions
from hiera_cli.tasks.features.extract import (
    ClipFeature,
    extract_features,
    feature_columns,
    feature_shape,
    named,
    open_feature_engine,
    roots,
)
from hiera_cli.tasks.features.options import FeatureOptions
from tests.media import write_blocks
from tests.models import SMALL_IMAGE, SMALL_VIDEO


def options(model: Path, **more: object) -> EngineOptions:
    return EngineOptions(model=str(model), device="cpu", isolate=False, **more)


def test_every_clip_is_a_record_and_a_bad_file_a_failure(clips: Path, tiny_model: Path) -> None:
    records = list(extract_features(str(clips), options=options(tiny_model)))

    features = [record for record in records if isinstance(record, ClipFeature)]
    failures = [record for record in records if isinstance(record, Failure)]
    # a window lasts 16 frames: 10, 22, 34, 46, 58 and 70 frames hold so many
    assert [feature.path for feature in features] == (
        ["a/clip 0.mp4"] + ["a/clip 3.mp4"] * 3 + ["b/clip 1.mp4"] * 2
        + ["b/clip 4.mp4"] * 4 + ["c/clip 2.mp4"] * 3 + ["c/clip 5.mp4"] * 5
    )  # fmt: skip
    assert [feature.clip_index for feature in features[1:4]] == [0, 1, 2]
    assert [(f.path, f.kind) for f in failures] == [("b/broken.mp4", "not_a_video")]
    assert features[0].feature.shape == (64,)
    assert features[0].feature.dtype == np.float32
    assert features[0].scores is None


def test_times_are_those_of_the_sampled_frames(clips: Path, tiny_model: Path) -> None:
    clip = clips / "c" / "clip 2.mp4"  # 34 frames: windows from 0, 16 and 32
    first, second, third = extract_features(str(clip), options=options(tiny_model))

    # 4 frames spread over 0..15: 0, 5, 10, 15
    assert (first.start_seconds, first.end_seconds) == pytest.approx((0, 16 / 30))
    assert (second.start_seconds, second.end_seconds) == pytest.approx((16 / 30, 32 / 30))
    assert (third.start_seconds, third.end_seconds) == pytest.approx((32 / 30, 34 / 30))


@pytest.mark.parametrize("config", [SMALL_VIDEO, SMALL_IMAGE], ids=["video", "image"])
@pytest.mark.parametrize("layer", ["stage1", "stage2", "stage3", "stage4", "final"])
def test_shapes_are_known_beforehand(config: HieraConfig, layer: str) -> None:
    stages = Hiera(config).forward_stages(torch.zeros(1, 3, *config.input_size))
    expected = tuple(stages[-1 if layer == "final" else int(layer[-1]) - 1].shape[1:])
    assert feature_shape(config, layer, "none") == expected
    assert feature_shape(config, layer, "mean") == expected[-1:]


def test_shapes_of_the_base_model() -> None:
    base = find_model("hiera_base_16x224").config
    assert feature_shape(base, "stage1", "none") == (8, 56, 56, 96)
    assert feature_shape(base, "final", "none") == (8, 7, 7, 768)
    assert feature_shape(base, "final", "mean") == (768,)


@pytest.mark.parametrize("layer", ["stage2", "final"])
def test_pools_are_over_the_tokens(clips: Path, tiny_model: Path, layer: str) -> None:
    clip = str(clips / "a" / "clip 0.mp4")
    found = {}
    for pool in ("none", "mean", "max"):
        chosen = FeatureOptions(layer=layer, pool=pool)
        (found[pool],) = extract_features(clip, features=chosen, options=options(tiny_model))

    tokens = found["none"].feature
    assert tokens.shape == {"stage2": (2, 4, 4, 16), "final": (2, 1, 1, 64)}[layer]
    assert np.allclose(found["max"].feature, tokens.max((0, 1, 2)), atol=1e-6)
    if layer != "final":  # `final` is normalised after its mean
        assert np.allclose(found["mean"].feature, tokens.mean((0, 1, 2)), atol=1e-5)


def test_stages_side_by_side(clips: Path, tiny_model: Path) -> None:
    clip, found = str(clips / "a" / "clip 0.mp4"), {}
    for layer in ("stage2", "stage3", "final", "stages"):
        chosen = FeatureOptions(layer=layer)
        (record,) = extract_features(clip, features=chosen, options=options(tiny_model))
        found[layer] = record.feature
    apart = np.concatenate([found[layer] for layer in ("stage2", "stage3", "final")])
    assert np.allclose(found["stages"], apart, atol=1e-6)
    assert feature_shape(load_model(str(tiny_model)).config, "stages", "mean") == apart.shape
    with pytest.raises(UsageError, match="--layer stages goes with --pool mean"):
        FeatureOptions(layer="stages", pool="max")


def test_columns_hold_the_features(tiny_model: Path) -> None:
    chosen = FeatureOptions(layer="stage2", pool="none", scores=True, feature_dtype="float16")
    engine = open_feature_engine(options(tiny_model), chosen)
    assert [str(column) for column in feature_columns(engine, chosen)] == [
        "path string",
        "clip_index int32",
        "start_seconds float64",
        "end_seconds float64",
        "feature float16[512]",
        "scores float32[3]",
    ]


def test_scores_are_probabilities_of_the_labels(clips: Path, tiny_model: Path) -> None:
    clip = str(clips / "a" / "clip 0.mp4")
    (record,) = extract_features(
        clip, features=FeatureOptions(scores=True), options=options(tiny_model)
    )
    model = load_model(str(tiny_model))
    logits = model.forward_head(torch.from_numpy(record.feature)[None])
    assert np.allclose(record.scores, logits.softmax(-1).detach()[0], atol=1e-6)


def test_an_image_model_looks_at_single_frames(tmp_path: Path, tiny_image_model: Path) -> None:
    clip = write_blocks(tmp_path / "clip.mp4", num_frames=75, fps=25)
    slow = list(extract_features(str(clip), options=options(tiny_image_model)))
    fast = list(
        extract_features(
            str(clip), features=FeatureOptions(fps=5), options=options(tiny_image_model)
        )
    )

    assert [f.start_seconds for f in slow] == pytest.approx([0, 1, 2])
    assert [f.end_seconds for f in slow] == pytest.approx([0.04, 1.04, 2.04])
    assert [f.start_seconds for f in fast] == pytest.approx([k / 5 for k in range(15)])
    assert np.allclose(slow[1].feature, fast[5].feature, atol=1e-5)
    assert not np.allclose(slow[1].feature, slow[0].feature, atol=1e-2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fps": 1}, "--fps is for image models"),
        ({"fps": 0}, "--fps must be"),
        ({"layer": "stage9"}, "--layer is 'stage9'"),
        ({"pool": "sum"}, "--pool is 'sum'"),
        ({"feature_dtype": "int8"}, "--feature-dtype is 'int8'"),
        ({"hop": 1.0, "protocol": "paper"}, "--hop needs the dense protocol"),
    ],
)
def test_options_that_mean_nothing(
    tiny_model: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        extract_features("x.mp4", options=options(tiny_model), **changes)


def test_names_are_utf8_and_absolute_if_asked_for() -> None:
    assert named(InputPath("v/\udce9.mp4", "\udce9.mp4"), FeatureOptions()).name == "\\xe9.mp4"
    assert named(InputPath("v/日 é.mp4", "日 é.mp4"), FeatureOptions()).name == "日 é.mp4"
    absolute = named(InputPath("v/../a.mp4", "a.mp4"), FeatureOptions(absolute_paths=True))
    assert absolute.name == str(Path.cwd() / "a.mp4")


def test_roots_are_where_the_names_begin() -> None:
    cwd = str(Path.cwd())
    files = [InputPath("/v/a/x.mp4", "a/x.mp4"), InputPath("/v/y.mp4", "y.mp4")]
    assert roots([*files, InputPath("./z.mp4", "./z.mp4")]) == sorted(["/v", cwd])
    assert roots([InputPath("/v/a.mp4", "/v/a.mp4")]) == []
