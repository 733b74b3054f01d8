"""Everything about the clips of a table that a map of them needs; what a head is unsure of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from hiera_cli.checkpoints.open import open_model
from hiera_cli.errors import UsageError
from hiera_cli.tables import read_rows
from hiera_cli.tasks.search.groups import load_vectors, principal_map
from hiera_cli.tasks.search.rows import ClipRow, Vectors

MapName = Literal["pca", "umap"]
BLOCK = 1024


@dataclass(frozen=True, eq=False, slots=True)
class Atlas:
    """The clips of a table on a map.

    Attributes:
        clips: where they are from.
        places: (N, 2) in -1..1.
        neighbours: (N, k) rows of the most similar clips, the nearest first.
        cosines: (N, k) how similar those are.
        classes: the most probable class of each clip; None where there are no scores.
        confidences: (N,) its probability, or None.
    """

    clips: tuple[ClipRow, ...]
    places: npt.NDArray[np.float32]
    neighbours: npt.NDArray[np.int32]
    cosines: npt.NDArray[np.float32]
    classes: tuple[str, ...] | None
    confidences: npt.NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class Unsure:
    """A clip of which a head is unsure.

    Attributes:
        path, clip_index, start_seconds, end_seconds: the clip.
        label, score: the most probable class.
        margin: by how much it is more probable than the second one.
    """

    path: str
    clip_index: int
    start_seconds: float
    end_seconds: float
    label: str
    score: float
    margin: float


def make_atlas(
    table: Path,
    made: Mapping[str, Any],
    *,
    layout: MapName = "pca",
    num_neighbours: int = 8,
    head: str | None = None,
) -> Atlas:
    """Place all clips of a table on a map.

    Args:
        table: a .parquet file or a folder of shards.
        made: its metadata.
        layout: how 2-D places come from features.
        num_neighbours: similar clips that are looked up for each.
        head: a model whose head says the class; None: the table's own scores, if it has some.

    Raises:
        UsageError: a table without clips, or `umap` without its package.
    """
    clips, vectors = load_vectors(table)
    neighbours, cosines = nearest_of_all(vectors, min(num_neighbours, len(clips) - 1))
    scored = read_scores(table, made, head)
    classes = confidences = None
    if scored is not None:
        labels, scores = scored
        classes = tuple(labels[k] for k in scores.argmax(axis=1))
        confidences = scores.max(axis=1)
    places = principal_map(vectors) if layout == "pca" else _umap(vectors)
    return Atlas(clips, places, neighbours, cosines, classes, confidences)


def nearest_of_all(
    vectors: Vectors, num: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """For each of the unit vectors (N, D) the `num` most similar others and their cosines."""
    found = np.zeros((len(vectors), num), np.int32)
    cosines = np.zeros((len(vectors), num), np.float32)
    for first in range(0, len(vectors) if num else 0, BLOCK):
        scores = vectors[first : first + BLOCK] @ vectors.T
        rows = np.arange(len(scores))
        scores[rows, first + rows] = -2
        best = np.argpartition(-scores, num - 1, axis=1)[:, :num]
        order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1, kind="stable")
        best = np.take_along_axis(best, order, 1)
        found[first : first + BLOCK] = best
        cosines[first : first + BLOCK] = np.take_along_axis(scores, best, 1)
    return found, cosines


def _umap(vectors: Vectors) -> npt.NDArray[np.float32]:
    if find_spec("umap") is None:
        raise UsageError("--map umap needs umap-learn", hint="pip install 'hiera-cli[umap]'")
    import umap

    places = umap.UMAP(metric="cosine", random_state=0).fit_transform(vectors)
    places = places - (places.max(axis=0) + places.min(axis=0)) / 2
    return np.asarray(places / max(float(np.abs(places).max()), 1e-12), dtype=np.float32)


def read_scores(
    table: Path, made: Mapping[str, Any], head: str | None
) -> tuple[Sequence[str], npt.NDArray[np.float32]] | None:
    """Class names and scores (N, K) of the clips; None where a table has none and no head is given.

    Raises:
        UsageError: a head that takes other features.
    """
    if head is not None:
        return _apply_head(table, made, head)
    if not made.get("scores"):
        return None
    parts = [rows["scores"] for rows in read_rows(table, columns=["scores"])]
    return made["labels"], np.concatenate(parts).astype(np.float32)


def _apply_head(
    table: Path, made: Mapping[str, Any], head: str
) -> tuple[Sequence[str], npt.NDArray[np.float32]]:
    loaded = open_model(head, need_head=True)
    layer = "stages" if loaded.model.config.head_stages else "final"
    hint = f"extract them with --layer {layer} --pool mean"
    if made["layer"] not in ("final", "stages") or made["pool"] != "mean":
        raise UsageError(f"a head takes what the last layer gives, not {made['layer']}", hint=hint)
    width = loaded.model.head.projection.in_features
    parts = []
    for rows in read_rows(table, columns=["feature"]):
        features = torch.from_numpy(rows["feature"].astype(np.float32))
        if features.shape[1] != width:
            told = f"'{head}' takes features of {width}, not {features.shape[1]} numbers"
            raise UsageError(told, hint=hint)
        with torch.inference_mode():
            logits = loaded.model.forward_head(features)
            many = bool(getattr(loaded, "multi_label", False))
            parts.append((logits.sigmoid() if many else logits.softmax(-1)).numpy())
    return loaded.labels, np.concatenate(parts)


def least_sure(
    table: Path, made: Mapping[str, Any], num: int, *, head: str | None = None
) -> tuple[Unsure, ...]:
    """The clips whose two most probable classes are closest, one clip a video.

    Raises:
        UsageError: neither scores in the table nor a head.
    """
    scored = read_scores(table, made, head)
    if scored is None:
        hint = "extract features with --scores, or name a model with --head"
        raise UsageError(f"{table} has no scores", hint=hint)
    labels, scores = scored
    clips, _ = load_vectors(table)
    top = np.sort(scores, axis=1)[:, ::-1]
    margins = top[:, 0] - top[:, 1] if scores.shape[1] > 1 else np.abs(top[:, 0] - 0.5)
    found: dict[str, Unsure] = {}
    for index in np.argsort(margins, kind="stable"):
        clip, best = clips[index], int(scores[index].argmax())
        if clip.path not in found and len(found) < num:
            found[clip.path] = Unsure(
                clip.path,
                clip.clip_index,
                clip.start_seconds,
                clip.end_seconds,
                labels[best],
                float(scores[index, best]),
                float(margins[index]),
            )
    return tuple(found.values())
