"""What runs a batch: pixels in, scores and features out.

Every backend takes raw pixels (0 to 255); normalisation is part of the module that it runs, so
exported models contain it. This file holds PyTorch, eager and compiled, and what runs an export;
ONNX Runtime and OpenVINO themselves live in `extras/`.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

import torch

from hiera_cli.checkpoints.open import LoadedModel
from hiera_cli.errors import UsageError
from hiera_cli.exports.record import export_folder, read_record, verified_exports
from hiera_cli.exports.runtimes import open_export
from hiera_cli.exports.variants import RUNNABLE, Forward, require_packages
from hiera_cli.inference.compiled import CompiledForward
from hiera_cli.inference.graphs import GraphedForward, record_on_cuda
from hiera_cli.inference.pixel_model import pixel_model
from hiera_cli.inference.threads import computing_threads
from hiera_cli.model.device import choose_device, choose_dtype, dtype_name
from hiera_cli.options import Layer, Pool

logger = logging.getLogger("hiera_cli")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a task needs of the model.

    Attributes:
        scores: class probabilities.
        layer: where features are taken; None for no features. `final` is pooled and normalised,
            what the head sees.
        pool: how tokens become a vector; `none` keeps them as a map in T, H, W order.
    """

    scores: bool = True
    layer: Layer | None = None
    pool: Pool = "mean"


class Arrival(Protocol):
    """A moment in the work of a device, such as `torch.cuda.Event`."""

    def query(self) -> bool:
        """Whether it has come."""

    def synchronize(self) -> None:
        """Wait for it."""


@dataclass(frozen=True, eq=False, slots=True)
class ModelOutput:
    """What a batch gives, on the CPU in float32; from a GPU it may still be on its way.

    Attributes:
        scores: (B, K) softmax of the logits (of a multi-label model sigmoid), or None.
        features: (B, D), or (B, T, H, W, D) unpooled ((B, H, W, D) for images), or None.
        arrival: when both can be read; None: now.
    """

    scores: torch.Tensor | None
    features: torch.Tensor | None
    arrival: Arrival | None = None

    @property
    def arrived(self) -> bool:
        """Whether `wait` would return at once."""
        return self.arrival is None or self.arrival.query()

    def wait(self) -> "ModelOutput":
        """The same, when it can be read."""
        if self.arrival is not None:
            self.arrival.synchronize()
        return ModelOutput(self.scores, self.features)


class Backend(Protocol):
    """Runs batches of views of one model on one device."""

    @property
    def name(self) -> str:
        """What runs the model and where, for people: `torch on cpu, float32`."""

    def run(self, pixels: torch.Tensor, wanted: Wanted) -> ModelOutput:
        """Pixels (B, 3, T, H, W) or (B, 3, H, W), uint8 or float in 0..255 -> outputs.

        A GPU is only told what to do: `ModelOutput.wait` before they are read.
        """


class TorchBackend:
    """PyTorch on one device, eager or compiled, on so many threads of the CPU.

    Compiled for CUDA, a batch is also replayed as a CUDA graph.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        *,
        device: torch.device,
        dtype: torch.dtype,
        compiled: bool,
        threads: int,
    ) -> None:
        self._module = pixel_model(loaded).to(device)
        loaded.model.to(dtype)
        self._forward: Callable[[torch.Tensor], tuple[torch.Tensor, ...]] = self._module
        if compiled:
            self._forward = CompiledForward(self._module)
            if device.type == "cuda":
                self._forward = GraphedForward(self._forward, record_on_cuda)
        self._device = device
        self._copies: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._copies = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._threads = threads
        self._multi_label = loaded.multi_label
        kind = "compile" if compiled else "torch"
        self.name = f"{kind} on {device}, {dtype_name(dtype)}"

    def run(self, pixels: torch.Tensor, wanted: Wanted) -> ModelOutput:
        """Pixels (B, 3, T, H, W) or (B, 3, H, W), uint8 or float in 0..255 -> outputs."""
        with torch.inference_mode(), computing_threads(self._threads):
            scores, features = self._compute(self._upload(pixels), wanted)
            return self._download(scores, features)

    def _compute(
        self, pixels: torch.Tensor, wanted: Wanted
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        pooled_final = wanted.layer == "final" and wanted.pool == "mean"
        scores = features = None
        if wanted.scores or pooled_final:
            logits, features = self._forward(pixels)
            scores = to_scores(logits.float(), self._multi_label) if wanted.scores else None
        if wanted.layer is None:
            return scores, None
        if not pooled_final:
            features = self._module.features_at(pixels, wanted.layer, wanted.pool)
        return scores, cast(torch.Tensor, features).float()

    def _upload(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels on the device; CUDA copies them while it computes the batch before."""
        if self._copies is None or pixels.device.type == self._device.type:
            return pixels.to(self._device)
        with torch.cuda.stream(self._copies):
            uploaded = pixels.pin_memory().to(self._device, non_blocking=True)
        computing = torch.cuda.current_stream(self._device)
        computing.wait_stream(self._copies)
        uploaded.record_stream(computing)  # or its memory would go to the next upload too early
        return uploaded

    def _download(self, scores: torch.Tensor | None, features: torch.Tensor | None) -> ModelOutput:
        """Outputs on the CPU, or from CUDA on their way there (into pinned memory)."""
        at_once = self._copies is None
        scores, features = (
            output if output is None else output.to("cpu", non_blocking=not at_once)
            for output in (scores, features)
        )
        if at_once:
            return ModelOutput(scores, features)
        arrival = torch.cuda.current_stream(self._device).record_event()
        return ModelOutput(scores, features, arrival)


