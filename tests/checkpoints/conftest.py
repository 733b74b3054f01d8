import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hiera_cli.checkpoints import transfer
from tests.checkpoints.server import Server, serving


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "PAUSE_SECONDS", 0.001)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as state:
        yield state


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and an environment that names no other."""
    for name in ("HIERA_CACHE", "HIERA_CHECKPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def freeze() -> Iterator[Callable[[Path], None]]:
    """Makes a folder read-only, for root as well."""
    frozen: list[Path] = []

    def freeze(folder: Path) -> None:
        frozen.append(folder)
        if os.geteuid() != 0:
            for path in (folder, *folder.rglob("*/")):
                path.chmod(0o500)
            return
        bind = ["mount", "--bind", folder, folder]
        if subprocess.run(bind, capture_output=True).returncode:
            frozen.clear()
            pytest.skip("root may write anywhere, and may not mount here")
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)

    yield freeze
    for folder in frozen:
        if os.geteuid() == 0:
            subprocess.run(["umount", folder], check=True)
        for path in (folder, *folder.rglob("*/")):
            path.chmod(0o700)


@pytest.fixture
def hub_server(server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server in the place of the Hub and of the official server, whichever is asked."""
    set_sources(monkeypatch, server.url)
    return server


def set_sources(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """What HF_ENDPOINT would do, had it been set before huggingface_hub was imported."""
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HIERA_CHECKPOINT_URL", url)
