"""What the Ray engine can be told."""

from dataclasses import dataclass

from hiera_cli.errors import UsageError
from hiera_cli.options import WorkEngine, check_at_least, check_choices


@dataclass(frozen=True, kw_only=True)
class RayOptions:
    """Where the work is done: on this machine, or on a Ray cluster.

    Attributes:
        engine: `local` or `ray`.
        ray_address: `auto`, `ray://HOST:PORT` or `HOST:PORT`; None for RAY_ADDRESS, or else for a
            cluster on this machine.
        num_actors: processes with a model each; None for one a GPU, or one a machine without GPUs.
        gpus_per_actor: GPUs of each, or the part of one; None for one where there are some.
    """

    engine: WorkEngine = "local"
    ray_address: str | None = None
    num_actors: int | None = None
    gpus_per_actor: float | None = None

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything.

        Raises:
            UsageError: a value that is no choice, out of range, or only for Ray.
        """
        check_choices(self)
        check_at_least(1, num_actors=self.num_actors)
        check_at_least(0, gpus_per_actor=self.gpus_per_actor)
        others = (self.ray_address, self.num_actors, self.gpus_per_actor)
        if self.engine != "ray" and any(value is not None for value in others):
            raise UsageError(
                "--ray-address, --num-actors and --gpus-per-actor are for Ray",
                hint="add --engine ray",
            )
