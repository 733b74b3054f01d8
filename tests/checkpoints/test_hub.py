import hashlib
import time
from pathlib import Path

import pytest

from hiera_cli.checkpoints.hub import cached_in_hub, fetch_from_hub, hub_sha256
from hiera_cli.errors import WeightsError
from tests.checkpoints.conftest import set_sources
from tests.checkpoints.server import Server

REPOSITORY = "facebook/hiera_base_16x224.mae_k400_ft_k400"
BODY = bytes(range(256)) * 4_000


def test_a_download_lands_in_the_hub_cache(hub_server: Server, cache: Path) -> None:
    hub_server.add_repository(REPOSITORY, BODY)
    assert cached_in_hub(REPOSITORY, cache_dir=cache) is None
    seen: list[tuple[str, int, int | None]] = []
    path = fetch_from_hub(REPOSITORY, cache_dir=cache, progress=lambda *now: seen.append(now))
    assert path.read_bytes() == BODY
    assert cached_in_hub(REPOSITORY, cache_dir=cache) == path
    assert hub_sha256(path) == hashlib.sha256(BODY).hexdigest()
    assert seen[-1] == (f"{REPOSITORY}/model.safetensors", len(BODY), len(BODY))


def test_a_dropped_connection_is_resumed(hub_server: Server, cache: Path) -> None:
    hub_server.add_repository(REPOSITORY, BODY)
    hub_server.drop_after = [300_000]
    assert fetch_from_hub(REPOSITORY, cache_dir=cache).read_bytes() == BODY


def test_a_repository_that_is_not_there(hub_server: Server, cache: Path) -> None:
    with pytest.raises(WeightsError, match="no such repository"):
        fetch_from_hub(REPOSITORY, cache_dir=cache)


def test_a_wrong_hash_leaves_nothing(hub_server: Server, cache: Path) -> None:
    hub_server.add_repository(REPOSITORY, BODY)
    hub_server.declared = "0" * 64
    with pytest.raises(WeightsError, match="SHA-256"):
        fetch_from_hub(REPOSITORY, cache_dir=cache)
    assert cached_in_hub(REPOSITORY, cache_dir=cache) is None
    assert not [path for path in cache.rglob("*") if path.is_file() and path.stat().st_size > 1000]


def test_no_hub_is_said_soon(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_sources(monkeypatch, "http://127.0.0.1:9")
    begun = time.monotonic()
    with pytest.raises(WeightsError, match="cannot be reached"):
        fetch_from_hub(REPOSITORY, cache_dir=cache)
    assert time.monotonic() - begun < 10


def test_a_small_file_is_not_named_after_its_sha256(tmp_path: Path) -> None:
    assert hub_sha256(tmp_path / "0123456789abcdef0123456789abcdef01234567") is None
