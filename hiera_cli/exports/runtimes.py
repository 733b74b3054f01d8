"""Writing and opening an export, whatever its runtime."""

from collections.abc import Sequence
from pathlib import Path

import torch

from hiera_cli.exports.onnx import open_onnx, write_onnx
from hiera_cli.exports.openvino import open_openvino, write_openvino
from hiera_cli.exports.torch_export import open_torch_export, write_torch_export
from hiera_cli.exports.variants import Array, Forward, InputType, Variant


def write_export(
    program: torch.export.ExportedProgram,
    variant: Variant,
    folder: Path,
    *,
    calibration: Sequence[Array] | None = None,
) -> None:
    """Write the files of an export.

    Args:
        program: pixels (B, 3, T, H, W) uint8 -> (logits, features), with a dynamic batch.
        variant: which runtime it is for.
        folder: exists; the files are written into it.
        calibration: views (1, 3, T, H, W) uint8 whose activations set the ranges of int8.
    """
    if variant.format == "onnx":
        write_onnx(program, folder)
    elif variant.format == "openvino":
        write_openvino(program, folder, calibration=calibration)
    else:
        write_torch_export(program, folder)


def open_export(folder: Path, variant: Variant, *, takes: InputType = "float32") -> Forward:
    """The function that an export is, on as many threads as PyTorch uses.

    Args:
        folder: of the export.
        variant: which runtime it is for.
        takes: the pixels that it will be given. Exports take uint8; resized frames are not whole
            numbers, so that our backends have the same graph take float32.
    """
    threads = torch.get_num_threads()
    if variant.format == "onnx":
        return open_onnx(folder, takes=takes, threads=threads)
    if variant.format == "openvino":
        return open_openvino(folder, takes=takes, threads=threads)
    return open_torch_export(folder)
