"""The cores that count, and freed memory that stays with the process."""

import os
import subprocess
import sys

import pytest

from hiera_cli.machine import usable_cores

SCRIPT = """
import resource, torch
from hiera_cli.machine import keep_freed_memory

def faults_of_ten():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.empty(2**24).fill_(1.0)  # 64 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults_of_ten()
before, changed = faults_of_ten(), keep_freed_memory()
faults_of_ten()
print(int(changed), before, faults_of_ten())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="no affinity to set")
def test_only_cores_that_may_be_used_count() -> None:
    allowed = os.sched_getaffinity(0)
    assert usable_cores() == len(allowed)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


@pytest.mark.skipif(sys.platform != "linux", reason="counts page faults as Linux does")
def test_large_tensors_come_from_memory_that_was_used_before() -> None:
    command = [sys.executable, "-c", SCRIPT]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    changed, before, after = map(int, result.stdout.split())
    if not changed:
        pytest.skip("not the GNU C library")
    assert after < before / 20
