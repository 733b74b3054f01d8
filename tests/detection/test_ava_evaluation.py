"""From rendered actors to an action detector's frame mAP, a few steps only."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from hiera_cli.checkpoints.open import open_model
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.datasets.keyframes import read_keyframes
from hiera_cli.detection.ava_evaluation import (
    ScoredFrame,
    score_key_frames,
    summarise,
    write_action_scores,
)
from hiera_cli.detection.whole_frames import whole_units
from hiera_cli.errors import Failure, NoInputError, UsageError
from hiera_cli.model.action_head import action_logits, action_targets, at_size
from hiera_cli.model.hiera import Hiera
from hiera_cli.synth.options import ActorOptions
from hiera_cli.tasks.actors import synthesise_actors
from hiera_cli.training.detection.actions import finetune_actions
from hiera_cli.training.detection.options import DetectorChanges
from hiera_cli.training.options import ClipOptions, FinetuneOptions, RunOptions
from hiera_cli.training.recipe import FinetuneChanges
from hiera_cli.training.records import Epoch
from hiera_cli.video.info import Limits
from tests.configs import tiny_video
from tests.model.networks import lively_hiera

SHAPE = DetectorChanges()
CHANGES = FinetuneChanges(epochs=1, batch_size=4, lr=0.01, optimizer="adamw", flip=False)


@pytest.fixture(scope="module")
def actors(tmp_path_factory):
    root = tmp_path_factory.mktemp("ava")
    for split, num in (("train", 4), ("val", 2)):
        options = ActorOptions(
            out=root / split, num=num, seed=len(split), seconds=2.5, fps=8, width=80, height=64
        )
        list(synthesise_actors(options))
    return root


@pytest.fixture(scope="module")
def run(actors, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    config = tiny_video(32, num_classes=1).to_dict()
    pixels = Preprocessing.for_config(tiny_video(32)).to_dict()
    (folder / "config.json").write_text(json.dumps({**config, "preprocessing": pixels}))
    options = FinetuneOptions(
        data=str(actors), model=str(folder / "config.json"), from_scratch=True
    )
    out = RunOptions(out=folder / "run", device="cpu", workers=0)
    clips = ClipOptions(isolate=False)
    records = list(finetune_actions(options, out, clips=clips, shape=SHAPE, changes=CHANGES))
    assert isinstance(records[-1], Epoch)
    return folder / "run"


@pytest.mark.parametrize("view", ["center", "whole"])
def test_a_trained_model_is_evaluated(actors, run, view, tmp_path):
    data = read_keyframes(actors, split="val")
    assert (len(data.actions), data.has_detections, data.num_missing) == (5, False, 0)
    loaded = open_model(str(run))
    scored = list(score_key_frames(loaded, data, view=view, limits=Limits(), isolate=False))
    assert [item.frame for item in scored] == list(data.frames)
    for item in scored:
        assert item.scores.shape == (len(item.frame.candidates), 5)
        assert ((item.scores > 0) & (item.scores < 1)).all()
    scores = summarise(data, scored, view=view, num_failed=0, model="m")
    assert scores.mean_ap is not None
    assert (scores.view, scores.boxes) == (view, "ground truth")
    write_action_scores(tmp_path / "out", scores, data, scored)
    rows = (tmp_path / "out" / "results.csv").read_text().splitlines()
    assert len(rows) == 5 * sum(len(frame.candidates) for frame in data.frames)


def test_who_knows_the_truth_scores_one_and_excluded_frames_do_not_count(actors):
    data = read_keyframes(actors, split="val")

    def known(frame):
        return action_targets([box.actions for box in frame.truth], data.action_ids).numpy()

    scored = [ScoredFrame(frame, known(frame).astype(float)) for frame in data.frames]
    assert summarise(data, scored, view="center", num_failed=0, model="m").mean_ap == 1
    wrong = [ScoredFrame(scored[0].frame, 1 - scored[0].scores), *scored[1:]]
    worse = summarise(data, wrong, view="center", num_failed=0, model="m")
    assert worse.mean_ap < 1
    without = replace(data, excluded=frozenset({data.frames[0].moment}))
    again = summarise(without, wrong, view="center", num_failed=0, model="m")
    assert (again.mean_ap, again.num_excluded) == (1, 1)


def test_a_missing_video_is_a_failure(actors, run):
    data = read_keyframes(actors, split="val")
    gone = replace(data, frames=tuple(replace(frame, path="gone.mp4") for frame in data.frames[:1]))
    (failure,) = score_key_frames(
        open_model(str(run)), gone, view="center", limits=Limits(), isolate=False
    )
    assert isinstance(failure, Failure)
    assert failure.kind == "not_found"


def test_other_actions_are_refused(actors, run):
    data = replace(read_keyframes(actors, split="val"), actions=("a", "b", "c", "d", "e"))
    with pytest.raises(UsageError, match="actions are not those"):
        next(score_key_frames(
            open_model(str(run)), data, view="center", limits=Limits(), isolate=False
        ))  # fmt: skip


def test_detections_are_candidates_from_a_score_of_08(actors, tmp_path):
    for name in ("annotations.csv", "actions.pbtxt"):
        (tmp_path / name).write_text((actors / "val" / name).read_text())
    (tmp_path / "videos").mkdir()
    with pytest.raises(NoInputError, match="no videos"):
        read_keyframes(tmp_path, split="val")
    video = read_keyframes(actors, split="val").frames[0].video
    (tmp_path / "videos" / f"{video}.mp4").touch()
    (tmp_path / "detections.csv").write_text(
        f"{video},0001,0.1,0.1,0.5,0.5,,0.79\n{video},0001,0.2,0.1,0.5,0.5,,0.81\n"
    )
    data = read_keyframes(tmp_path, split="val")
    assert data.has_detections
    (frame,) = (f for f in data.frames if f.moment == (video, 1))
    assert [box.x1 for box in frame.candidates] == [0.2]
    assert data.num_missing == 1


def test_a_class_that_the_list_lacks(actors, tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "actions.pbtxt").write_text('item { name: "walk" id: 1 }')
    (tmp_path / "annotations.csv").write_text("v,0001,0.1,0.1,0.5,0.5,7,0\n")
    with pytest.raises(UsageError, match="the list lacks: 7"):
        read_keyframes(tmp_path, split="val")


def test_logits_look_at_the_box():
    model = lively_hiera(tiny_video(64, num_classes=3))
    clip = torch.randn(1, 3, 4, 64, 64)
    boxes = [torch.tensor([[0.0, 0, 31, 31], [32, 32, 63, 63], [0, 0, 31, 31]])]
    logits = action_logits(model, clip, boxes)
    assert logits.shape == (3, 3)
    torch.testing.assert_close(logits[0], logits[2])
    assert (logits[0] - logits[1]).abs().max() > 1e-3


def test_a_model_at_its_own_size_is_the_same():
    model = lively_hiera(tiny_video(64, num_classes=3))
    clip = torch.randn(1, 3, 4, 64, 64)
    torch.testing.assert_close(at_size(model, 64, 64)(clip), model(clip))
    assert isinstance(at_size(model, 32, 96), Hiera)
    assert whole_units(model.config, 64, 85) == (64, 96)


def test_targets_pass_over_what_is_not_listed():
    targets = action_targets([(1, 4), (), (99,)], (1, 3, 4))
    assert np.array_equal(targets.numpy(), [[1, 0, 1], [0, 0, 0], [0, 0, 0]])
