"""torch.export: a model as a graph of PyTorch's own, written and opened."""

from pathlib import Path

import torch

from hiera_cli.exports.variants import Array, Forward

PROGRAM_NAME = "model.pt2"


def write_torch_export(program: torch.export.ExportedProgram, folder: Path) -> None:
    """Write `model.pt2` into a folder that exists."""
    torch.export.save(program, folder / PROGRAM_NAME)


def open_torch_export(folder: Path) -> Forward:
    """What `write_torch_export` wrote, as a function on PyTorch's threads."""
    module = torch.export.load(folder / PROGRAM_NAME).module()

    def forward(pixels: Array) -> tuple[Array, Array]:
        logits, features = module(torch.from_numpy(pixels))
        return logits.numpy(force=True), features.numpy(force=True)

    return forward
