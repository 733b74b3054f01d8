"""ONNX: writing a model as an ONNX graph, and running it with ONNX Runtime."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from hiera_cli.exports.variants import Array, Forward, InputType

MODEL_NAMES: dict[InputType, str] = {
    "uint8": "model.onnx",
    "float32": "model.float32-input.onnx",
}


def write_onnx(program: torch.export.ExportedProgram, folder: Path) -> None:
    """Write `model.onnx`, which takes uint8 pixels, and its twin for pixels that are float32.

    Resized frames are not whole numbers: the backend keeps their fractions by running the twin,
    which is the same graph with another input type over the same file of weights.

    Args:
        program: pixels (B, 3, T, H, W) uint8 -> (logits, features), with a dynamic batch.
        folder: exists; the files are written into it.
    """
    import onnx

    with _quiet_exporter():
        graph = torch.onnx.export(
            program,
            dynamo=True,
            input_names=["pixels"],
            output_names=["logits", "features"],
            verbose=False,
        )
    if graph is None:
        raise RuntimeError("torch.onnx.export gave no graph")
    graph.save(folder / MODEL_NAMES["uint8"], external_data=True)
    twin = onnx.load(folder / MODEL_NAMES["uint8"], load_external_data=False)
    twin.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    onnx.save(twin, folder / MODEL_NAMES["float32"])


def open_onnx(folder: Path, *, takes: InputType, threads: int) -> Forward:
    """An exported graph as a function, run on the CPU.

    Args:
        folder: what `write_onnx` wrote.
        takes: the type of the pixels that it will be given.
        threads: for the arithmetic inside one operator.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(folder / MODEL_NAMES[takes]), sess_options=options, providers=["CPUExecutionProvider"]
    )

    def forward(pixels: Array) -> tuple[Array, Array]:
        logits, features = session.run(["logits", "features"], {"pixels": pixels})
        return np.asarray(logits), np.asarray(features)

    return forward


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """The exporter warns about its own internals; its progress goes to loggers of its own."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
