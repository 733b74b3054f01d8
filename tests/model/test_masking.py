import torch

from hiera_cli.model.masking import gather_rows, random_mask, scatter_rows, true_at, true_indices


def test_a_mask_and_its_indices_say_the_same() -> None:
    mask = random_mask(3, 20, mask_ratio=0.7)
    indices = true_indices(mask, 6)
    assert indices.equal(torch.stack([row.nonzero().squeeze(1) for row in mask]))
    assert true_at(indices, 20).equal(mask)


def test_gathering_gives_the_rows_and_gradients_of_boolean_indexing() -> None:
    mask = random_mask(3, 20, mask_ratio=0.7)
    x = torch.randn(3, 20, 4, 5, dtype=torch.double, requires_grad=True)
    rows = gather_rows(x, true_indices(mask, 6))
    assert rows.flatten(0, 1).equal(x[mask])
    weights = torch.randn_like(rows)
    (found,) = torch.autograd.grad((rows * weights).sum(), x)
    (expected,) = torch.autograd.grad((x[mask] * weights.flatten(0, 1)).sum(), x)
    assert found.equal(expected)


def test_scattering_puts_rows_where_a_boolean_mask_would() -> None:
    mask = random_mask(3, 20, mask_ratio=0.7)
    token = torch.randn(1, 1, 5, dtype=torch.double, requires_grad=True)
    rows = torch.randn(3, 6, 5, dtype=torch.double, requires_grad=True)
    x = token.expand(3, 20, -1)
    found = scatter_rows(x, true_indices(mask, 6), rows)
    expected = x.clone()
    expected[mask] = rows.flatten(0, 1)
    assert found.equal(expected)
    weights = torch.randn_like(found)
    ours = torch.autograd.grad((found * weights).sum(), (token, rows))
    theirs = torch.autograd.grad((expected * weights).sum(), (token, rows))
    torch.testing.assert_close(ours, theirs)
