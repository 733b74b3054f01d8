from dataclasses import replace

import numpy as np
import pytest

from hiera_cli.detection.masks import encode
from hiera_cli.report.palette import colour_of, rgb_of
from hiera_cli.report.track_overlay import OPACITY, TrackOverlay, captions
from hiera_cli.tasks.detection.detect import ActionSegment, TrackRecord, VideoTracks
from hiera_cli.tasks.detection.tracks import TimedBox

BOXES = (TimedBox(0.0, 20, 40, 60, 90, 0.9), TimedBox(1.0, 40, 40, 80, 90, 0.8))
ACTIONS = (ActionSegment(0.5, 1.0, "wave", 0.75),)
TRACK = TrackRecord("v.mp4", 3, "person", BOXES, ACTIONS)


def test_boxes_are_drawn_where_the_track_is():
    overlay = TrackOverlay(VideoTracks("v.mp4", None, (TRACK,)), reach=1.0)
    black = np.zeros((120, 160, 3), np.uint8)
    drawn = overlay.draw(0.5, black)
    assert drawn.shape == black.shape
    assert tuple(drawn[85, 30]) == rgb_of(colour_of(3))  # half way between 20 and 40
    assert tuple(drawn[85, 100]) == (0, 0, 0)
    assert not overlay.draw(5.0, black).any()


def test_masks_are_tinted_and_move_with_their_box():
    """A mask that fills the right half of its box at 0 s, looked at when the box has moved."""
    pytest.importorskip("pycocotools")
    mask = np.zeros((120, 160), bool)
    mask[40:90, 40:60] = True
    boxes = (replace(BOXES[0], mask=encode(mask)), BOXES[1])
    track = replace(TRACK, boxes=boxes, actions=())
    black = np.zeros((120, 160, 3), np.uint8)
    drawn = TrackOverlay(VideoTracks("v.mp4", None, (track,)), reach=1.0).draw(0.25, black)
    tinted = np.array(rgb_of(colour_of(3))) * OPACITY // 255
    assert np.abs(drawn[80, 55].astype(int) - tinted).max() <= 1  # the box is at 25 to 65
    assert not drawn[80, 35].any()
    late = TrackOverlay(VideoTracks("v.mp4", None, (track,)), reach=1.0).draw(0.9, black)
    assert not late[80, 70].any()


def test_captions_say_what_happens_at_the_time():
    assert captions(TRACK, 0.2) == ["person 3"]
    assert captions(TRACK, 0.7) == ["person 3", "wave 75%"]
