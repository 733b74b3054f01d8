"""Our network against others, taking turns in one process."""

import copy
import logging
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from hiera_cli.checkpoints.open import LoadedModel
from hiera_cli.checkpoints.zoo import find_model
from hiera_cli.errors import UsageError
from hiera_cli.exports.runtimes import open_export
from hiera_cli.exports.variants import RUNNABLE, Variant, require_packages
from hiera_cli.inference.backend import (
    Backend,
    ExportedBackend,
    Wanted,
    make_backend,
    to_scores,
)
from hiera_cli.inference.pixel_model import pixel_model
from hiera_cli.model.device import DTYPES, dtype_name
from hiera_cli.tasks.agreement import deviation
from hiera_cli.tasks.benchmark.baselines import BASELINES, Baseline, find_baseline
from hiera_cli.tasks.benchmark.peak import count_gflops
from hiera_cli.tasks.benchmark.random_model import random_model, random_pixels, view_gflops
from hiera_cli.tasks.benchmark.timing import alternate, median_ratio
from hiera_cli.tasks.export import write_variant

logger = logging.getLogger("hiera_cli")


@dataclass(frozen=True, slots=True)
class Setting:
    """Under which conditions baselines meet.

    Attributes:
        device, dtype: of the PyTorch networks.
        batch_size: views a call.
        rounds: timed calls of each.
    """

    device: torch.device
    dtype: torch.dtype
    batch_size: int = 1
    rounds: int = 5


@dataclass(frozen=True, slots=True)
class Comparison:
    """How one baseline did.

    Attributes:
        name: of the baseline, zoo model or backend.
        seconds: median of a batch.
        views_per_second: at that median.
        times_ours: median over the rounds of its time over ours: above 1, we are faster.
        gflops_per_view: arithmetic of a view, two per multiply-add.
        percent_of_peak: of the machine's measured matrix peak.
        top1: published Kinetics-400 (images: ImageNet) accuracy in percent, where there is one.
        deviation: largest difference of logits (in another precision: scores) from ours over the
            largest, where it is the same network.
    """

    name: str
    seconds: float
    views_per_second: float
    times_ours: float
    gflops_per_view: float
    percent_of_peak: float
    top1: float | None = None
    deviation: float | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Contender:
    """A network that is ready to be timed."""

    name: str
    run: Callable[[], object]
    gflops_per_view: float
    top1: float | None = None
    deviation: float | None = None


def compare_speed(
    loaded: LoadedModel, names: Sequence[str], setting: Setting, *, peak_gflops: float
) -> tuple[Comparison, ...]:
    """Time our network, eager, and every named baseline, taking turns; ours comes first.

    Args:
        loaded: our model.
        names: baselines, zoo models, or backends of ours.
        setting: the conditions.
        peak_gflops: the machine's matrix peak.

    Raises:
        UsageError: a name that means nothing, or a package that is missing.
    """
    first = _ours(loaded, "torch", setting)
    baselines = {first.name: first}
    for name in names:
        one = _contender(name, loaded, setting)
        baselines[one.name] = one
    logger.info("timing %s", ", ".join(baselines))
    runs = {name: one.run for name, one in baselines.items()}
    seconds = alternate(runs, rounds=setting.rounds, device=setting.device)
    return tuple(
        _comparison(one, seconds, first.name, setting, peak_gflops) for one in baselines.values()
    )


def installed_baselines(loaded: LoadedModel) -> list[str]:
    """Baselines that can be built here; for an image model only the same network."""
    video = loaded.model.config.is_video
    fitting = [one for one in BASELINES if video or one.same_network]
    for one in fitting:
        if not one.is_installed:
            logger.info("%s is left out: %s missing", one.name, " or ".join(one.packages))
    return [one.name for one in fitting if one.is_installed]


def _comparison(
    one: Contender,
    seconds: Mapping[str, tuple[float, ...]],
    ours: str,
    setting: Setting,
    peak_gflops: float,
) -> Comparison:
    median = statistics.median(seconds[one.name])
    rate = setting.batch_size / median
    return Comparison(
        name=one.name,
        seconds=median,
        views_per_second=rate,
        times_ours=median_ratio(seconds[one.name], seconds[ours]),
        gflops_per_view=one.gflops_per_view,
        percent_of_peak=100 * rate * one.gflops_per_view / peak_gflops,
        top1=one.top1,
        deviation=one.deviation,
    )


