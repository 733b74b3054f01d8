"""The folds of a cross-validation: every class spread evenly, groups kept together."""

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


def assign_folds(
    targets: npt.NDArray[np.float64], groups: Indices, *, num_folds: int, seed: int
) -> Indices:
    """A fold for each video, (N,) int64.

    Groups are dealt out, large ones first and otherwise in random order, each to the fold that
    has the least of the classes in it; among equal ones, to the smallest.

    Args:
        targets: (N, K), 1 for each class that a video has.
        groups: (N,) which videos belong together.
        num_folds: how many.
        seed: of the order.
    """
    rng = np.random.default_rng(seed)
    names, inverse = np.unique(groups, return_inverse=True)
    members = np.zeros((len(names), targets.shape[1]))
    np.add.at(members, inverse, targets)
    sizes = np.bincount(inverse)
    totals = np.maximum(targets.sum(0), 1)
    rarity = (members > 0) @ (1 / totals)  # of equal size: rare classes first
    shuffled = rng.permutation(len(names))
    order = shuffled[np.lexsort((-rarity[shuffled], -sizes[shuffled]))]
    held = np.zeros((num_folds, targets.shape[1]))
    num_videos = np.zeros(num_folds)
    fold_of = np.zeros(len(names), dtype=np.int64)
    for group in order:
        load = held @ (members[group] / totals)
        fold = np.lexsort((num_videos, np.round(load, 9)))[0]
        fold_of[group] = fold
        held[fold] += members[group]
        num_videos[fold] += sizes[group]
    return fold_of[inverse]
