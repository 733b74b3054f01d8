"""The Ray cluster: getting it, and how its machines are divided among actors."""

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hiera_cli.distributed.options import RayOptions
from hiera_cli.errors import HieraError, UsageError

logger = logging.getLogger("hiera_cli")


@dataclass(frozen=True, slots=True)
class ActorPlan:
    """How many actors there are, and what each of them has.

    Attributes:
        num_actors: the number of actors.
        num_cores: cores of each; less than one where there are more actors than cores.
        num_gpus: GPUs of each, or the part of one.
    """

    num_actors: int
    num_cores: float
    num_gpus: float


def load_ray() -> Any:
    """The ray package.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "--engine ray needs the package ray, which is not installed",
            hint="pip install 'hiera-cli[ray]'",
        ) from error
    return ray


@contextmanager
def connected(address: str | None, *, verbose: bool = False) -> Iterator[Any]:
    """The ray package, connected to a cluster; to one that is connected already, as it is.

    Args:
        address: `auto`, `ray://HOST:PORT` or `HOST:PORT`; None for RAY_ADDRESS, or else for a
            cluster on this machine that ends with the block.
        verbose: whether what the actors write comes to our terminal.

    Raises:
        UsageError: ray is not installed, or there is no cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    ray = load_ray()
    if ray.is_initialized():
        yield ray
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    is_ours = not address and "RAY_ADDRESS" not in os.environ
    if is_ours:
        # Ray makes its workers give way to all else on the machine (nice 15); beside anything
        # that computes they take several times as long as this process would
        os.environ.setdefault("RAY_worker_niceness", "0")
    local = {"include_dashboard": False} if is_ours else {}
    try:
        ray.init(
            "local" if is_ours else address,  # None would join what another run left behind
            log_to_driver=verbose,
            logging_level=logging.INFO if verbose else logging.ERROR,
            **local,
        )
    except (ConnectionError, ValueError, RuntimeError, AssertionError) as error:
        where = address or os.environ.get("RAY_ADDRESS", "this machine")
        raise UsageError(
            f"there is no Ray cluster at {where}: {str(error).splitlines()[0]}",
            hint="start one with 'ray start --head', or leave --ray-address out for this machine",
        ) from error
    finally:
        for number, handler in handlers.items():  # ray has a handler of its own
            signal.signal(number, handler)
    try:
        yield ray
    finally:
        ray.shutdown()


def plan_actors(options: RayOptions, resources: dict[str, float], *, use_gpus: bool) -> ActorPlan:
    """Divide a cluster among actors.

    On GPUs there is an actor for each, or for each part that `gpus_per_actor` names; without
    them one for each machine, as one process uses all the cores of its machine.

    Args:
        options: what the user asked for.
        resources: of the cluster: how many `CPU`s, `GPU`s and `machines` it has, and how many
            CPUs the `smallest` of those.
        use_gpus: whether the model may run on GPUs.

    Raises:
        UsageError: more is asked of GPUs than there is.
    """
    num_gpus, num_machines = resources.get("GPU", 0.0), max(1, int(resources["machines"]))
    if options.gpus_per_actor and options.gpus_per_actor > num_gpus:
        raise UsageError(
            f"--gpus-per-actor is {options.gpus_per_actor:g}, and the cluster has {num_gpus:g}",
            hint="leave it out to run on CPUs",
        )
    share = options.gpus_per_actor
    if share is None:
        share = 1.0 if use_gpus and num_gpus >= 1 else 0.0
    num_actors = options.num_actors or (int(num_gpus / share) if share else num_machines)
    num_cores = min(resources.get("CPU", 1.0) / num_actors, resources["smallest"])
    return ActorPlan(num_actors, float(int(num_cores)) or num_cores, share)


def cluster_resources(ray: Any) -> dict[str, float]:
    """`CPU`, `GPU` and `machines` of the connected cluster, and CPUs of the `smallest` machine.

    Raises:
        HieraError: it has no machine that computes.
    """
    alive = (node["Resources"] for node in ray.nodes() if node["Alive"])
    cores = [resources["CPU"] for resources in alive if resources.get("CPU")]
    if not cores:
        raise HieraError("the Ray cluster has no machine with CPUs", hint="look at 'ray status'")
    return {
        "CPU": sum(cores),
        "GPU": ray.cluster_resources().get("GPU", 0.0),
        "machines": float(len(cores)),
        "smallest": min(cores),
    }
