"""OpenVINO: writing a model as its intermediate representation, quantising it, running it."""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hiera_cli.exports.variants import Array, Forward, InputType

MODEL_NAME = "model.xml"
FLOAT_TYPES = ["ScaledDotProductAttention", "Convolution"]


def write_openvino(
    program: torch.export.ExportedProgram,
    folder: Path,
    *,
    calibration: Sequence[Array] | None = None,
) -> None:
    """Write `model.xml` and `model.bin`: float32, or int8 when there are clips to calibrate with.

    Args:
        program: pixels (B, 3, T, H, W) uint8 -> (logits, features), with a dynamic batch.
        folder: exists; the files are written into it.
        calibration: views (1, 3, T, H, W) uint8 whose activations set the ranges of int8.
    """
    import openvino

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = openvino.convert_model(program)
    model.inputs[0].get_tensor().set_names({"pixels"})
    for output, name in zip(model.outputs, ("logits", "features"), strict=True):
        output.get_tensor().set_names({name})
    if calibration is not None:
        model = _quantise(model, calibration)
    openvino.save_model(model, folder / MODEL_NAME, compress_to_fp16=False)


def _quantise(model: Any, calibration: Sequence[Array]) -> Any:
    """Post-training quantisation of weights and activations with NNCF.

    Attention stays in float32: quantised it falls apart into products and a softmax, which cost
    more than the fused kernel. So does the patch embedding, a hundredth of the arithmetic: on 250
    clips of camera-motion more answers stayed what they were.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import nncf
    logging.getLogger("nncf").setLevel(logging.ERROR)
    return nncf.quantize(
        model,
        nncf.Dataset(calibration),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(calibration),
        ignored_scope=nncf.IgnoredScope(types=FLOAT_TYPES, validate=False),
    )


def open_openvino(folder: Path, *, takes: InputType, threads: int) -> Forward:
    """An exported model as a function, run on the CPU.

    Args:
        folder: what `write_openvino` wrote.
        takes: the type of the pixels that it will be given.
        threads: of the inference.
    """
    import openvino

    core = openvino.Core()
    model = core.read_model(folder / MODEL_NAME)
    if takes == "float32":
        model.inputs[0].get_node().set_element_type(openvino.Type.f32)
        model.validate_nodes_and_infer_types()
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(model, "CPU", settings)

    def forward(pixels: Array) -> tuple[Array, Array]:
        outputs = compiled(pixels)
        return np.array(outputs["logits"]), np.array(outputs["features"])

    return forward
