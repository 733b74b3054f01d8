"""Every declared dependency is used, and every used one is declared."""

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# Distribution -> module, where the names differ.
MODULES = {
    "pillow": "PIL",
    "hiera-transformer": "hiera",
    "scikit-learn": "sklearn",
    "scikit-video": "skvideo",
    "huggingface-hub": "huggingface_hub",
    "umap-learn": "umap",
    "faiss-cpu": "faiss",
}
TOOLS = {
    "ruff",
    "mypy",
    "pandas-stubs",
    "pytest-timeout",
    "pytest-cov",
    "pytest-xdist",
}  # run, never imported
# Found by name, not imported by a statement: contenders of the benchmark, and what they need.
BY_NAME = {
    "torchcodec",
    "decord",
    "transformers",
    "hiera",
    "hiera_optim",
    "skvideo",
    "timm",
    "matplotlib",
}
BEHIND = {"timm", "onnxscript"}  # needed by another one


def module_of(requirement: str) -> str:
    name = re.split(r"[<>=!~\[; ]", requirement, maxsplit=1)[0].lower()
    return MODULES.get(name, name.replace("-", "_"))


def imported_by(folder: str) -> set[str]:
    names = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"hiera_cli", "tests"}


EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
REQUIRED = {module_of(r) for r in PROJECT["dependencies"]}
OPTIONAL = {
    module_of(r)
    for name, rs in EXTRAS.items()
    if name != "test"
    for r in rs
    if "hiera-cli[" not in r
}
TEST = {module_of(r) for r in EXTRAS["test"] if "hiera-cli[" not in r} - TOOLS


def test_what_the_package_imports_is_declared() -> None:
    assert imported_by("hiera_cli") - BY_NAME <= REQUIRED | OPTIONAL


def test_what_the_tests_import_is_declared() -> None:
    assert imported_by("tests") - BY_NAME <= REQUIRED | OPTIONAL | TEST


def test_what_is_declared_is_used() -> None:
    used = imported_by("hiera_cli")
    assert used >= REQUIRED
    assert used >= OPTIONAL - BEHIND
    assert used | imported_by("tests") >= TEST - BEHIND - BY_NAME - {
        module_of(tool) for tool in TOOLS
    }
