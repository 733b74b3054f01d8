"""Which clips a page of clusters shows."""

import json
import re
from pathlib import Path

from hiera_cli.report.search_page import write_search_page
from hiera_cli.tasks.search.groups import Clustered


def test_clusters_show_their_middle_and_many_files(tmp_path: Path) -> None:
    records = [
        Clustered(2, "a", 0, 0, 1, 0.5),
        *(Clustered(1, "b", k, k, k + 1, 0.9 - 0.01 * k) for k in range(20)),
        Clustered(1, "c", 0, 0, 1, 0.2),
        Clustered(2, "a", 1, 1, 2, 0.7),
    ]
    write_search_page(records, tmp_path / "p.html", title="<t>", made={}, root=None)
    page = (tmp_path / "p.html").read_text()
    found = re.search(r'id="data">(.*?)</script>', page)
    assert found is not None
    data = json.loads(found[1])
    one, two = data["groups"]
    assert (one["name"], two["name"]) == ("Group 1", "Group 2")
    assert [clip["path"] for clip in one["clips"]] == ["b", "c", *["b"] * 10]
    assert [clip["score"] for clip in two["clips"]] == ["0.700", "0.500"]
    assert "__HEAD__" not in page
    assert "__SHARED__" not in page
