"""What a training command can be told; plain values, no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hiera_cli.checkpoints.zoo import DEFAULT_MODEL
from hiera_cli.heads.options import ClassWeights
from hiera_cli.options import (
    CropMode,
    DecodeOptions,
    OnExisting,
    SamplingName,
    Symmetry,
    check_at_least,
    check_choices,
    check_device,
)

Precision = Literal["float32", "bfloat16", "float16"]
RecipeName = Literal["usual", "ssv2"]
FinetuneRecipeName = Literal["usual", "ssv2", "transfer"]
HeadStart = Literal["auto", "fit", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a run is carried out, whatever it learns.

    Attributes:
        out: the run's folder.
        on_existing: what to do when that folder holds a run already.
        seed: of everything random.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        precision: of the arithmetic; weights and optimizer stay float32.
        accumulate: parts that a batch is worked through in, to save memory.
        checkpoint_activations: compute activations again in the backward pass, to save memory.
        compile_model: run the model through torch.compile.
        workers: decoding processes; 0 decodes between the steps.
        save_every: steps between checkpoints; 0: only where it is validated.
        validate_every: effective epochs from one validation to the next, which are also where
            checkpoints are written and the best model is kept; more for few labels.
    """

    out: Path
    on_existing: OnExisting = "resume"
    seed: int = 0
    device: str = "auto"
    precision: Precision = "float32"
    accumulate: int = 1
    checkpoint_activations: bool = False
    compile_model: bool = False
    workers: int = 2
    save_every: int = 0
    validate_every: int = 1

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything.

        Raises:
            UsageError: a value out of range.
        """
        check_choices(self)
        check_device(self.device)
        check_at_least(0, seed=self.seed, workers=self.workers, save_every=self.save_every)
        check_at_least(1, accumulate=self.accumulate, validate_every=self.validate_every)


@dataclass(frozen=True, kw_only=True)
class ClipOptions(DecodeOptions):
    """Which clips a run learns from, and what reading a file may cost.

    Attributes:
        frame_stride: distance of sampled frames at 30 a second; None: the model's own.
        cache: folder to keep decoded clips in; None: decode at every visit.
        cache_clips: clips kept of each video.
    """

    frame_stride: int | None = None
    cache: Path | None = None
    cache_clips: int = 1

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything.

        Raises:
            UsageError: a value out of range.
        """
        super().__post_init__()
        check_at_least(1, cache_clips=self.cache_clips, frame_stride=self.frame_stride)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneOptions:
    """What to fine-tune on what.

    Attributes:
        data: the labelled videos or pictures: class folders, a zip archive of pictures, a
            Kinetics folder or a list file.
        annotations: the file that labels them, when it is not found by itself.
        class_names: a file with the names of a list's numbered classes; None: searched for.
        labels_from: the number of a list's first class.
        val: labelled videos to validate on; None: the `val` split of `data`, when it has one.
        model: zoo name, model folder or config.json: the architecture and the initial weights.
        from_scratch: start from random weights.
        freeze_backbone: train the head alone (a linear probe).
        sampling: frames a stride apart, or one of each of T segments; None: the model's own.
        crop_mode: the center of a frame, or all of it squashed to a square; None: the model's own.
        symmetries: what half of the clips are put through, their labels with them.
        recipe: `usual`: Kinetics' or ImageNet's for the model's size; `ssv2`; `transfer`: pictures
            that are not ImageNet's; None: by the data set.
        calibrate: divide the result's logits by the temperature that fits the validation.
        hold_out: files of each class that are validated on and not learnt from.
        per_class: labelled files of each class to learn from, drawn from the seed; None: all.
        head_start: `fit`: begin with the head that `hiera fit` would give, over what it would have
            the head see; `auto`: where the weights are pretrained and the classes new to them.
        class_weights: `balanced` lets every class count the same in the loss; `auto`: where the
            largest class has more than three times the smallest, and few clips.
    """

    data: str
    annotations: str | None = None
    class_names: str | None = None
    labels_from: int = 0
    val: str | None = None
    model: str = DEFAULT_MODEL
    from_scratch: bool = False
    freeze_backbone: bool = False
    sampling: SamplingName | None = None
    crop_mode: CropMode | None = None
    symmetries: list[Symmetry] | None = None
    recipe: FinetuneRecipeName | None = None
    calibrate: bool = False
    hold_out: int = 0
    per_class: int | None = None
    head_start: HeadStart = "auto"
    class_weights: ClassWeights = "auto"

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything.

        Raises:
            UsageError: a value that is no choice, or a number out of range.
        """
        check_choices(self)
        check_at_least(0, hold_out=self.hold_out)
        check_at_least(1, per_class=self.per_class)


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainOptions:
    """What to pretrain on what.

    Attributes:
        inputs: files, folders, globs and @lists of videos; for image models also of pictures, and
            zip archives of them.
        model: zoo name, model folder or config.json: the architecture.
        from_weights: start from the model's weights instead of random ones.
        preview: folder for pictures of input, visible part and reconstruction; None: none.
        recipe: `usual`: Kinetics' or ImageNet's for the model's size; or `ssv2`.
    """

    inputs: list[str]
    model: str = DEFAULT_MODEL
    from_weights: bool = False
    preview: Path | None = None
    recipe: RecipeName = "usual"

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything.

        Raises:
            UsageError: a value that is no choice.
        """
        check_choices(self)
