"""Rendered videos of acting figures, with boxes in AVA's and COCO's formats.

OUT/videos/actors_000000.mp4
OUT/frames/actors_000000_0001.png   its key frame at one second
OUT/annotations.csv                 AVA: video_id,second,x1,y1,x2,y2,action_id,person_id
OUT/frames.csv                      the same at every frame, with the frame's number
OUT/actions.pbtxt                   names of the actions
OUT/annotations.json                COCO: people in the key frames, and what is seen of them
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from hiera_cli.datasets.segmentations import run_lengths
from hiera_cli.files import output_errors, write_text
from hiera_cli.synth.actors import (
    ACTIONS,
    Boxes,
    Masks,
    Play,
    boxes_of,
    masks_of,
    stage_play,
    visible,
)
from hiera_cli.synth.options import ActorOptions
from hiera_cli.synth.props import Props
from hiera_cli.synth.scenes import render
from hiera_cli.synth.staging import Shot
from hiera_cli.video.encode import h264, write_video

BLOCK = 50  # videos that share a stock of textures
CRF = 18


def synthesise_actors(options: ActorOptions) -> Iterator[Path]:
    """Render videos one by one; the label files are written when all are there.

    Raises:
        OutputError: a file cannot be written.
    """
    labels = _Labels(options)
    with output_errors(options.out):
        for name in ("videos", "frames"):
            (options.out / name).mkdir(parents=True, exist_ok=True)
    shot = Shot(
        num_frames=round(options.seconds * options.fps),
        fps=options.fps,
        width=options.width,
        height=options.height,
    )
    for index in range(options.num):
        if index % BLOCK == 0:
            props = Props(np.random.default_rng((options.seed, index, 2)))
        rng = np.random.default_rng((options.seed, index, 3))
        play = stage_play(rng, props, shot)
        frames = render(play.scene, shot.width, shot.height, rng=rng)
        name = f"actors_{options.seed}_{index:06d}"
        path = options.out / "videos" / f"{name}.mp4"
        write_video(path, frames, fps=shot.fps, encoding=h264(crf=CRF, preset="veryfast"))
        labels.add(name, play, shot, frames)
        yield path
    labels.write()


class _Labels:
    """The label files, gathered while videos are rendered."""

    def __init__(self, options: ActorOptions) -> None:
        self._out = options.out
        self._seconds: list[str] = []
        self._frames: list[str] = []
        self._images: list[dict[str, Any]] = []
        self._boxes: list[dict[str, Any]] = []

    def add(self, name: str, play: Play, shot: Shot, frames: npt.NDArray[np.uint8]) -> None:
        """Note where the actors of a video are, and keep its key frames."""
        masks = [masks_of(play, actor, shot) for actor in play.actors]
        boxes = [boxes_of(mask, shot) for mask in masks]
        seen = visible(masks)
        scale = np.array([shot.width, shot.height] * 2)
        for person, (actor, where) in enumerate(zip(play.actors, boxes, strict=True)):
            for frame in np.flatnonzero(np.isfinite(where[:, 0])).tolist():
                corners = ",".join(f"{value:.3f}" for value in where[frame] / scale)
                row = f"{corners},{actor.action + 1},{person}\n"
                self._frames.append(f"{name},{frame},{row}")
                if frame in (keys := _key_frames(shot)):
                    self._seconds.append(f"{name},{keys[frame]:04d},{row}")
        for frame, second in _key_frames(shot).items():
            picture = self._out / "frames" / f"{name}_{second:04d}.png"
            with output_errors(picture):
                Image.fromarray(frames[frame]).save(picture)
            here = [(w[frame], m[frame]) for w, m in zip(boxes, seen, strict=True)]
            self._add_picture(picture, here, shot)

    def _add_picture(self, picture: Path, people: list[tuple[Boxes, Masks]], shot: Shot) -> None:
        image_id = len(self._images) + 1
        file_name = str(picture.relative_to(self._out))
        self._images.append(
            {"id": image_id, "file_name": file_name, "width": shot.width, "height": shot.height}
        )
        for box, mask in people:
            if not np.isfinite(box).all():
                continue
            x1, y1, x2, y2 = box.tolist()
            runs = {"size": [shot.height, shot.width], "counts": run_lengths(mask)}
            self._boxes.append(
                {
                    "id": len(self._boxes) + 1,
                    "image_id": image_id,
                    "category_id": 1,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": int(mask.sum()),
                    "segmentation": runs,
                    "iscrowd": 0,
                }
            )

    def write(self) -> None:
        """Write the label files.

        Raises:
            OutputError: a file cannot be written.
        """
        items = (f'item {{\n  name: "{name}"\n  id: {k}\n}}\n' for k, name in _actions())
        coco = {
            "images": self._images,
            "annotations": self._boxes,
            "categories": [{"id": 1, "name": "person"}],
        }
        write_text(self._out / "annotations.csv", "".join(self._seconds))
        write_text(self._out / "frames.csv", "".join(self._frames))
        write_text(self._out / "actions.pbtxt", "".join(items))
        write_text(self._out / "annotations.json", json.dumps(coco) + "\n")


def _actions() -> Iterator[tuple[int, str]]:
    return enumerate(ACTIONS, start=1)


def _key_frames(shot: Shot) -> dict[int, int]:
    """Seconds by the number of the frame that is shown at them; not the first and the last."""
    last = int((shot.num_frames - 1) / shot.fps)
    return {round(second * shot.fps): second for second in range(1, last + 1)}
