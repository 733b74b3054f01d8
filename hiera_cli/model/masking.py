"""Which mask units or tokens of each clip are meant: as a mask, and as indices of known number.

Everything here has shapes that depend on no value, so that a step over it can be captured once
and replayed, and the host never waits for the device.
"""

import torch
from torch import Generator, Tensor


def random_mask(
    num_samples: int,
    num_units: int,
    *,
    mask_ratio: float,
    generator: Generator | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """Choose the visible mask units of each sample.

    Returns:
        (B, M) bool, True is visible; every row has `int(M * (1 - mask_ratio))` of them.
    """
    num_visible = int(num_units * (1 - mask_ratio))
    noise = torch.rand(num_samples, num_units, generator=generator, device=device)
    return true_at(noise.argsort(dim=1)[:, :num_visible], num_units)


def true_indices(mask: Tensor, num: int) -> Tensor:
    """Ascending indices of the True entries: (B, N) bool with `num` of them a row to (B, num)."""
    return mask.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :num]


def true_at(indices: Tensor, length: int) -> Tensor:
    """The inverse of `true_indices`: (B, n) indices to (B, length) bool."""
    mask = torch.zeros(len(indices), length, dtype=torch.bool, device=indices.device)
    return mask.scatter_(1, indices, value=True)


def gather_rows(x: Tensor, indices: Tensor) -> Tensor:
    """Rows of each sample: (B, N, ...) and (B, n) indices to (B, n, ...).

    As `x[arange(B)[:, None], indices]`, whose gradient sorts the indices.
    """
    rows = x.flatten(0, 1).index_select(0, _flat(indices, x.shape[1]))
    return rows.view(*indices.shape, *x.shape[2:])


def scatter_rows(x: Tensor, indices: Tensor, rows: Tensor) -> Tensor:
    """(B, N, ...) with other rows (B, n, ...) at the indices (B, n), no index twice in a sample."""
    flat = x.flatten(0, 1).index_copy(0, _flat(indices, x.shape[1]), rows.flatten(0, 1))
    return flat.view(x.shape)


def _flat(indices: Tensor, num_rows: int) -> Tensor:
    """Indices (B, n) into (B, num_rows, ...) as indices (B * n,) into (B * num_rows, ...)."""
    first = torch.arange(0, len(indices) * num_rows, num_rows, device=indices.device)
    return (indices + first[:, None]).flatten()
