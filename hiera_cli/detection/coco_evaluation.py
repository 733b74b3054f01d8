"""How well a detector finds the boxes and masks of a COCO file, by pycocotools' own figures."""

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from hiera_cli.checkpoints.detector import LoadedDetector
from hiera_cli.datasets.coco import BoxPicture, CocoDataset, LabelledBox
from hiera_cli.detection.detector import Boxes, detect_objects
from hiera_cli.detection.masks import Mask, drawn, encode
from hiera_cli.errors import Failure, MediaError, UsageError
from hiera_cli.files import write_text
from hiera_cli.video.info import Limits
from hiera_cli.video.pictures import read_picture

NO_VALUE = -1.0  # pycocotools' answer where there is nothing to measure


@dataclass(frozen=True, eq=False, slots=True)
class PictureBoxes:
    """A picture and what was found in it."""

    picture: BoxPicture
    boxes: Boxes


@dataclass(frozen=True, slots=True)
class CocoFigures:
    """The COCO evaluation, each figure in 0..1 or None where there is nothing to measure.

    Attributes:
        ap: mean over IoU 0.5:0.05:0.95 and the classes.
        ap50, ap75: at one IoU.
        ap_small, ap_medium, ap_large: for areas below 32², below 96² and above.
        ar100: recall with 100 detections a picture.
        per_class: `ap` of each class.
        per_class_ap50: `ap50` of each class.
    """

    ap: float | None
    ap50: float | None
    ap75: float | None
    ap_small: float | None
    ap_medium: float | None
    ap_large: float | None
    ar100: float | None
    per_class: dict[str, float | None]
    per_class_ap50: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class BoxScores(CocoFigures):
    """The COCO evaluation of boxes, and of masks where there are some.

    Attributes:
        num_pictures: that were evaluated.
        num_expected: in the file.
        num_failed: that could not be read; their boxes count as missed.
        num_boxes: to be found.
        num_detections: that were found.
        num_clipped, num_outside: boxes of the file that were cut off or left out.
        model: its name.
        dataset: the file.
        masks: the same figures, by the overlap of masks; None where only boxes are measured.
    """

    num_pictures: int
    num_expected: int
    num_failed: int
    num_boxes: int
    num_detections: int
    num_clipped: int
    num_outside: int
    model: str
    dataset: str
    masks: CocoFigures | None = None


def find_all(
    detector: LoadedDetector, data: CocoDataset, *, limits: Limits
) -> Iterator[PictureBoxes | Failure]:
    """What the detector finds in each picture of a data set.

    Raises:
        UsageError: the detector knows other classes than the data set.
    """
    if detector.labels != data.classes:
        raise UsageError(
            f"the detector knows {', '.join(detector.labels)}; {data.path} lists "
            f"{', '.join(data.classes)}",
            hint="evaluate on a data set with the classes that the detector was trained on",
        )
    for picture in data.pictures:
        try:
            rgb = read_picture(picture.path, limits=limits)
        except MediaError as error:
            yield Failure(picture.path, error.kind, error.message)
            continue
        found = detect_objects(detector, rgb, size=(picture.width, picture.height))
        yield PictureBoxes(picture, found)


def coco_results(data: CocoDataset, results: Sequence[PictureBoxes]) -> list[dict[str, Any]]:
    """Detections as the JSON that COCO's server and pycocotools read."""
    return [
        {
            "image_id": result.picture.image_id,
            "category_id": data.category_ids[int(label)],
            "bbox": [float(x1), float(y1), float(x2 - x1), float(y2 - y1)],
            "score": float(score),
            **({} if mask is None else {"segmentation": mask.to_json()}),
        }
        for result in results
        for (x1, y1, x2, y2), score, label, mask in zip(
            result.boxes.corners,
            result.boxes.scores,
            result.boxes.labels,
            result.boxes.masks or (None,) * len(result.boxes.scores),
            strict=True,
        )
    ]


