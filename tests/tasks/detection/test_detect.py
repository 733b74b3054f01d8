import json
import math
from dataclasses import asdict

import numpy as np
import pytest

from hiera_cli.datasets.ava import read_ava
from hiera_cli.errors import Failure, UsageError
from hiera_cli.inputs import InputPath
from hiera_cli.synth.options import ActorOptions
from hiera_cli.tasks.actors import synthesise_actors
from hiera_cli.tasks.detection.detect import Tracker, segments
from hiera_cli.tasks.detection.formats import ava_rows, coco_document
from hiera_cli.tasks.detection.given import read_boxes
from hiera_cli.tasks.detection.options import DetectOptions
from hiera_cli.video.info import Limits


def test_instants_in_a_row_are_a_segment():
    told = [(t, np.array([s, 0.9])) for t, s in ((0.5, 0.8), (1.5, 0.6), (2.5, 0.1), (5.5, 0.7))]
    found = segments(told, ("run", "look"), hop=1.0, least=0.5)
    runs = [(s.start_seconds, s.end_seconds, round(s.score, 3)) for s in found if s.label == "run"]
    assert runs == [(0, 2, 0.7), (5, 6, 0.7)]
    looks = [(s.start_seconds, s.end_seconds) for s in found if s.label == "look"]
    assert looks == [(0, 3), (5, 6)]


@pytest.fixture(scope="module")
def actors(tmp_path_factory):
    out = tmp_path_factory.mktemp("actors")
    options = ActorOptions(out=out, num=4, seed=2, seconds=2.0, fps=10, width=96, height=64)
    return out, list(synthesise_actors(options))


def follow(paths, **options):
    chosen = DetectOptions(**options)
    tracker = Tracker(chosen, given=read_boxes(chosen.boxes, chosen.box_times))
    files = [InputPath(str(path), str(path)) for path in paths]
    return list(tracker.follow(files, limits=Limits(), isolate=False))


def test_boxes_at_every_frame_become_the_actors_tracks(actors):
    """Nine of ten actors are one track that covers all the frames in which they are seen."""
    out, paths = actors
    truth = read_ava(out / "frames.csv", last="person").boxes
    videos = follow(paths, boxes=out / "frames.csv", box_times="frames")
    whole = total = 0
    for video in videos:
        assert (video.info.width, video.info.height) == (96, 64)
        people = [b for b in truth if f"{b.video}.mp4" in video.path]
        for person in {b.person for b in people}:
            times = {b.timestamp for b in people if b.person == person}
            longest = max(
                len({round(b.time_seconds * 10) for b in t.boxes} & times) for t in video.tracks
            )
            total += 1
            whole += longest == len(times)
    assert total >= 4
    assert whole >= 0.9 * total


def test_files_for_others(actors):
    out, paths = actors
    videos = follow(paths, boxes=out / "frames.csv", box_times="frames")
    rows = [row for video in videos for row in ava_rows(video, action_ids={})]
    (out / "written.csv").write_text("\n".join(rows))
    again = read_ava(out / "written.csv", last="score").boxes
    truth = {b.video: b for b in read_ava(out / "annotations.csv", last="person").boxes}
    assert {b.video for b in again} == {path.stem for path in paths} >= set(truth)
    document = coco_document(videos)
    assert document["categories"] == [{"id": 1, "name": "person"}]
    assert len(document["annotations"]) == sum(len(t.boxes) for v in videos for t in v.tracks)
    assert json.loads(json.dumps(document)) == document


def test_a_missing_video_and_boxes_after_its_end_are_failures(actors, tmp_path):
    _, paths = actors
    (tmp_path / "late.csv").write_text(f"{paths[0].stem},0009,0.1,0.1,0.5,0.5,,0.9\n")
    late, gone = follow([paths[0], tmp_path / "gone.mp4"], boxes=tmp_path / "late.csv")
    assert isinstance(late, Failure)
    assert "second 9 of 2.0" in late.message
    assert isinstance(gone, Failure)
    assert gone.kind == "not_found"


def test_options_that_cannot_mean_anything(tmp_path):
    for wrong in (
        {},
        {"boxes": tmp_path / "x.csv", "detector": "run"},
        {"detector": "run", "rate": 0},
        {"detector": "run", "rate": math.nan},
        {"detector": "run", "view": "left"},
        {"detector": "run", "min_iou": -1},
    ):
        with pytest.raises(UsageError):
            DetectOptions(**wrong)


def test_tracks_that_were_written_are_read_again(actors, tmp_path):
    out, paths = actors
    videos = follow(paths, boxes=out / "frames.csv", box_times="frames")
    lines = [json.dumps(asdict(track)) for video in videos for track in video.tracks]
    (tmp_path / "tracks.jsonl").write_text("\n".join(lines))
    again = follow(paths, boxes=tmp_path / "tracks.jsonl")
    assert [video.tracks for video in again] == [video.tracks for video in videos]
