"""The floors and fences of the README's architecture picture, checked from the imports.

A file imports lower floors and its own, never in a circle; some neighbours never see each other.
"""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "hiera_cli"

FLOORS: list[set[str]] = [
    {"allocator", "errors", "options", "inputs"},
    {"model", "video"},
    {
        "checkpoints",
        "clips",
        "datasets",
        "loader",
        "prefetch",
        "synth",
        "tables",
        "threads",
        "weights",
        "zoo",
    },
    {"backend", "compiled", "device", "engine", "exports", "pipeline", "pixel_model"},
    {"tasks", "training", "extras"},
    {"report", "cli"},
    {"__main__"},
]

FENCES = {
    "av": ("video",),
    "pyarrow": ("tables", "datasets", "report"),
    "pandas": ("tables", "datasets", "report"),
    "typer": ("cli",),
    "rich": ("cli",),
    "ray": ("extras",),
    "onnx": ("extras",),
    "onnxruntime": ("extras",),
    "openvino": ("extras",),
}

SEPARATE = [("model", "video"), ("tasks", "training"), ("report", "cli")]


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor_of(module: str) -> int:
    for floor, names in enumerate(FLOORS):
        if module.partition(".")[0] in names:
            return floor
    raise AssertionError(f"{module} is on no floor: add it to the architecture")


def imports_of(path: Path) -> list[tuple[str, bool]]:
    """(module, whether at module level) of every import in a file, package-relative names."""
    tree = ast.parse(path.read_text())
    inner = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) not in inner) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            found.append((node.module, id(node) not in inner))
            found += [(f"{node.module}.{a.name}", id(node) not in inner) for a in node.names]
    return found


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
FILES = [(m, p) for m, p in MODULES.items() if p.name != "__init__.py"]


@pytest.mark.parametrize(("module", "path"), FILES, ids=[m for m, _ in FILES])
def test_imports_point_down(module: str, path: Path) -> None:
    floor = floor_of(module)
    for target, at_top in imports_of(path):
        name = target.removeprefix("hiera_cli.")
        if not target.startswith("hiera_cli.") or name not in MODULES:
            continue
        if name.startswith("extras") and not at_top:
            continue  # optional packages: anybody may call for them, inside a function
        assert floor_of(name) <= floor, f"{module} imports {name} from a higher floor"


@pytest.mark.parametrize(("module", "path"), FILES, ids=[m for m, _ in FILES])
def test_third_parties_stay_behind_their_fences(module: str, path: Path) -> None:
    for target, _ in imports_of(path):
        allowed = FENCES.get(target.partition(".")[0])
        if allowed is not None:
            assert module.startswith(allowed), f"{module} imports {target}"


@pytest.mark.parametrize(("one", "other"), SEPARATE + [pair[::-1] for pair in SEPARATE[:2]])
def test_neighbours_never_see_each_other(one: str, other: str) -> None:
    for module, path in FILES:
        if module.startswith(one + "."):
            for target, _ in imports_of(path):
                assert not target.startswith(f"hiera_cli.{other}"), f"{module} imports {target}"


def test_no_cycles() -> None:
    graph = {
        module: {
            target.removeprefix("hiera_cli.")
            for target, at_top in imports_of(path)
            if at_top and target.removeprefix("hiera_cli.") in MODULES
        }
        for module, path in FILES
    }
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, f"import cycle: {' -> '.join((*trail, module))}"
        if module not in done:
            for target in graph.get(module, set()):
                visit(target, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("path", MODULES.values(), ids=list(MODULES))
def test_every_file_says_what_it_owns(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring, f"{path} has no docstring"
    assert docstring.splitlines()[0].endswith((".", ":")) or "\n" in docstring


@pytest.mark.parametrize("name", ["utils", "common", "helpers", "base", "manager", "misc"])
def test_no_drawer_for_everything(name: str) -> None:
    assert not [m for m in MODULES if name in m.split(".")]


def test_help_needs_no_heavy_import() -> None:
    for module in ("cli.app", *(m for m in MODULES if m.startswith("cli."))):
        for target, at_top in imports_of(MODULES[module]):
            heavy = target.partition(".")[0] in {"torch", "av", "pandas", "pyarrow", "torchvision"}
            assert not (at_top and heavy), f"{module} imports {target} at module level"
