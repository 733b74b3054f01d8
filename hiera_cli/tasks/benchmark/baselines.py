"""Other people's video networks, to be timed against: built with random weights, never to predict.

Each comes from an optional package and takes normalised float (B, 3, T, H, W), like a Hiera.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from torch import Tensor, nn

from hiera_cli.errors import UsageError
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.hiera import Hiera

VIEW = (3, 16, 224, 224)


@dataclass(frozen=True, slots=True)
class Baseline:
    """A network that can be timed against a Hiera.

    Attributes:
        name: as in `--against`.
        packages: modules that must be installed.
        build: makes the network in eval mode, given ours (which lends its shape and weights
            where it can).
        view_shape: (3, T, H, W) of its usual input; None: the same as ours.
        top1: published Kinetics-400 accuracy in percent, as its authors measured it.
        same_network: whether it computes the same function, so that outputs can be compared.
    """

    name: str
    packages: tuple[str, ...]
    build: Callable[[Hiera], nn.Module]
    view_shape: tuple[int, ...] | None = VIEW
    top1: Callable[[], float | None] = lambda: None
    same_network: bool = False

    @property
    def is_installed(self) -> bool:
        """Whether its packages are here."""
        return not self.missing

    @property
    def missing(self) -> tuple[str, ...]:
        """The packages that are not here."""
        return tuple(name for name in self.packages if find_spec(name) is None)


def official_hiera(ours: Hiera) -> nn.Module:
    """hiera-transformer with the same weights; its softmax is taken off, so that logits come."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports timm's old module names
        module: Any = import_module("hiera.hiera")
    arguments = ours.config.to_dict()
    del arguments["norm_eps"]  # it takes the layer itself; its epsilon is ours
    network: Any = module.Hiera(**{k: _tuple(v) for k, v in arguments.items()})
    network.load_state_dict(ours.state_dict())
    network.head.act_func = nn.Identity()
    ready: nn.Module = network.eval()
    return ready


def optimised_hiera(ours: Hiera) -> nn.Module:
    """hiera-transformer as hiera-optim patches it, with the same weights."""
    return _optimised(official_hiera(ours))


def _optimised(network: Any, **arguments: Any) -> nn.Module:
    """The network as hiera-optim patches it.

    hiera-optim 0.2.1 expects a function and an attribute that hiera-transformer 0.1.4 does not
    have: they are lent.
    """
    package: Any = import_module("hiera")
    if not hasattr(package, "apply_fusion_head"):
        package.apply_fusion_head = import_module("hiera.hiera_mae").apply_fusion_head
    optim: Any = import_module("hiera_optim")
    network._grad_checkpointing = False
    patched: nn.Module = optim.optimize(network, verbose=False, **arguments)
    return patched


def official_autoencoder(config: HieraConfig, *, optimised: bool) -> nn.Module:
    """hiera-transformer's masked autoencoder with random weights.

    Args:
        config: its shape, made for pretraining.
        optimised: patched by hiera-optim for CUDA graphs; it then takes the indices of the
            visible units as `keep_idx` besides the mask.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module: Any = import_module("hiera.hiera_mae")
    arguments = config.to_dict()
    del arguments["norm_eps"]
    network: Any = module.MaskedAutoencoderHiera(**{k: _tuple(v) for k, v in arguments.items()})
    if optimised:
        return _optimised(network, graph_safe=True)
    ready: nn.Module = network
    return ready


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _torchvision(name: str) -> Callable[[Hiera], nn.Module]:
    def build(_ours: Hiera) -> nn.Module:
        network: nn.Module = import_module("torchvision.models.video").__dict__[name]()
        return network.eval()

    return build


def _torchvision_top1(weights: str) -> Callable[[], float | None]:
    def top1() -> float:
        table = import_module("torchvision.models.video").__dict__[weights].DEFAULT.meta["_metrics"]
        return float(table["Kinetics-400"]["acc@1"])

    return top1


class _FramesFirst(nn.Module):
    """A network that wants (B, T, 3, H, W) and gives an output with `logits`."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x.transpose(1, 2)).logits
        return logits


def _videomae(_ours: Hiera) -> nn.Module:
    transformers: Any = import_module("transformers")
    config = transformers.VideoMAEConfig(num_labels=400)
    return _FramesFirst(transformers.VideoMAEForVideoClassification(config)).eval()


HIERA_TRANSFORMER = Baseline(
    "hiera-transformer", ("hiera", "timm"), official_hiera, view_shape=None, same_network=True
)
HIERA_OPTIM = Baseline(
    "hiera-optim",
    ("hiera", "timm", "hiera_optim"),
    optimised_hiera,
    view_shape=None,
    same_network=True,
)
BASELINES = (
    HIERA_TRANSFORMER,
    HIERA_OPTIM,
    # 81.5: ViT-B MAE in the Hiera paper, table 4
    Baseline("videomae-b", ("transformers",), _videomae, top1=lambda: 81.5),
    *(
        Baseline(
            name,
            ("torchvision",),
            _torchvision(name),
            view_shape=shape,
            top1=_torchvision_top1(weights),
        )
        for name, weights, shape in (
            ("mvit_v2_s", "MViT_V2_S_Weights", VIEW),
            ("mvit_v1_b", "MViT_V1_B_Weights", VIEW),
            ("swin3d_t", "Swin3D_T_Weights", VIEW),
            ("swin3d_b", "Swin3D_B_Weights", VIEW),
            ("r3d_18", "R3D_18_Weights", (3, 16, 112, 112)),
        )
    ),
)


def find_baseline(name: str) -> Baseline:
    """The baseline of that name, installed.

    Raises:
        UsageError: nobody is called that, or a package is missing.
    """
    found = next((baseline for baseline in BASELINES if baseline.name == name), None)
    if found is None:
        known = ", ".join(baseline.name for baseline in BASELINES)
        raise UsageError(f"no baseline is called '{name}'", hint=f"use one of {known}")
    if not found.is_installed:
        missing = " ".join(found.missing)
        raise UsageError(f"{name} needs the package {missing}", hint=f"pip install {missing}")
    return found
