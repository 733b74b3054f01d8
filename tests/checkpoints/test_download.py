import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hiera_cli.checkpoints.download import (
    cache_folder,
    cached_checkpoint,
    expected_sha256,
    fetch_checkpoint,
)
from hiera_cli.checkpoints.transfer import file_sha256
from hiera_cli.checkpoints.zoo import Checkpoint, find_checkpoint
from hiera_cli.errors import OutputError, WeightsError
from tests.checkpoints.conftest import set_sources
from tests.checkpoints.server import Server

BODY = bytes(range(256)) * 1_000


def official(name: str) -> Checkpoint:
    found = find_checkpoint(name)
    assert found is not None
    return found[1]


BASE = official("hiera_base_16x224")
HUGE = official("hiera_huge_16x224")


def test_the_hub_comes_first(hub_server: Server, cache: Path) -> None:
    hub_server.add_repository(BASE.repository, BODY)
    hub_server.files[f"/{BASE.filename}"] = b"another"
    path = fetch_checkpoint(BASE, cache_dir=cache)
    assert path.read_bytes() == BODY
    assert cache / "hub" in path.parents
    assert expected_sha256(BASE, path) == file_sha256(path)


def test_what_the_hub_lacks_is_the_official_pickle(hub_server: Server, cache: Path) -> None:
    hub_server.files[f"/{HUGE.filename}"] = BODY
    path = fetch_checkpoint(HUGE, cache_dir=cache)
    assert path == cache / "checkpoints" / "hiera_huge_16x224.pth"
    assert path.read_bytes() == BODY
    assert expected_sha256(HUGE, path) == file_sha256(path)


def test_what_is_damaged_on_the_hub_is_the_official_pickle(hub_server: Server, cache: Path) -> None:
    hub_server.add_repository(BASE.repository, BODY)
    hub_server.declared = "0" * 64
    hub_server.files[f"/{BASE.filename}"] = b"pickle"
    assert fetch_checkpoint(BASE, cache_dir=cache).read_bytes() == b"pickle"


@pytest.mark.parametrize("offline", [False, True])
def test_what_is_cached_needs_no_network(hub_server: Server, cache: Path, offline: bool) -> None:
    hub_server.add_repository(BASE.repository, BODY)
    hub_server.files[f"/{HUGE.filename}"] = BODY
    paths = [fetch_checkpoint(c, cache_dir=cache) for c in (BASE, HUGE)]
    hub_server.requests.clear()
    assert [fetch_checkpoint(c, cache_dir=cache, offline=offline) for c in (BASE, HUGE)] == paths
    assert [cached_checkpoint(c, cache_dir=cache) for c in (BASE, HUGE)] == paths
    assert hub_server.requests == []


def test_offline_never_asks(hub_server: Server, cache: Path) -> None:
    hub_server.add_repository(BASE.repository, BODY)
    with pytest.raises(WeightsError, match="offline") as caught:
        fetch_checkpoint(BASE, cache_dir=cache, offline=True)
    assert hub_server.requests == []
    assert str(cache) in caught.value.message
    assert "hiera models download hiera_base_16x224" in caught.value.hint
    assert "-m camera-motion" in caught.value.hint


def test_the_hubs_own_offline_switch_counts(
    hub_server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match="offline"):
        fetch_checkpoint(BASE, cache_dir=cache)
    assert hub_server.requests == []


def test_nowhere_names_both_sources_and_what_to_do(hub_server: Server, cache: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        fetch_checkpoint(BASE, cache_dir=cache)
    assert "no such repository" in caught.value.message
    assert "HTTP 404" in caught.value.message
    assert "\n" not in caught.value.message + caught.value.hint
    assert "hiera models download hiera_base_16x224" in caught.value.hint


def test_no_network_at_all_is_said_soon(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_sources(monkeypatch, "http://127.0.0.1:9")
    begun = time.monotonic()
    with pytest.raises(WeightsError, match="refused"):
        fetch_checkpoint(BASE, cache_dir=cache)
    assert time.monotonic() - begun < 15


def test_the_licence_is_said_at_the_first_download_only(
    hub_server: Server, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hub_server.add_repository(BASE.repository, BODY)
    logging.getLogger("hiera_cli").propagate = True
    for _ in range(2):
        fetch_checkpoint(BASE, cache_dir=cache)
    notices = [m for m in caplog.messages if "CC BY-NC 4.0" in m]
    assert len(notices) == 1


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HIERA_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "hiera"
    monkeypatch.setenv("HIERA_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    assert cache_folder(tmp_path / "flag") == tmp_path / "flag"


def test_a_read_only_cache_is_read(
    hub_server: Server, cache: Path, freeze: Callable[[Path], None]
) -> None:
    hub_server.add_repository(BASE.repository, BODY)
    hub_server.files[f"/{HUGE.filename}"] = BODY
    paths = [fetch_checkpoint(c, cache_dir=cache) for c in (BASE, HUGE)]
    freeze(cache)
    assert [fetch_checkpoint(c, cache_dir=cache) for c in (BASE, HUGE)] == paths
    assert [expected_sha256(c, p) for c, p in zip((BASE, HUGE), paths, strict=True)] == (
        [file_sha256(path) for path in paths]
    )


def test_a_read_only_cache_is_not_written(
    hub_server: Server, cache: Path, freeze: Callable[[Path], None]
) -> None:
    cache.mkdir()
    freeze(cache)
    hub_server.files[f"/{HUGE.filename}"] = BODY
    hub_server.add_repository(BASE.repository, BODY)
    for checkpoint in (BASE, HUGE):
        with pytest.raises(OutputError, match="cannot write") as caught:
            fetch_checkpoint(checkpoint, cache_dir=cache)
        assert "--cache-dir" in caught.value.hint
