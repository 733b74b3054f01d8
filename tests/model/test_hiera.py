from dataclasses import replace

import pytest
import torch

from hiera_cli.errors import UsageError
from hiera_cli.model import hiera
from hiera_cli.model.hiera import Hiera
from tests.model.networks import CLIP, IMAGE, lively_hiera

BOTH = pytest.mark.parametrize("config", [IMAGE, CLIP], ids=["image", "clip"])


@BOTH
def test_forward_is_head_of_features_and_no_softmax(config):
    model = lively_hiera(config)
    x = torch.randn(3, 3, *config.input_size)
    logits = model(x)
    assert logits.shape == (3, 5)
    assert torch.equal(logits, model.forward_head(model.forward_features(x)))
    assert (logits.sum(1) - 1).abs().min() > 1e-3
    assert torch.allclose(logits, model.train()(x), atol=1e-5)


@BOTH
@pytest.mark.parametrize("bank_size", [0, 7])
def test_a_head_may_see_earlier_stages(config, bank_size):
    config = replace(
        config, head_stages=(1, 3), bank_size=bank_size, num_neighbours=min(bank_size, 2)
    )
    model = lively_hiera(config)
    assert config.num_parameters == sum(p.numel() for p in model.parameters())
    x = torch.randn(3, 3, *config.input_size)
    features, maps = model.forward_features(x), model.forward_stages(x)
    expected = [maps[stage].flatten(1, -2).mean(1) for stage in (0, 2, 3)]
    expected[-1] = model.norm(expected[-1])
    torch.testing.assert_close(features, torch.cat(expected, dim=1))
    assert features.shape == (3, config.head_dim)
    if bank_size:
        model.head.votes.data.abs_()
    assert torch.equal(model(x), model.forward_head(features))


@BOTH
def test_every_attention_is_one_fused_kernel(config):
    model = lively_hiera(config)
    with torch.inference_mode(), torch.profiler.profile() as profile:
        model(torch.randn(2, 3, *config.input_size))
    calls = {event.key: event.count for event in profile.key_averages()}
    assert calls["aten::_scaled_dot_product_flash_attention_for_cpu"] == sum(config.stages)
    assert not {"aten::softmax", "aten::bmm", "aten::_scaled_dot_product_attention_math"} & set(
        calls
    )


