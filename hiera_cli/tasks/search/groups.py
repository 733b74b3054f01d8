"""Clips that belong together: the same ones in several files, and clusters."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hiera_cli.errors import UsageError
from hiera_cli.tasks.search.rows import ClipRow, Vectors, scan_rows

BLOCK = 2048
ROUNDS = 50
MAX_HELD_BYTES = 4 * 2**30


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A clip that is nearly the same as one of another file.

    Attributes:
        group: number of the group, from 1.
        path, start_seconds, end_seconds: the clip.
        score: highest cosine with a clip of another file in the group.
    """

    group: int
    path: str
    start_seconds: float
    end_seconds: float
    score: float


@dataclass(frozen=True, slots=True)
class Clustered:
    """A clip and the cluster that it is in; `score` is the cosine with the cluster's center."""

    cluster: int
    path: str
    clip_index: int
    start_seconds: float
    end_seconds: float
    score: float


def load_vectors(
    table: Path, *, center: Vectors | None = None
) -> tuple[tuple[ClipRow, ...], Vectors]:
    """All rows of a table as (clips, unit vectors (N, D)).

    Raises:
        UsageError: a table without rows, or one too large to be held.
    """
    clips: list[ClipRow] = []
    parts: list[Vectors] = []
    num_bytes = 0
    for rows in scan_rows(table, center=center):
        clips += rows.clips
        parts.append(rows.vectors)
        num_bytes += rows.vectors.nbytes
        if num_bytes > MAX_HELD_BYTES:
            raise UsageError(f"{table} is too large for this", hint="take a part of it")
    if not clips:
        raise UsageError(f"{table} holds no clips")
    return tuple(clips), np.concatenate(parts)


def find_duplicates(
    clips: tuple[ClipRow, ...], vectors: Vectors, *, least_score: float
) -> Iterator[Duplicate]:
    """Groups of clips of different files whose cosine is at least `least_score`."""
    names = {name: number for number, name in enumerate(dict.fromkeys(c.path for c in clips))}
    files = np.array([names[clip.path] for clip in clips])
    parents = np.arange(len(clips))
    best = np.full(len(clips), -1.0, dtype=np.float32)
    for first in range(0, len(clips), BLOCK):
        scores = vectors[first : first + BLOCK] @ vectors.T
        scores[files[first : first + BLOCK, None] == files[None, :]] = -1
        best[first : first + BLOCK] = scores.max(axis=1)
        for row, column in zip(*np.nonzero(scores >= least_score), strict=True):
            _join(parents, first + int(row), int(column))
    groups: dict[int, list[int]] = {}
    for index in np.flatnonzero(best >= least_score).tolist():
        groups.setdefault(_root(parents, index), []).append(index)
    for number, members in enumerate(groups.values(), start=1):
        for index in members:
            clip = clips[index]
            times = clip.start_seconds, clip.end_seconds
            yield Duplicate(number, clip.path, *times, float(best[index]))


def _root(parents: npt.NDArray[np.intp], index: int) -> int:
    while parents[index] != index:
        above = int(parents[index])
        parents[index] = parents[above]
        index = above
    return index


def _join(parents: npt.NDArray[np.intp], one: int, other: int) -> None:
    one, other = _root(parents, one), _root(parents, other)
    parents[max(one, other)] = min(one, other)


def cluster(
    clips: tuple[ClipRow, ...], vectors: Vectors, num_clusters: int, *, seed: int = 0
) -> tuple[Clustered, ...]:
    """Spherical k-means with k-means++ seeding; clusters are numbered by size, from 1.

    Raises:
        UsageError: more clusters than clips.
    """
    if not 1 <= num_clusters <= len(clips):
        raise UsageError(f"--cluster must be between 1 and {len(clips)}, not {num_clusters}")
    centers = _seed_centers(vectors, num_clusters, np.random.default_rng(seed))
    owner = np.full(len(clips), -1)
    for _ in range(ROUNDS):
        nearest = (vectors @ centers.T).argmax(axis=1)
        if np.array_equal(nearest, owner):
            break
        owner = nearest
        for k in range(num_clusters):
            if (owner == k).any():
                mean = vectors[owner == k].mean(axis=0)
                centers[k] = mean / max(float(np.linalg.norm(mean)), 1e-12)
    sizes = np.bincount(owner, minlength=num_clusters)
    number = np.empty(num_clusters, dtype=int)
    number[np.argsort(-sizes, kind="stable")] = np.arange(1, num_clusters + 1)
    scores = (vectors * centers[owner]).sum(axis=1)
    return tuple(
        Clustered(
            int(number[k]), c.path, c.clip_index, c.start_seconds, c.end_seconds, float(score)
        )
        for c, k, score in zip(clips, owner, scores, strict=True)
    )


def _seed_centers(vectors: Vectors, num: int, rng: np.random.Generator) -> Vectors:
    chosen = [int(rng.integers(len(vectors)))]
    distance = 1 - vectors @ vectors[chosen[0]]
    for _ in range(num - 1):
        weights = np.maximum(distance.astype(np.float64), 1e-12)
        chosen.append(int(rng.choice(len(vectors), p=weights / weights.sum())))
        distance = np.minimum(distance, 1 - vectors @ vectors[chosen[-1]])
    return vectors[chosen].copy()


def principal_map(vectors: Vectors) -> npt.NDArray[np.float32]:
    """(N, 2) coordinates on the first two principal components, scaled into -1..1."""
    mean = vectors.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((vectors.shape[1], vectors.shape[1]))
    for first in range(0, len(vectors), BLOCK):
        part = vectors[first : first + BLOCK] - mean
        covariance += part.T @ part
    _, axes = np.linalg.eigh(covariance)
    axes = axes[:, ::-1][:, :2]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), range(axes.shape[1])])
    places = (vectors - mean) @ axes
    places -= (places.max(axis=0) + places.min(axis=0)) / 2
    if places.shape[1] < 2:
        places = np.pad(places, ((0, 0), (0, 2 - places.shape[1])))
    return np.asarray(places / max(float(np.abs(places).max()), 1e-12), dtype=np.float32)
