import pytest
import torch

from hiera_cli.model.mae import MaskedAutoencoder
from hiera_cli.tasks.benchmark.comparison import Setting
from hiera_cli.tasks.benchmark.training_steps import (
    EncoderAlone,
    Reconstruction,
    time_training_steps,
)
from tests.configs import tiny_video

CONFIG = tiny_video(128, num_classes=5)
SETTING = Setting(torch.device("cpu"), torch.float32, batch_size=2, rounds=1)


@pytest.mark.filterwarnings("ignore")  # what hiera-transformer warns about at import is its own
def test_every_step_is_timed_against_the_dense_one() -> None:
    pytest.importorskip("hiera")
    steps = {step.name: step for step in time_training_steps(CONFIG, SETTING)}
    dense = steps["dense"]
    assert list(steps) == [
        "dense",
        "90% masked",
        "90% masked, encoder alone",
        "dense, hiera-transformer",
    ]
    assert dense.times_dense == 1.0
    for step in steps.values():
        assert step.times_dense == pytest.approx(dense.seconds / step.seconds)
        assert step.clips_per_second == pytest.approx(2 / step.seconds)
    encoder = steps["90% masked, encoder alone"]
    assert encoder.gflops_per_clip < 0.5 * dense.gflops_per_clip  # tokens are made of all pixels
    assert encoder.gflops_per_clip < steps["90% masked"].gflops_per_clip
    theirs = steps["dense, hiera-transformer"]
    assert theirs.gflops_per_clip == pytest.approx(dense.gflops_per_clip, rel=1e-6)


def test_what_is_timed_is_the_whole_backward_pass() -> None:
    network = MaskedAutoencoder(CONFIG.for_pretraining(), 16, 1, 2)
    x = torch.randn(2, 3, *CONFIG.input_size)
    torch.autograd.backward(EncoderAlone(network)(x))
    without = {name for name, p in network.named_parameters() if p.grad is None}
    assert without == {name for name, _ in network.named_parameters() if _of_the_decoder(name)}
    torch.autograd.backward(Reconstruction(network)(x))
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def _of_the_decoder(name: str) -> bool:
    return name.startswith("decoder") or name == "mask_token"
