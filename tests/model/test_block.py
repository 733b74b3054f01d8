import pytest
import torch

from hiera_cli.model.block import Block, DropPath, MaskUnitAttention
from hiera_cli.model.block_plan import BlockPlan


def test_unit_attention_stays_in_its_unit():
    torch.manual_seed(0)
    plan = BlockPlan(dim=8, dim_out=16, num_heads=2, hidden_dim=32, pool=4, unit_attention=True)
    attention = MaskUnitAttention(plan)
    x = torch.randn(2, 3, 16, 8)
    changed = x.clone()
    changed[:, 1] += 1.0
    difference = (attention(x) - attention(changed)).abs().amax((0, 2, 3))
    assert attention(x).shape == (2, 3, 4, 16)
    assert difference[[0, 2]].max() == 0
    assert difference[1] > 1e-3


def test_global_attention_is_the_textbooks():
    torch.manual_seed(0)
    plan = BlockPlan(dim=8, dim_out=8, num_heads=2, hidden_dim=32)
    attention = MaskUnitAttention(plan)
    x = torch.randn(2, 3, 4, 8)
    q, k, v = attention.qkv(x).view(2, 12, 3, 2, 4).permute(2, 0, 3, 1, 4)
    weights = (q @ k.transpose(-1, -2) / 2).softmax(-1)
    expected = attention.proj((weights @ v).transpose(1, 2).reshape(2, 3, 4, 8))
    torch.testing.assert_close(attention(x), expected)


def test_bfloat16_attention_is_that_of_float32_rounded_and_has_its_gradient() -> None:
    torch.manual_seed(0)
    plan = BlockPlan(dim=8, dim_out=8, num_heads=2, hidden_dim=32)
    attention, x = MaskUnitAttention(plan), torch.randn(2, 3, 4, 8)
    gradients = []
    for enabled in (False, True):
        attention.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            out = attention(x)
            out.float().square().sum().backward()
        assert out.dtype == (torch.bfloat16 if enabled else torch.float32)
        gradients.append(attention.qkv.weight.grad.clone())
    torch.testing.assert_close(gradients[1], gradients[0], rtol=0.05, atol=0.05)
    assert attention.to(torch.bfloat16)(x.bfloat16()).dtype == torch.bfloat16


def test_drop_path_keeps_the_mean_and_drops_whole_samples():
    torch.manual_seed(0)
    drop = DropPath(0.25).train()
    kept = drop(torch.ones(4000, 3, 2))
    assert kept.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert torch.equal(kept.amin((1, 2)), kept.amax((1, 2)))
    assert kept.mean().item() == pytest.approx(1.0, abs=0.03)
    assert torch.equal(drop.eval()(kept), kept)


def test_parameter_count_of_the_plan():
    for plan in (
        BlockPlan(dim=8, dim_out=16, num_heads=2, hidden_dim=40, pool=4),
        BlockPlan(dim=8, dim_out=8, num_heads=2, hidden_dim=32),
    ):
        block = Block(plan, norm_eps=1e-6)
        assert sum(p.numel() for p in block.parameters()) == plan.num_parameters
