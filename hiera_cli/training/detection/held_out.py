"""What the validations of all detectors share: a model at work, and results of all processes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from torch import nn

from hiera_cli.errors import Failure
from hiera_cli.training.distributed import gather_objects

Result = TypeVar("Result")


@contextmanager
def at_work(model: nn.Module) -> Iterator[None]:
    """The model in eval mode inside, as it was afterwards."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def of_all(found: Sequence[Result | Failure]) -> tuple[list[Result], int]:
    """The results of all processes, and how many inputs failed."""
    everywhere = [item for part in gather_objects(found) for item in part]
    results = [item for item in everywhere if not isinstance(item, Failure)]
    return results, len(everywhere) - len(results)
