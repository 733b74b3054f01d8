"""Small COCO data sets: bright squares and dark discs on gray, written as PNG."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hiera_cli.datasets.segmentations import run_lengths

CLASSES = ("square", "disc")


def document(**changes: Any) -> dict[str, Any]:
    """A COCO file with one picture of 40 x 30 and one box; `changes` replace its annotation's."""
    box = {"id": 1, "image_id": 7, "category_id": 2, "bbox": [4, 6, 10, 8], "area": 80}
    return {
        "images": [{"id": 7, "file_name": "a.png", "width": 40, "height": 30}],
        "categories": [{"id": 5, "name": "disc"}, {"id": 2, "name": "square"}],
        "annotations": [{**box, **changes}],
    }


def write_document(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def write_shapes(folder: Path, *, num: int, seed: int, size: tuple[int, int] = (64, 48)) -> Path:
    """Pictures with one to three shapes each, and annotations.json; returns the folder."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    images, annotations = [], []
    for image_id in range(num):
        pixels = np.full((size[1], size[0], 3), 128, np.uint8)
        for place in rng.permutation(3)[: rng.integers(1, 4)]:
            side, kind = int(rng.integers(14, 20)), int(rng.integers(2))
            left, top = int(place) * 21, int(rng.integers(0, size[1] - side))
            y, x = np.mgrid[0.5:side, 0.5:side] - side / 2
            inside = (
                np.full((side, side), fill_value=True) if kind == 0 else x**2 + y**2 < side**2 / 4
            )
            pixels[top : top + side, left : left + side][inside] = (250, 20)[kind]
            mask = np.zeros((size[1], size[0]), bool)
            mask[top : top + side, left : left + side] = inside
            annotations.append(
                {"id": len(annotations) + 1, "image_id": image_id, "category_id": kind + 1,
                 "bbox": [left, top, side, side], "area": side**2, "iscrowd": 0,
                 "segmentation": {"size": [size[1], size[0]], "counts": run_lengths(mask)}}
            )  # fmt: skip
        Image.fromarray(pixels).save(folder / f"{image_id}.png")
        entry = {"id": image_id, "file_name": f"{image_id}.png"}
        images.append(entry | {"width": size[0], "height": size[1]})
    categories = [{"id": k + 1, "name": name} for k, name in enumerate(CLASSES)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    write_document(folder / "annotations.json", content)
    return folder


def write_voc(shapes: Path, root: Path, *, split: str) -> None:
    """The shapes of a folder as a split of a VOC data set."""
    content = json.loads((shapes / "annotations.json").read_text())
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / name).mkdir(parents=True, exist_ok=True)
    names = []
    for image in content["images"]:
        name = f"{split}_{image['id']}"
        names.append(name)
        Image.open(shapes / image["file_name"]).save(root / "JPEGImages" / f"{name}.png")
        objects = ""
        for entry in content["annotations"]:
            if entry["image_id"] == image["id"]:
                x, y, width, height = entry["bbox"]
                objects += (
                    f"<object><name>{CLASSES[entry['category_id'] - 1]}</name><bndbox>"
                    f"<xmin>{x + 1}</xmin><ymin>{y + 1}</ymin>"
                    f"<xmax>{x + width}</xmax><ymax>{y + height}</ymax></bndbox></object>"
                )
        size = f"<width>{image['width']}</width><height>{image['height']}</height>"
        page = f"<annotation><size>{size}</size>{objects}</annotation>"
        (root / "Annotations" / f"{name}.xml").write_text(page)
    (root / "ImageSets" / "Main" / f"{split}.txt").write_text("\n".join(names))
