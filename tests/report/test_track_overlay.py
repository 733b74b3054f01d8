import numpy as np

from hiera_cli.report.palette import colour_of, rgb_of
from hiera_cli.report.track_overlay import TrackOverlay, captions
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


def test_captions_say_what_happens_at_the_time():
    assert captions(TRACK, 0.2) == ["person 3"]
    assert captions(TRACK, 0.7) == ["person 3", "wave 75%"]
