"""The page of `explore` with 20,000 clips, in a browser.

Run with `python -m pytest -m slow -n 0 -s tests/report/test_explore_browser.py`; it prints how
long the browser takes to draw the map, to find the clip below the pointer, and to show a clip.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

from hiera_cli.report.explore_page import write_explore_page
from hiera_cli.tasks.search.atlas import make_atlas
from tests.report.browser import BROWSER, open_browser
from tests.tasks.search.tables import write_vectors

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium"),
]
NUM_CLIPS, NUM_GROUPS, WIDTH = 20_000, 12, 64
MEASURE = """(() => {
  const spent = [];
  for (let k = 0; k < 40; k++) {
    const begin = performance.now();
    scale *= 1.01; paint(); ctx.getImageData(0, 0, 1, 1);
    spent.push(performance.now() - begin);
  }
  spent.sort((a, b) => a - b);
  let begin = performance.now();
  for (let k = 0; k < 100; k++) at(200 + k, 300);
  const hovers = (performance.now() - begin) / 100;
  begin = performance.now(); show(77);
  return [spent[20], hovers, performance.now() - begin];
})()"""


def test_twenty_thousand_clips_stay_smooth(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    owner = np.repeat(rng.integers(NUM_GROUPS, size=NUM_CLIPS // 100), 100)
    vectors = rng.standard_normal((NUM_GROUPS, WIDTH))[owner]
    vectors += 0.4 * rng.standard_normal(vectors.shape)
    table = write_vectors(tmp_path / "t.parquet", vectors.astype(np.float32), clips_a_file=100)
    atlas = make_atlas(table, {})
    list(write_explore_page(atlas, tmp_path / "page", title="20,000", made={}, root=None))
    page = tmp_path / "page" / "index.html"
    with open_browser(tmp_path / "profile") as browser:
        browser.show(page, width=1300, height=800)
        assert browser.complaints == []
        draw, hover, click = browser.run(MEASURE)
    sys.stdout.write(
        f"\n20,000 clips: draw {draw:.1f} ms, hover {hover:.2f} ms, click {click:.1f} ms\n"
    )
    assert draw < 100
    assert hover < 10
    assert click < 100
