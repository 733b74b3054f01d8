"""A cluster is divided among actors; without ray it is said what to install."""

import sys
from pathlib import Path

import pytest

from hiera_cli.distributed.cluster import ActorPlan, load_ray, plan_actors
from hiera_cli.distributed.options import RayOptions
from hiera_cli.errors import UsageError

CPUS = {"CPU": 16.0, "machines": 2.0, "smallest": 8.0}
GPUS = {**CPUS, "GPU": 8.0}


def options(**values: object) -> RayOptions:
    return RayOptions(engine="ray", **values)


@pytest.mark.parametrize(
    ("asked", "resources", "plan"),
    [
        ({}, CPUS, ActorPlan(2, 8.0, 0.0)),
        ({"num_actors": 4}, CPUS, ActorPlan(4, 4.0, 0.0)),
        ({"num_actors": 1}, CPUS, ActorPlan(1, 8.0, 0.0)),
        ({"num_actors": 32}, CPUS, ActorPlan(32, 0.5, 0.0)),
        ({}, GPUS, ActorPlan(8, 2.0, 1.0)),
        ({"gpus_per_actor": 0.5}, GPUS, ActorPlan(16, 1.0, 0.5)),
        ({"gpus_per_actor": 0.0}, GPUS, ActorPlan(2, 8.0, 0.0)),
        ({"num_actors": 3}, GPUS, ActorPlan(3, 5.0, 1.0)),
    ],
)
def test_plan(asked: dict[str, object], resources: dict[str, float], plan: ActorPlan) -> None:
    assert plan_actors(options(**asked), resources, use_gpus=True) == plan


def test_a_model_on_the_cpu_takes_no_gpu() -> None:
    assert plan_actors(options(), GPUS, use_gpus=False) == ActorPlan(2, 8.0, 0.0)


def test_more_gpus_than_there_are() -> None:
    with pytest.raises(UsageError, match="--gpus-per-actor is 1, and the cluster has 0"):
        plan_actors(options(gpus_per_actor=1.0), CPUS, use_gpus=True)


def test_without_ray_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="needs the package ray") as caught:
        load_ray()
    assert caught.value.hint == "pip install 'hiera-cli[ray]'"


def test_the_command_says_so_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from hiera_cli.cli.app import make_app

    monkeypatch.setitem(sys.modules, "ray", None)
    (tmp_path / "a.mp4").touch()
    words = ["extract-features", str(tmp_path), "-o", str(tmp_path / "f.parquet")]
    with pytest.raises(SystemExit) as caught:
        make_app("extract-features")([*words, "--engine", "ray"])
    assert caught.value.code == 2
    assert "hint: pip install 'hiera-cli[ray]'" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_flags_for_ray_need_ray() -> None:
    with pytest.raises(UsageError, match="are for Ray"):
        RayOptions(num_actors=2)
