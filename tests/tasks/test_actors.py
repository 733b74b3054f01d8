import numpy as np
import pytest
from PIL import Image

from hiera_cli.datasets.ava import read_actions, read_ava
from hiera_cli.datasets.coco import read_coco
from hiera_cli.errors import UsageError
from hiera_cli.synth.actors import ACTIONS
from hiera_cli.synth.options import ActorOptions
from hiera_cli.tasks.actors import synthesise_actors
from hiera_cli.video.pictures import read_picture


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    out = tmp_path_factory.mktemp("actors")
    paths = list(synthesise_actors(ActorOptions(out=out, num=3, seed=4, seconds=2.0)))
    return out, paths


def test_videos_and_labels_belong_together(rendered):
    out, paths = rendered
    assert [path.name for path in paths] == [f"actors_4_00000{k}.mp4" for k in range(3)]
    actions = read_actions(out / "actions.pbtxt")
    assert tuple(actions.values()) == ACTIONS
    boxes = read_ava(out / "annotations.csv", last="person", actions=actions).boxes
    assert {box.video for box in boxes} <= {path.stem for path in paths}
    assert {box.timestamp for box in boxes} == {1}
    everywhere = read_ava(out / "frames.csv", last="person", actions=actions).boxes
    assert max(box.timestamp for box in everywhere) == 29
    at_second = {(b.video, b.person): b.corners for b in everywhere if b.timestamp == 15}
    assert all(at_second[box.video, box.person] == box.corners for box in boxes)


def test_the_coco_file_has_the_key_frames(rendered):
    out, _ = rendered
    data = read_coco(out / "annotations.json")
    boxes = read_ava(out / "annotations.csv", last="person").boxes
    assert data.classes == ("person",)
    assert (len(data.pictures), data.num_boxes, data.num_clipped) == (3, len(boxes), 0)
    picture = data.pictures[0]
    assert np.asarray(Image.open(picture.path)).shape == (120, 160, 3)
    first = boxes[0]
    assert first.x1 * 160 == pytest.approx(picture.boxes[0].x1, abs=0.1)


def test_the_middle_frame_of_the_video_is_the_key_frame(rendered):
    """Frame 15 of 30 is shown at one second; the encoder changes little."""
    out, paths = rendered
    key = np.asarray(Image.open(out / "frames" / "actors_4_000000_0001.png")).astype(int)
    middle = read_picture(str(paths[0])).astype(int)
    assert np.abs(key - middle).mean() < 12


def test_the_same_seed_gives_the_same_labels(rendered, tmp_path):
    out, _ = rendered
    list(synthesise_actors(ActorOptions(out=tmp_path, num=3, seed=4, seconds=2.0)))
    assert (tmp_path / "frames.csv").read_text() == (out / "frames.csv").read_text()


def test_numbers_that_render_nothing():
    for wrong in ({"seconds": float("nan")}, {"num": 0}, {"width": 33}):
        with pytest.raises(UsageError):
            ActorOptions(**{"out": "x", **wrong})
