"""Tracks in the formats that others read: rows of AVA's CSV, and COCO JSON."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from hiera_cli.tasks.detection.detect import TrackRecord, VideoTracks, box_at
from hiera_cli.tasks.detection.tracks import TimedBox


def ava_rows(video: VideoTracks, *, action_ids: Mapping[str, int]) -> Iterator[str]:
    """Lines `video_id,second,x1,y1,x2,y2,action_id,score` at every whole second of each track.

    A track that does nothing then has an empty action and its box's score.

    Args:
        video: with its tracks.
        action_ids: number of each action.
    """
    name, info = Path(video.path).stem, video.info
    for track in video.tracks:
        for second in range(int(info.duration_seconds) + 1):
            instant = info.start_seconds + second
            box = box_at(track.boxes, instant, within=0.5)
            if box is None:
                continue
            corners = ",".join(
                f"{min(max(value / size, 0.0), 1.0):.3f}"
                for value, size in zip(box.corners, (info.width, info.height) * 2, strict=True)
            )
            acted = [a for a in track.actions if a.start_seconds <= instant <= a.end_seconds]
            cells = [(str(action_ids[a.label]), a.score) for a in acted] or [("", box.score)]
            for action, score in cells:
                yield f"{name},{second:04d},{corners},{action},{score:.4f}"


def coco_document(videos: Iterable[VideoTracks]) -> dict[str, Any]:
    """COCO JSON: an image for each frame with boxes (`file_name` the video, `time_seconds`)."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    categories: dict[str, int] = {}
    for video in videos:
        ids: dict[float, int] = {}
        for track in video.tracks:
            category = categories.setdefault(track.label, len(categories) + 1)
            for box in track.boxes:
                if box.time_seconds not in ids:
                    ids[box.time_seconds] = len(images) + 1
                    images.append(_image(video, ids[box.time_seconds], box))
                entry = _annotation(track, box, ids[box.time_seconds], category)
                annotations.append({"id": len(annotations) + 1, **entry})
    listed: Sequence[dict[str, Any]] = [
        {"id": number, "name": name} for name, number in categories.items()
    ]
    return {"images": images, "annotations": annotations, "categories": listed}


def _image(video: VideoTracks, number: int, box: TimedBox) -> dict[str, Any]:
    return {
        "id": number,
        "file_name": video.path,
        "width": video.info.width,
        "height": video.info.height,
        "time_seconds": box.time_seconds,
    }


def track_entry(track: TrackRecord) -> dict[str, Any]:
    """A track as JSON types; of masks only those that are there, as COCO writes them."""
    entry = asdict(replace(track, boxes=()))
    boxes = [asdict(replace(box, mask=None)) for box in track.boxes]
    for written, box in zip(boxes, track.boxes, strict=True):
        del written["mask"]
        if box.mask is not None:
            written["segmentation"] = box.mask.to_json()
    return entry | {"boxes": boxes}


def _annotation(track: TrackRecord, box: TimedBox, image_id: int, category: int) -> dict[str, Any]:
    width, height = box.x2 - box.x1, box.y2 - box.y1
    shape = {} if box.mask is None else {"segmentation": box.mask.to_json()}
    return {
        "image_id": image_id,
        "category_id": category,
        "bbox": [box.x1, box.y1, width, height],
        "area": width * height if box.mask is None else box.mask.area,
        **shape,
        "iscrowd": 0,
        "score": box.score,
        "track_id": track.track,
    }