@BOTH
@pytest.mark.parametrize("q_pool", [3, 2])
def test_stage_shapes(config, q_pool):
    model = lively_hiera(replace(config, q_pool=q_pool))
    stages = model.forward_stages(torch.randn(2, 3, *config.input_size))
    for index, stage in enumerate(stages):
        shrink = 2 ** min(index, q_pool)
        *frames, rows, columns = config.grid_size
        assert stage.shape == (2, *frames, rows // shrink, columns // shrink, 16 * 2**index)


@BOTH
def test_tokens_are_the_normalised_last_stage(config):
    model = lively_hiera(config)
    x = torch.randn(2, 3, *config.input_size)
    tokens = model.forward_tokens(x)
    torch.testing.assert_close(tokens, model.norm(model.forward_stages(x)[-1]))


def test_stages_show_where_something_is():
    model = lively_hiera(IMAGE)
    x = torch.zeros(1, 3, 64, 96)
    changed = x.clone()
    changed[:, :, 40:56, 72:88] = 2.0  # inside the last of 2 x 3 mask units
    difference = (model.forward_stages(x)[1] - model.forward_stages(changed)[1]).abs().amax((0, 3))
    assert difference[4:, 8:].max() > 1e-2
    assert difference[:4].max() == 0
    assert difference[:, :8].max() == 0


@BOTH
def test_pieces_give_the_same_as_the_whole(config, monkeypatch):
    model = lively_hiera(config)
    x = torch.randn(5, 3, *config.input_size)
    whole = model.forward_stages(x)  # with gradients enabled: in one piece
    for elements in (1, 3 * 64 * 16, 2**18):
        monkeypatch.setattr(hiera, "PIECE_ELEMENTS", elements)
        with torch.inference_mode():
            pieces = model.forward_stages(x)
        torch.testing.assert_close(pieces, whole)


def test_all_unit_attention_works_in_pieces(monkeypatch):
    model = lively_hiera(replace(IMAGE, mask_unit_attn=(True,) * 4))
    x = torch.randn(2, 3, 64, 96)
    whole = model(x)
    with torch.inference_mode():
        torch.testing.assert_close(model(x), whole)


def test_wrong_size_is_refused_with_both_sizes():
    model = lively_hiera(CLIP)
    with pytest.raises(UsageError, match=r"\(B, 3, 4, 64, 64\), not \(1, 3, 4, 64, 32\)"):
        model(torch.zeros(1, 3, 4, 64, 32))


def test_checkpointing_gives_the_same_gradients():
    model = Hiera(replace(CLIP, drop_path_rate=0.3)).train()
    x = torch.randn(2, 3, 4, 64, 64)
    gradients = []
    for checkpointing in (False, True):
        model.gradient_checkpointing = checkpointing
        model.zero_grad()
        torch.manual_seed(0)
        model(x).square().sum().backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    torch.testing.assert_close(*gradients)


def test_initialisation_is_the_official_one():
    torch.manual_seed(0)
    model = Hiera(replace(IMAGE, embed_dim=32, head_init_scale=0.5))
    block = model.blocks[3]
    assert block.mlp.fc1.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert block.mlp.fc1.bias.unique().tolist() == pytest.approx([0.02])
    assert block.norm1.weight.unique().tolist() == [1.0]
    assert block.norm1.bias.unique().tolist() == pytest.approx([0.02])
    assert model.pos_embed.std().item() == pytest.approx(0.02, rel=0.05)
    assert model.head.projection.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert model.head.projection.bias.unique().tolist() == pytest.approx([0.01])


def test_head_dropout_only_in_training():
    model = lively_hiera(replace(IMAGE, head_dropout=0.5))
    features = torch.randn(4, 128)
    assert torch.equal(model.forward_head(features), model.forward_head(features))
    model.train()
    assert not torch.equal(model.forward_head(features), model.forward_head(features))


@BOTH
def test_meta_construction_allocates_nothing(config):
    with torch.device("meta"):
        model = Hiera(config)
    assert {p.device.type for p in model.parameters()} == {"meta"}
    assert not list(model.buffers())
    source = lively_hiera(config)
    model.load_state_dict(source.state_dict(), assign=True)
    x = torch.randn(1, 3, *config.input_size)
    assert torch.equal(model.eval()(x), source(x))


def test_export_with_a_dynamic_batch():
    model = lively_hiera(CLIP)
    x = torch.randn(2, 3, 4, 64, 64)
    with torch.no_grad():
        program = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
        more = torch.randn(5, 3, 4, 64, 64)
        torch.testing.assert_close(program.module()(more), model(more))


def test_captured_as_one_graph():
    model = lively_hiera(IMAGE)
    x = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        compiled = torch.compile(model, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(x), model(x))


@BOTH
def test_bfloat16_patches_of_a_video_are_those_of_float32_rounded_once(config):
    embed = lively_hiera(config).patch_embed.to(torch.bfloat16)
    x = torch.randn(2, 3, *config.input_size).bfloat16()
    tokens = embed(x)
    assert tokens.dtype == torch.bfloat16
    exact = embed.float()(x.float())
    if config.is_video:
        assert torch.equal(tokens, exact.bfloat16())
    assert (tokens.float() - exact).abs().max() < 0.02 * exact.abs().max()


def test_bfloat16_patches_of_a_video_pass_the_gradient_on():
    embed = lively_hiera(CLIP).patch_embed.to(torch.bfloat16)
    embed(torch.randn(2, 3, *CLIP.input_size).bfloat16()).float().square().mean().backward()
    assert embed.proj.weight.grad.dtype == torch.bfloat16
    assert embed.proj.weight.grad.abs().max() > 0


def test_half_precision_runs():
    model = lively_hiera(IMAGE)
    x = torch.randn(2, 3, 64, 96)
    reference = model(x)
    half = model.to(torch.bfloat16)(x.bfloat16())
    assert half.dtype == torch.bfloat16
    assert (half.float() - reference).abs().max() < 0.1 * reference.abs().max()
