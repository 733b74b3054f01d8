"""What a training command can be told; plain values, no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from hiera_cli.checkpoints.zoo import DEFAULT_MODEL
from hiera_cli.errors import UsageError
from hiera_cli.options import SamplingName, Symmetry

Precision = Literal["float32", "bfloat16", "float16"]
OnExisting = Literal["resume", "overwrite", "error"]
RecipeName = Literal["usual", "ssv2"]


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
        if min(self.seed, self.workers, self.save_every) < 0 or self.accumulate < 1:
            raise UsageError("--seed, --workers and --save-every cannot be negative")
        if self.validate_every < 1:
            raise UsageError("--validate-every must be at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipOptions:
    """Which clips a run learns from.

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
        if self.cache_clips < 1 or (self.frame_stride is not None and self.frame_stride < 1):
            raise UsageError("--cache-clips and --frame-stride must be at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneOptions:
    """What to fine-tune on what.

    Attributes:
        data: the labelled videos: class folders, a Kinetics folder or a list file.
        annotations: the file that labels them, when it is not found by itself.
        val: labelled videos to validate on; None: the `val` split of `data`, when it has one.
        model: zoo name, model folder or config.json: the architecture and the initial weights.
        from_scratch: start from random weights.
        freeze_backbone: train the head alone (a linear probe).
        sampling: frames a stride apart, or one of each of T segments; None: the model's own.
        symmetries: what half of the clips are put through, their labels with them.
        recipe: `usual`: Kinetics' or ImageNet's for the model's size; `ssv2`; None: by the data
            set.
        calibrate: divide the result's logits by the temperature that fits the validation.
        hold_out: files of each class that are validated on and not learnt from.
        per_class: labelled files of each class to learn from, drawn from the seed; None: all.
    """

    data: str
    annotations: str | None = None
    val: str | None = None
    model: str = DEFAULT_MODEL
    from_scratch: bool = False
    freeze_backbone: bool = False
    sampling: SamplingName | None = None
    symmetries: list[Symmetry] | None = None
    recipe: RecipeName | None = None
    calibrate: bool = False
    hold_out: int = 0
    per_class: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be carried out.

        Raises:
            UsageError: the recipe's name is unknown, or a number of files is out of range.
        """
        check_recipe_name(self.recipe)
        if self.hold_out < 0 or (self.per_class is not None and self.per_class < 1):
            raise UsageError("--hold-out cannot be negative, --per-class must be at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainOptions:
    """What to pretrain on what.

    Attributes:
        inputs: files, folders, globs and @lists of videos (for image models also of pictures).
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
        """Refuse a recipe that is not there.

        Raises:
            UsageError: its name is unknown.
        """
        check_recipe_name(self.recipe)


def check_recipe_name(name: str | None) -> None:
    """Refuse unknown recipes.

    Raises:
        UsageError: it is none of RecipeName.
    """
    if name is not None and name not in get_args(RecipeName):
        raise UsageError(f"unknown recipe '{name}'", hint=f"one of {get_args(RecipeName)}")