class ExportedBackend:
    """A model in another runtime, on the CPU; it gives logits and pooled final features."""

    def __init__(self, forward: Forward, *, name: str, multi_label: bool = False) -> None:
        self._forward = forward
        self._multi_label = multi_label
        self.name = f"{name} on cpu"

    def run(self, pixels: torch.Tensor, wanted: Wanted) -> ModelOutput:
        """Pixels (B, 3, T, H, W) or (B, 3, H, W), uint8 or float in 0..255 -> outputs.

        Raises:
            UsageError: features that the export does not contain are wanted.
        """
        if wanted.layer not in (None, "final") or wanted.pool != "mean":
            asked = f"--layer {wanted.layer} --pool {wanted.pool}"
            raise UsageError(f"{self.name}: exports do not have {asked}", hint="--backend torch")
        logits, features = (torch.from_numpy(x) for x in self._forward(pixels.float().numpy()))
        scores = to_scores(logits, self._multi_label) if wanted.scores else None
        return ModelOutput(scores, features if wanted.layer == "final" else None)


def to_scores(logits: torch.Tensor, multi_label: bool) -> torch.Tensor:
    """Logits (B, K) to probabilities (B, K): over the classes, or of each class by itself."""
    return logits.sigmoid() if multi_label else logits.softmax(-1)


def make_backend(
    loaded: LoadedModel,
    *,
    name: str = "torch",
    device: str = "auto",
    dtype: str = "auto",
    cache_dir: str | None = None,
    threads: int | None = None,
) -> Backend:
    """The backend of that name for a model.

    Args:
        loaded: the model; it is moved to the device and converted.
        name: `torch`, `compile`, an export (`onnx`, `openvino`, `openvino-int8`), or `auto`: the
            fastest of PyTorch and the exports that were verified on this machine.
        device: as `--device`.
        dtype: as `--dtype`.
        cache_dir: where exports are kept.
        threads: of the CPU, for the model; None: as many as PyTorch uses now.

    Raises:
        UsageError: an unknown backend, device or dtype, or a model that was not exported.
    """
    if name == "auto":
        name = _fastest_backend(loaded, device=device, dtype=dtype, cache_dir=cache_dir)
    if name in RUNNABLE:
        if device not in ("auto", "cpu") or dtype not in ("auto", "float32"):
            raise UsageError(f"--backend {name} runs on the CPU, in the precision of the export")
        with computing_threads(threads or torch.get_num_threads()):
            return _exported_backend(loaded, name, cache_dir)
    if name not in ("torch", "compile"):
        known = ", ".join(("auto", "torch", "compile", *RUNNABLE))
        raise UsageError(f"unknown backend '{name}'", hint=f"use one of {known}")
    place = choose_device(device)
    kind = choose_dtype(dtype, place)
    return TorchBackend(
        loaded,
        device=place,
        dtype=kind,
        compiled=name == "compile",
        threads=threads or torch.get_num_threads(),
    )


def _exported_backend(loaded: LoadedModel, name: str, cache_dir: str | None) -> ExportedBackend:
    variant = RUNNABLE[name]
    require_packages(variant)
    folder = export_folder(loaded.weights_sha256, variant, cache_dir=cache_dir)
    record = read_record(folder)
    if record is None or record.weights_sha256 != loaded.weights_sha256:
        flags = f"--format {variant.format}" + (" --int8 --calibrate CLIPS" if variant.int8 else "")
        raise UsageError(
            f"{loaded.name} has not been exported for --backend {name}",
            hint=f"hiera export {loaded.name} {flags}",
        )
    forward = open_export(folder, variant)
    return ExportedBackend(forward, name=name, multi_label=loaded.multi_label)


def _fastest_backend(loaded: LoadedModel, *, device: str, dtype: str, cache_dir: str | None) -> str:
    """PyTorch, or the verified export that beat it by most when it was timed here."""
    on_cpu = choose_device(device).type == "cpu" and dtype in ("auto", "float32")
    records = list(verified_exports(loaded.weights_sha256, cache_dir=cache_dir)) if on_cpu else []
    gains = {record.variant: record.eager_seconds / record.seconds for record in records}
    name = max(gains, key=gains.__getitem__, default="torch")
    if gains.get(name, 0.0) <= 1.0:
        name = "torch"
    reason = f"{gains[name]:.2f} times as fast as torch" if name in gains else "nothing faster"
    logger.info("--backend auto: %s (%s is verified here)", name, reason)
    return name
