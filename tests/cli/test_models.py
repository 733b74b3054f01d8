import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkpoints.server import Server, serving

BODY = b"not really weights" * 1000


def hiera(*arguments: str, url: str = "http://127.0.0.1:9") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"HF_ENDPOINT": url, "HIERA_CHECKPOINT_URL": url}
    environment.pop("HF_HUB_OFFLINE", None)
    return subprocess.run(
        [sys.executable, "-m", "hiera_cli", "models", *arguments],
        capture_output=True,
        text=True,
        env=environment,
    )


def test_list(tmp_path: Path) -> None:
    result = hiera("list", "--cache-dir", str(tmp_path), "-f", "json")
    assert (result.returncode, result.stderr) == (0, "")
    records = {record["name"]: record for record in json.loads(result.stdout)}
    assert len([name for name in records if name.startswith("hiera_")]) == 20
    base = records["hiera_base_16x224.mae_k400_ft_k400"]
    assert (base["top1"], base["gflops"], base["parameters_millions"]) == (84.0, 102, 51)
    assert (base["licence"], base["num_classes"], base["path"]) == ("CC BY-NC 4.0", 400, None)


def test_list_as_a_table_and_csv(tmp_path: Path) -> None:
    table = hiera("list", "--cache-dir", str(tmp_path))
    assert "hiera_huge_16x224.mae_k400_ft_k400" in table.stdout
    assert "top-1 87.8" in table.stdout
    rows = hiera("list", "--cache-dir", str(tmp_path), "-f", "csv").stdout.splitlines()
    assert rows[0].startswith("name,kind,num_classes")


def test_show(tmp_path: Path) -> None:
    result = hiera("show", "hiera_large_16x224", "--cache-dir", str(tmp_path), "-f", "json")
    (record,) = json.loads(result.stdout)
    assert record["config"]["embed_dim"] == 144
    assert record["preprocessing"]["num_frames"] == 16
    assert (len(record["labels"]), record["labels"][125]) == (400, "feeding goats")
    text = hiera("show", "hiera_large_16x224.mae_k400", "--cache-dir", str(tmp_path)).stdout
    assert "CC BY-NC 4.0" in text
    assert "abseiling" not in text


@pytest.mark.parametrize("command", ["show", "download", "verify"])
def test_an_unknown_name_is_a_usage_error(command: str, tmp_path: Path) -> None:
    result = hiera(command, "hiera_bse_16x224", "--cache-dir", str(tmp_path))
    assert (result.returncode, result.stdout) == (2, "")
    assert "did you mean" in result.stderr
    assert "Traceback" not in result.stderr


def test_download_without_a_network(tmp_path: Path) -> None:
    for more in ([], ["--offline"]):
        result = hiera("download", "hiera_base_16x224", "--cache-dir", str(tmp_path), *more)
        assert (result.returncode, result.stdout) == (5, "")
        assert "hiera models download hiera_base_16x224" in result.stderr
        assert "camera-motion" in result.stderr
        assert "Traceback" not in result.stderr


def test_download_then_verify_then_damage(tmp_path: Path) -> None:
    where = ["--cache-dir", str(tmp_path)]
    with serving() as server:
        server.files["/hiera_tiny_224.pth"] = BODY
        result = hiera("download", "hiera_tiny_224", *where, url=server.url)
        assert result.returncode == 0
        path = Path(result.stdout.strip())
        assert path.read_bytes() == BODY
        assert "CC BY-NC 4.0" in result.stderr
        assert hiera("download", "hiera_tiny_224", *where, "--offline").stdout == result.stdout
    records = json.loads(hiera("list", *where, "-f", "json").stdout)
    assert [r["path"] for r in records if r["name"] == "hiera_tiny_224.mae_in1k_ft_in1k"] == [
        str(path)
    ]
    result = hiera("verify", "hiera_tiny_224", *where, "-f", "json")
    (record,) = json.loads(result.stdout)
    assert result.returncode == 5  # whole, but no weights
    assert record["sha256"] == record["expected_sha256"]
    assert "not a PyTorch file" in record["problem"] or "damaged" in record["problem"]
    path.write_bytes(BODY[:-1])
    result = hiera("verify", "hiera_tiny_224", *where)
    assert result.returncode == 5
    assert "DAMAGED: the file is not what was downloaded" in result.stdout


def test_two_processes_download_the_same_weights(tmp_path: Path) -> None:
    with serving() as server:
        server.add_repository("facebook/hiera_tiny_224.mae_in1k_ft_in1k", BODY)
        outputs = download_twice(server, tmp_path)
    assert len(set(outputs)) == 1
    assert Path(outputs[0].strip()).read_bytes() == BODY


def download_twice(server: Server, cache: Path) -> list[str]:
    command = [sys.executable, "-m", "hiera_cli", "models", "download", "hiera_tiny_224"]
    environment = os.environ | {"HF_ENDPOINT": server.url, "HIERA_CHECKPOINT_URL": server.url}
    processes = [
        subprocess.Popen(
            [*command, "--cache-dir", str(cache)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    return outputs


def test_verify_what_is_not_there(tmp_path: Path) -> None:
    result = hiera("verify", "hiera_tiny_224", "--cache-dir", str(tmp_path))
    assert (result.returncode, result.stdout) == (5, "")
    assert "hiera models download hiera_tiny_224" in result.stderr