def _contender(name: str, loaded: LoadedModel, setting: Setting) -> Contender:
    if name == "compile":
        return _ours(loaded, name, setting)
    if name in DTYPES:
        return _rounded(loaded, name, setting)
    if name in RUNNABLE:
        return _exported(loaded, RUNNABLE[name], setting)
    if find_model(name) is not None:
        return _ours(random_model(name), "torch", setting)
    return _baseline(find_baseline(name), loaded, setting)


def _ours(loaded: LoadedModel, backend_name: str, setting: Setting) -> Contender:
    """One of our networks in PyTorch."""
    backend = make_backend(
        loaded, name=backend_name, device=str(setting.device), dtype=dtype_name(setting.dtype)
    )
    name = loaded.name if backend_name == "torch" else f"{loaded.name} {backend_name}"
    return _behind(backend, name, loaded, setting)


def _rounded(loaded: LoadedModel, dtype: str, setting: Setting) -> Contender:
    """Our network in another precision; what differs are the scores of noise."""
    other = replace(loaded, model=copy.deepcopy(loaded.model))  # a backend converts its model
    backend = make_backend(other, device=str(setting.device), dtype=dtype)
    pixels = random_pixels(loaded, setting.batch_size)
    scores = backend.run(pixels, Wanted()).wait().scores
    with torch.inference_mode():
        exact = pixel_model(loaded)(pixels.to(setting.device))[0].float()
    assert scores is not None
    differs = deviation(scores, to_scores(exact, loaded.multi_label).cpu())
    one = _behind(backend, rounded_name(loaded.name, dtype), loaded, setting)
    return replace(one, deviation=differs)


def rounded_name(model: str, dtype: str) -> str:
    """What our network is called in another precision."""
    return f"{model} {dtype}"


def _exported(loaded: LoadedModel, variant: Variant, setting: Setting) -> Contender:
    """An export made for the occasion; int8 is calibrated on noise, which costs the same."""
    if setting.device.type != "cpu":
        raise UsageError(f"{variant.name} is compared on the CPU only", hint="use --device cpu")
    require_packages(variant)
    logger.info("exporting for %s", variant.name)
    noise = random_pixels(loaded, 4)
    calibration = noise if variant.int8 else None
    with tempfile.TemporaryDirectory(prefix="hiera-") as name:
        folder = Path(name)
        write_variant(
            pixel_model(loaded), variant, folder, example=noise[:1], calibration=calibration
        )
        backend = ExportedBackend(open_export(folder, variant), name=variant.name)
    return _behind(backend, f"{loaded.name} {variant.name}", loaded, setting)


def _behind(backend: Backend, name: str, loaded: LoadedModel, setting: Setting) -> Contender:
    pixels = random_pixels(loaded, setting.batch_size)
    return Contender(
        name=name,
        run=lambda: backend.run(pixels, Wanted()),
        gflops_per_view=view_gflops(loaded),
        top1=_published(loaded),
    )


def _published(loaded: LoadedModel) -> float | None:
    zoo = find_model(loaded.name)
    return zoo.checkpoints[0].top1 if zoo else None


def _baseline(baseline: Baseline, loaded: LoadedModel, setting: Setting) -> Contender:
    shape = baseline.view_shape or (loaded.model.config.in_chans, *loaded.model.config.input_size)
    network = baseline.build(loaded.model)
    gflops = count_gflops(network, (1, *shape))
    network = network.to(setting.device, setting.dtype)
    views = torch.randn(setting.batch_size, *shape).to(setting.device, setting.dtype)

    @torch.inference_mode()
    def run() -> object:
        return network(views)

    return Contender(
        name=baseline.name,
        run=run,
        gflops_per_view=gflops,
        top1=_published(loaded) if baseline.same_network else baseline.top1(),
        deviation=_difference(network, loaded.model, views) if baseline.same_network else None,
    )


@torch.inference_mode()
def _difference(network: nn.Module, ours: nn.Module, views: Tensor) -> float:
    return deviation(ours(views[:1]).float(), network(views[:1]).float())
