"""What an object detector minimises and is measured by: its losses, COCO's AP."""

import logging
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from hiera_cli.checkpoints.detector import LoadedDetector, save_detector
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.datasets.coco import CocoDataset
from hiera_cli.detection.coco_evaluation import (
    find_all,
    score_boxes,
)
from hiera_cli.detection.masks import can_encode
from hiera_cli.model.box_detector import BoxDetector
from hiera_cli.training.data.samples import SampleBatch
from hiera_cli.training.detection.held_out import at_work, of_all
from hiera_cli.training.detection.pictures import stack
from hiera_cli.training.distributed import Process
from hiera_cli.training.records import DetectionValidation
from hiera_cli.video.info import Limits

logger = logging.getLogger("hiera_cli")


class BoxObjective:
    """The objective of object detection.

    Args:
        data: the classes.
        preprocessing: of the pixels.
        validation: held-out pictures; None: none.
        limits: what reading a file may cost.
        process: which share of the validation is this process's, and where its model is.
    """

    def __init__(
        self,
        data: CocoDataset,
        preprocessing: Preprocessing,
        *,
        validation: CocoDataset | None,
        limits: Limits,
        process: Process,
    ) -> None:
        self._data, self._preprocessing = data, preprocessing
        self._validation = validation
        self._limits, self._process = limits, process
        if validation is not None and not can_encode():
            logger.warning("no validation: it needs pycocotools (the `detection` extra)")
            self._validation = None

    def loss(self, forward: nn.Module, batch: SampleBatch) -> Tensor:
        """The sum () of the losses: proposals and boxes, what and where, and masks."""
        samples = batch.samples
        device = samples[0].boxes.device
        mean, std = (
            torch.tensor(values, device=device).view(3, 1, 1)
            for values in (self._preprocessing.mean, self._preprocessing.std)
        )
        pixels = [sample.pixels for sample in samples]
        pictures = stack(pixels, self._preprocessing.crop_size, mean, std)
        sizes = [(picture.shape[1], picture.shape[2]) for picture in pixels]
        losses: dict[str, Tensor] = forward(pictures, sizes, [s.target for s in samples])[1]
        return torch.stack([value.float() for value in losses.values()]).sum()

    def visible_tokens(self, num_clips: int) -> int:
        """Of no interest: every token is visible."""
        return 0 * num_clips

    def trivial(self) -> None:
        """Nothing to compare with."""

    def validate(self, model: nn.Module) -> DetectionValidation | None:
        """COCO's AP, of masks where they are learnt; None without held-out pictures."""
        data = self._validation
        if data is None:
            return None
        assert isinstance(model, BoxDetector)
        detector = LoadedDetector(model, "", self._preprocessing, self._data.classes)
        mine = slice(self._process.rank, None, self._process.world_size)
        share = replace(data, pictures=data.pictures[mine])
        with at_work(model):
            found = list(find_all(detector, share, limits=self._limits))
        results, num_failed = of_all(found)
        scores = score_boxes(data, results, num_failed=num_failed, model="")
        best = scores.masks or scores
        return DetectionValidation(best.ap or 0.0, best.ap50 or 0.0, len(results), num_failed)

    def save(self, folder: Path, model: nn.Module) -> None:
        """Write the detector as a model folder."""
        assert isinstance(model, BoxDetector)
        save_detector(folder, model, labels=self._data.classes, preprocessing=self._preprocessing)

    save_result = save
