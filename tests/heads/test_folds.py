import numpy as np

from hiera_cli.heads.folds import assign_folds


def test_every_class_is_spread_evenly() -> None:
    targets = np.eye(3)[np.repeat([0, 1, 2], [50, 21, 5])]
    folds = assign_folds(targets, np.arange(76), num_folds=5, seed=0)
    held = np.stack([targets[folds == fold].sum(0) for fold in range(5)])
    assert (held[:, 0] == 10).all()
    assert sorted(held[:, 1]) == [4, 4, 4, 4, 5]
    assert (held[:, 2] == 1).all()


def test_groups_stay_together() -> None:
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 25, 200)
    targets = np.eye(4)[rng.integers(0, 4, 200)]
    folds = assign_folds(targets, groups, num_folds=5, seed=3)
    for group in np.unique(groups):
        assert len(np.unique(folds[groups == group])) == 1
    sizes = np.bincount(folds, minlength=5)
    assert sizes.min() > 30
    assert sizes.max() < 50


def test_the_seed_decides() -> None:
    targets = np.eye(2)[np.repeat([0, 1], 20)]
    one, same, other = (
        assign_folds(targets, np.arange(40), num_folds=4, seed=seed) for seed in (0, 0, 1)
    )
    assert (one == same).all()
    assert (one != other).any()
