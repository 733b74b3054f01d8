"""A forward pass recorded once as a CUDA graph and replayed: Python launches no kernel again."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

WARM_UPS = 3  # before recording: libraries choose their kernels and take their workspaces then
# hiera-optim 0.2.1 reports that replays of cuDNN's attention read freed memory on Hopper.
REPLAYABLE = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]

Outputs = tuple[Tensor, ...]
Run = Callable[[], Outputs]
Record = Callable[[Run], tuple[Outputs, Callable[[], None]]]
"""Takes what is to be recorded; gives its outputs and what fills them again."""


class GraphedForward:
    """A forward pass replayed at the largest batch size seen so far; smaller ones are padded.

    Outputs are copies: the next batch may be given before they are read.

    Args:
        forward: pixels (B, 3, ...) on the device to any outputs (B, ...).
        record: how a pass is recorded.
    """

    def __init__(self, forward: Callable[[Tensor], Outputs], record: Record) -> None:
        self._forward = forward
        self._record = record
        self._pixels: Tensor | None = None
        self._outputs: Outputs = ()
        self._replay: Callable[[], None] = lambda: None

    def __call__(self, pixels: Tensor) -> Outputs:
        """Pixels (B, 3, T, H, W) or (B, 3, H, W) -> outputs, each (B, ...)."""
        num_views = len(pixels)
        if self._pixels is None or not self._fits(pixels, self._pixels):
            self._prepare(pixels)
        assert self._pixels is not None
        self._pixels[:num_views].copy_(pixels)  # what else lies there is computed for nothing
        self._replay()
        return tuple(output[:num_views].clone() for output in self._outputs)

    def _fits(self, pixels: Tensor, there: Tensor) -> bool:
        same = pixels.dtype == there.dtype and pixels.shape[1:] == there.shape[1:]
        return same and len(pixels) <= len(there)

    def _prepare(self, pixels: Tensor) -> None:
        """Record a pass over a batch like this one; the memory of an earlier one is free first."""
        self._pixels, self._outputs, self._replay = None, (), lambda: None
        static = pixels.clone()
        self._outputs, self._replay = self._record(lambda: self._forward(static))
        self._pixels = static


def rerun(run: Run) -> tuple[Outputs, Callable[[], None]]:
    """A stand-in for `record_on_cuda` where there are no CUDA graphs: the pass, done again."""
    outputs = run()

    def replay() -> None:
        for kept, new in zip(outputs, run(), strict=True):
            kept.copy_(new)

    return outputs, replay


def record_on_cuda(run: Run) -> tuple[Outputs, Callable[[], None]]:
    """Record what the current CUDA device is told to do.

    Other threads go on meanwhile, which take pinned memory: only this one is forbidden to.
    """
    computing = torch.cuda.current_stream()
    aside: torch.cuda.Stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(computing)
    graph = torch.cuda.CUDAGraph()
    with sdpa_kernel(REPLAYABLE):
        with torch.cuda.stream(aside):
            for _ in range(WARM_UPS):
                run()
        computing.wait_stream(aside)
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            outputs = run()
    return outputs, graph.replay
