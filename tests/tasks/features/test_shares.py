import pytest

from hiera_cli.errors import UsageError
from hiera_cli.tasks.features.shares import Share, parse_share


@pytest.mark.parametrize("first", [0, 1])
def test_shares_cover_the_items_once_wherever_they_count_from(first: int) -> None:
    shares = [parse_share(f"{first + k}/4") for k in range(4)]
    found = [item for share in shares for item in share.of(list(range(10)))]
    assert sorted(found) == list(range(10))


def test_a_share_takes_every_nth_item() -> None:
    assert Share(1, 3).of("abcdefgh") == "beh"
    assert parse_share(None) is None


def test_job_arrays_and_ranks() -> None:
    slurm = {
        "SLURM_ARRAY_TASK_ID": "14",
        "SLURM_ARRAY_TASK_MIN": "10",
        "SLURM_ARRAY_TASK_STEP": "2",
        "SLURM_ARRAY_TASK_COUNT": "3",
    }
    assert parse_share("auto", slurm) == Share(2, 3)
    assert parse_share("auto", {"RANK": "1", "WORLD_SIZE": "8"}) == Share(1, 8)


def test_ranks_within_a_job_array_share_its_shares() -> None:
    array = {"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_COUNT": "3"}
    step = {"SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "4"}
    assert parse_share("auto", step) == Share(3, 4)
    assert parse_share("auto", {**array, **step}) == Share(7, 12)
    # What sbatch says before any srun is no rank: its script runs once.
    assert parse_share("auto", {**array, "SLURM_PROCID": "0", "SLURM_NTASKS": "4"}) == Share(1, 3)


@pytest.mark.parametrize("text", ["", "1", "1/0", "5/4", "-1/4", "a/b", "1/2/3", "½/4"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--shard"):
        parse_share(text)


@pytest.mark.parametrize("environment", [{}, {"SLURM_ARRAY_TASK_ID": "1"}, {"RANK": "x"}])
def test_auto_needs_an_array(environment: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"--shard auto (found no job array|cannot read the job)"):
        parse_share("auto", environment)


def test_auto_takes_the_task_of_an_srun_step() -> None:
    environment = {"SLURM_PROCID": "2", "SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "4"}
    share = parse_share("auto", environment)
    assert share is not None
    assert (share.index, share.num_shares) == (2, 4)
