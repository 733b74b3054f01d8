"""Videos with people's actions at key frames: AVA's folder, or one laid out like it.

    ROOT/videos/ID.mp4                                    any video suffix
    ROOT/annotations.csv or ava_SPLIT_v2.2.csv            true boxes
    ROOT/detections.csv or ava_detection_SPLIT*.csv       a detector's boxes (optional)
    ROOT/actions.pbtxt or ava_action_list*.pbtxt          the evaluated actions
    ROOT/excluded.csv or ava_SPLIT_excluded_timestamps*   key frames left out (optional)

The files may also lie in ROOT/annotations or, with the videos, in ROOT/SPLIT.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hiera_cli.datasets.ava import (
    ActionBox,
    Moment,
    read_actions,
    read_ava,
    read_excluded,
)
from hiera_cli.errors import NoInputError, UsageError
from hiera_cli.inputs import VIDEO_SUFFIXES

MIN_SCORE = 0.8  # of a detection that is looked at (SlowFast's configurations)


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """A moment of a video at which people's actions are known.

    Attributes:
        video: its id.
        path: of the file; it need not exist.
        timestamp: in seconds.
        truth: true boxes.
        candidates: boxes to look at: detections where there are any, else the true boxes.
    """

    video: str
    path: str
    timestamp: int
    truth: tuple[ActionBox, ...]
    candidates: tuple[ActionBox, ...]

    @property
    def moment(self) -> Moment:
        """Video id and second."""
        return (self.video, self.timestamp)


@dataclass(frozen=True, slots=True)
class KeyFrameDataset:
    """Key frames of many videos.

    Attributes:
        source: the file of true boxes.
        action_ids: ids of the evaluated actions, ascending.
        actions: their names.
        frames: sorted by video and time.
        excluded: key frames that the evaluation leaves out.
        has_detections: whether candidates are a detector's.
        num_missing: videos that the files name and that are not there.
    """

    source: Path
    action_ids: tuple[int, ...]
    actions: tuple[str, ...]
    frames: tuple[KeyFrame, ...]
    excluded: frozenset[Moment]
    has_detections: bool
    num_missing: int


def read_keyframes(root: str | Path, *, split: str) -> KeyFrameDataset:
    """Read a folder of AVA's shape.

    Raises:
        UsageError: a file is missing or holds what cannot be meant.
        NoInputError: no video.
    """
    places = _places(root, split)
    truth_file = _find_truth(places, split)
    list_file = _find(places, ("actions.pbtxt", "ava_action_list*.pbtxt", "label_map.txt"))
    if truth_file is None or list_file is None:
        missing = "annotations.csv" if truth_file is None else "actions.pbtxt"
        raise UsageError(
            f"no {missing} in '{root}'",
            hint="the folder holds videos/, annotations.csv and actions.pbtxt, or AVA's own files",
        )
    actions = read_actions(list_file)
    # AVA trains on 80 classes and evaluates the 60 of the list: true boxes may have others
    truth = _by_moment(read_ava(truth_file, last="person").boxes)
    _check_classes(truth, actions, truth_file)
    found_file = _find(places, ("detections.csv", f"ava_detection_{split}*.csv",
                                f"ava_{split}_predicted_boxes.csv"))  # fmt: skip
    found = None
    if found_file is not None:
        boxes = read_ava(found_file, last="score").boxes
        found = _by_moment([box for box in boxes if (box.score or 0) >= MIN_SCORE])
    excluded_file = _find(places, ("excluded.csv", f"ava_{split}_excluded_timestamps*.csv"))
    return _dataset(
        truth_file,
        dict(sorted(actions.items())),
        truth,
        found,
        excluded=read_excluded(excluded_file) if excluded_file else frozenset(),
        videos=_videos(places),
    )


def has_split(root: str | Path, split: str) -> bool:
    """Whether a folder has true boxes for a split; one file may serve for all."""
    return _find_truth(_places(root, split), split) is not None


def _places(root: str | Path, split: str) -> list[Path]:
    return [Path(root) / split, Path(root) / "annotations", Path(root)]


def _find_truth(places: Sequence[Path], split: str) -> Path | None:
    return _find(places, ("annotations.csv", f"ava_{split}_v2.[0-9].csv"))


def _find(places: Sequence[Path], patterns: Sequence[str]) -> Path | None:
    found = (f for place in places for pattern in patterns for f in sorted(place.glob(pattern)))
    return next((path for path in found if path.is_file()), None)


def _check_classes(
    truth: dict[Moment, tuple[ActionBox, ...]], actions: dict[int, str], path: Path
) -> None:
    """Refuse a file none of whose labels is in the list, or ids beyond AVA's 80 and the list."""
    labels = {action for boxes in truth.values() for box in boxes for action in box.actions}
    unknown = labels - set(actions)
    foreign = {label for label in unknown if label > max(80, *actions) or len(actions) < 60}
    if foreign or not labels & set(actions):
        shown = ", ".join(map(str, sorted(foreign or unknown)[:5]))
        raise UsageError(f"{path}: actions that the list lacks: {shown}")


def _by_moment(boxes: Sequence[ActionBox]) -> dict[Moment, tuple[ActionBox, ...]]:
    groups: dict[Moment, list[ActionBox]] = defaultdict(list)
    for box in boxes:
        groups[box.moment].append(box)
    return {moment: tuple(group) for moment, group in groups.items()}


def _videos(places: Sequence[Path]) -> dict[str, str]:
    """Paths by video id."""
    folders = [folder for place in places for folder in (place / "videos", place)]
    videos: dict[str, str] = {}
    for folder in folders:
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                if path.suffix.lower() in VIDEO_SUFFIXES:
                    videos.setdefault(path.stem, str(path))
    if not videos:
        raise NoInputError(f"no videos in '{folders[-2]}'")
    return videos


def _dataset(
    source: Path,
    actions: dict[int, str],
    truth: dict[Moment, tuple[ActionBox, ...]],
    found: dict[Moment, tuple[ActionBox, ...]] | None,
    *,
    excluded: frozenset[Moment],
    videos: dict[str, str],
) -> KeyFrameDataset:
    candidates = truth if found is None else found
    frames = [
        KeyFrame(
            video=video,
            path=videos.get(video, str(source.parent / "videos" / video)),
            timestamp=timestamp,
            truth=truth.get((video, timestamp), ()),
            candidates=candidates.get((video, timestamp), ()),
        )
        for video, timestamp in sorted({*truth, *candidates})
    ]
    return KeyFrameDataset(
        source=source,
        action_ids=tuple(actions),
        actions=tuple(actions.values()),
        frames=tuple(frames),
        excluded=excluded,
        has_detections=found is not None,
        num_missing=len({frame.video for frame in frames} - set(videos)),
    )
