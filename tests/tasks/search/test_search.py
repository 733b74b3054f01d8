"""Neighbours, duplicates and clusters of a small table, against numpy with everything in hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hiera_cli.checkpoints.open import open_model, save_model
from hiera_cli.errors import UsageError
from hiera_cli.inputs import expand_inputs
from hiera_cli.model.hiera import Hiera
from hiera_cli.options import EngineOptions
from hiera_cli.tasks.features.options import FeatureOptions
from hiera_cli.tasks.features.table import write_features
from hiera_cli.tasks.search.atlas import least_sure, make_atlas, nearest_of_all
from hiera_cli.tasks.search.groups import cluster, find_duplicates, load_vectors, principal_map
from hiera_cli.tasks.search.neighbours import find_neighbours
from hiera_cli.tasks.search.query import LikeClip, open_query_engine, parse_like, query_vectors
from hiera_cli.tasks.search.rows import ClipRow, read_table_metadata, row_at, table_mean, unit


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, clips: Path) -> Path:
    out = tmp_path_factory.mktemp("tables") / "feats.parquet"
    options = EngineOptions(model=str(tiny_model), device="cpu")
    files = expand_inputs([str(clips)])
    list(write_features(files, out, features=FeatureOptions(scores=True), options=options))
    return out


def test_what_to_look_for() -> None:
    assert parse_like("a.mp4") == LikeClip("a.mp4")
    assert parse_like("a#b.mp4#12.5-16") == LikeClip("a#b.mp4", 12.5, 16)
    assert parse_like("a.mp4#1:02-1:07") == LikeClip("a.mp4", 62, 67)
    with pytest.raises(UsageError, match="ends before"):
        parse_like("a.mp4#5-4")


def test_neighbours_are_exact(table: Path) -> None:
    rows, vectors = load_vectors(table)
    clip, feature = row_at(table, 3)
    assert clip == rows[3]
    found = find_neighbours(table, unit(feature), num=4, leave_out=frozenset({3}))
    cosines = vectors @ vectors[3]
    cosines[3] = -2
    order = np.argsort(-cosines, kind="stable")[:4]
    assert [(n.path, n.clip_index) for n in found] == [
        (rows[k].path, rows[k].clip_index) for k in order
    ]
    assert [n.score for n in found] == pytest.approx(cosines[order].tolist(), abs=1e-6)
    assert [n.rank for n in found] == [1, 2, 3, 4]
    with pytest.raises(UsageError, match="no row"):
        row_at(table, 10_000)


def test_a_clip_finds_itself(table: Path, clips: Path) -> None:
    made = read_table_metadata(table)
    engine = open_query_engine(table, made, EngineOptions(device="cpu"))
    like = parse_like(f"{clips / 'c' / 'clip 5.mp4'}#0-0.6")
    query = query_vectors(like, engine, made)
    mean = table_mean(table)
    for center in (None, mean):
        best = find_neighbours(table, unit(query, center), num=1, center=center)[0]
        assert (best.path, best.clip_index) == ("c/clip 5.mp4", 0)
        assert best.score == pytest.approx(1, abs=1e-5)
    mirrored = query_vectors(like, engine, made, variant="mirrored")
    assert mirrored.shape == query.shape
    assert not np.allclose(mirrored, query)


def test_duplicates_are_of_different_files() -> None:
    clips = tuple(ClipRow(name, 0, 0.0, 1.0) for name in ("a", "a", "b", "c", "d"))
    vectors = unit(np.array([[1, 0], [1, 0.01], [1, 0.02], [0, 1], [-1, 0]]))
    found = list(find_duplicates(clips, vectors, least_score=0.99))
    assert [(d.group, d.path) for d in found] == [(1, "a"), (1, "a"), (1, "b")]
    assert found[0].score == pytest.approx(float(vectors[0] @ vectors[2]))


def test_clusters_and_maps() -> None:
    rng = np.random.default_rng(0)
    centers = np.eye(3, 8)
    owner = np.repeat([0, 1, 2], [30, 20, 10])
    vectors = unit(centers[owner] + 0.1 * rng.standard_normal((60, 8)))
    clips = tuple(ClipRow(f"v{k}", 0, 0.0, 1.0) for k in range(60))
    found = cluster(clips, vectors, 3)
    assert [c.cluster for c in found] == (owner + 1).tolist()
    assert min(c.score for c in found) > 0.8
    places = principal_map(vectors)
    assert np.abs(places).max() == pytest.approx(1)
    spread = [places[owner == k].std(axis=0).max() for k in range(3)]
    assert max(spread) < 0.3
    with pytest.raises(UsageError, match="--cluster"):
        cluster(clips, vectors, 61)
    near, cosines = nearest_of_all(vectors, 5)
    assert all(owner[near[k]].tolist() == [owner[k]] * 5 for k in range(60))
    assert (np.diff(cosines, axis=1) <= 0).all()


def test_a_head_says_which_features_it_takes(
    table: Path, tiny_model: Path, clips: Path, tmp_path: Path
) -> None:
    tiny = open_model(str(tiny_model))
    wide = Hiera(replace(tiny.model.config, head_stages=(2, 3)))
    spec = tiny.preprocessing
    save_model(tmp_path / "wide", wide, labels=tiny.labels, preprocessing=spec, extra={})
    with pytest.raises(UsageError, match=r"takes features of \d+, not \d+ numbers") as caught:
        make_atlas(table, read_table_metadata(table), head=str(tmp_path / "wide"))
    assert "--layer stages" in caught.value.hint
    files, options = expand_inputs([str(clips)]), EngineOptions(model=str(tiny_model), device="cpu")
    out = tmp_path / "stages.parquet"
    list(write_features(files, out, features=FeatureOptions(layer="stages"), options=options))
    atlas = make_atlas(out, read_table_metadata(out), head=str(tmp_path / "wide"))
    assert atlas.classes is not None


def test_atlas_and_what_the_head_is_unsure_of(table: Path, tiny_model: Path) -> None:
    made = read_table_metadata(table)
    atlas = make_atlas(table, made)
    assert atlas.classes is not None
    with_head = make_atlas(table, made, head=str(tiny_model))
    assert with_head.classes == atlas.classes  # the same head, once over the features
    unsure = least_sure(table, made, 3)
    assert len({u.path for u in unsure}) == 3
    assert [u.margin for u in unsure] == sorted(u.margin for u in unsure)