def score_boxes(
    data: CocoDataset, results: Sequence[PictureBoxes], *, num_failed: int, model: str
) -> BoxScores:
    """The COCO evaluation of what was found; of masks, too, where the data set has them.

    Raises:
        UsageError: pycocotools is not installed.
    """
    found = coco_results(data, results)
    return BoxScores(
        **asdict(_figures(data, found, "bbox")),
        num_pictures=len(results),
        num_expected=len(data.pictures),
        num_failed=num_failed,
        num_boxes=data.num_boxes,
        num_detections=len(found),
        num_clipped=data.num_clipped,
        num_outside=data.num_outside,
        model=model,
        dataset=str(data.path),
        masks=_figures(data, found, "segm") if data.has_masks else None,
    )


def write_scores(
    folder: Path, scores: BoxScores, data: CocoDataset, results: Sequence[PictureBoxes]
) -> None:
    """Write metrics.json and detections.json (COCO results).

    Raises:
        OutputError: the folder or a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "metrics.json", json.dumps(asdict(scores), indent=1) + "\n")
    write_text(folder / "detections.json", json.dumps(coco_results(data, results)) + "\n")


def _mean(precision: Any) -> float | None:
    valid = precision[precision > NO_VALUE]
    return float(valid.mean()) if valid.size else None


def _figures(
    data: CocoDataset, found: list[dict[str, Any]], overlap: Literal["bbox", "segm"]
) -> CocoFigures:
    stats, precision = _evaluate(data, found, overlap)
    values = [None if value == NO_VALUE else float(value) for value in stats]
    by_class = [_mean(precision[:, :, k, 0, -1]) for k in range(len(data.classes))]
    by_class_50 = [_mean(precision[0, :, k, 0, -1]) for k in range(len(data.classes))]
    return CocoFigures(
        ap=values[0],
        ap50=values[1],
        ap75=values[2],
        ap_small=values[3],
        ap_medium=values[4],
        ap_large=values[5],
        ar100=values[8],
        per_class=dict(zip(data.classes, by_class, strict=True)),
        per_class_ap50=dict(zip(data.classes, by_class_50, strict=True)),
    )


def _evaluate(
    data: CocoDataset, found: list[dict[str, Any]], overlap: str
) -> tuple[list[float], Any]:
    """Pycocotools' twelve figures and its precisions by IoU, recall, class, area and number."""
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        hint = "pip install 'hiera-cli[detection]'"
        raise UsageError("the COCO evaluation needs pycocotools", hint=hint) from error
    with redirect_stdout(io.StringIO()):  # it talks
        truth = COCO()
        truth.dataset = _document(data)
        truth.createIndex()
        answers = COCO()
        answers.dataset = {**_document(data), "annotations": _numbered(found, overlap)}
        answers.createIndex()
        evaluation = COCOeval(truth, answers, overlap)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return list(evaluation.stats), evaluation.eval["precision"]


def _numbered(found: list[dict[str, Any]], overlap: str) -> list[dict[str, Any]]:
    """Detections as annotations: with ids and areas, of their boxes or of their masks."""

    def area(entry: dict[str, Any]) -> float:
        if overlap == "segm":
            height, width = entry["segmentation"]["size"]
            return Mask(width, height, entry["segmentation"]["counts"]).area
        return float(entry["bbox"][2] * entry["bbox"][3])

    return [
        {**entry, "id": number, "iscrowd": 0, "area": area(entry)}
        for number, entry in enumerate(found, start=1)
    ]


def _document(data: CocoDataset) -> dict[str, Any]:
    """The checked data set as COCO JSON."""
    boxes = [
        {
            "image_id": picture.image_id,
            "category_id": data.category_ids[box.label_index],
            "bbox": [box.x1, box.y1, box.x2 - box.x1, box.y2 - box.y1],
            "area": box.area,
            "iscrowd": int(box.is_crowd),
            **_segmentation(picture, box),
        }
        for picture in data.pictures
        for box in picture.boxes
    ]
    return {
        "images": [
            {"id": picture.image_id, "width": picture.width, "height": picture.height}
            for picture in data.pictures
        ],
        "categories": [
            {"id": number, "name": name}
            for number, name in zip(data.category_ids, data.classes, strict=True)
        ],
        "annotations": [{"id": number, **box} for number, box in enumerate(boxes, start=1)],
    }


def _segmentation(picture: BoxPicture, box: LabelledBox) -> dict[str, Any]:
    if box.segmentation is None:
        return {}
    shape = drawn(box.segmentation, width=picture.width, height=picture.height)
    return {"segmentation": encode(shape).to_json()}
