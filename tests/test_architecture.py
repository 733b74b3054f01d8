"""The floors and fences of the README's architecture picture, checked from the imports.

A file imports lower floors and its own, never in a circle; some neighbours never see each other.
"""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "hiera_cli"

# A module imports floors above its own in this list, and its own floor.
FLOORS = (
    ("archives", "errors", "files", "folders", "inputs", "machine", "options", "remote"),
    ("model", "video"),
    ("datasets",),
    ("tables",),
    ("checkpoints",),
    ("synth",),
    ("exports",),
    ("inference",),
    ("detection",),
    ("heads",),
    ("tasks", "training"),
    ("distributed",),
    ("report",),
    ("cli",),
    ("__main__",),
)

FENCES = {
    "av": ("video",),
    "pyarrow": ("archives", "tables", "datasets", "report"),
    "pandas": ("tables", "datasets", "report"),
    "typer": ("cli",),
    "rich": ("cli",),
    "ray": ("distributed",),
    "fsspec": ("remote",),
    "onnx": ("exports",),
    "onnxruntime": ("exports",),
    "openvino": ("exports",),
    "nncf": ("exports",),
    "pycocotools": ("detection",),
    "faiss": ("tasks",),
    "umap": ("tasks",),
}

# Neighbours on one floor, and the model and its data: neither ever imports the other.
SEPARATE = (("model", "video"), ("tasks", "training"))


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor_of(module: str) -> int:
    for floor, names in enumerate(FLOORS):
        if module.partition(".")[0] in names:
            return floor
    raise AssertionError(f"{module} is on no floor: add it to the architecture")


def imports_of(path: Path) -> set[str]:
    """Everything that a file imports, in functions and for types too, package-relative if ours.

    `from package import name` counts as `package.name` where that is a module, else as `package`.
    """
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            package = (node.module or "").removeprefix("hiera_cli.")
            members = {f"{package}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else package for name in members}
    return {name.removeprefix("hiera_cli.") for name in found}


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
FILES = [(m, p) for m, p in MODULES.items() if p.name != "__init__.py"]


def test_the_top_of_the_package_is_the_ground_floor() -> None:
    loose = {path.stem for path in PACKAGE.glob("*.py")}
    assert loose <= {*FLOORS[0], "__init__", "__main__"}


@pytest.mark.parametrize(("module", "path"), FILES, ids=[m for m, _ in FILES])
def test_imports_point_down(module: str, path: Path) -> None:
    for name in imports_of(path) & set(MODULES):
        assert floor_of(name) <= floor_of(module), f"{module} imports {name} from a higher floor"


@pytest.mark.parametrize(("module", "path"), FILES, ids=[m for m, _ in FILES])
def test_third_parties_stay_behind_their_fences(module: str, path: Path) -> None:
    for name in imports_of(path):
        rooms = FENCES.get(name.partition(".")[0])
        assert rooms is None or module.partition(".")[0] in rooms, f"{module} imports {name}"


@pytest.mark.parametrize("pair", SEPARATE, ids="|".join)
def test_neighbours_never_see_each_other(pair: tuple[str, str]) -> None:
    for module, path in FILES:
        room = module.partition(".")[0]
        if room in pair:
            other = pair[1 - pair.index(room)]
            seen = [name for name in imports_of(path) if name.partition(".")[0] == other]
            assert not seen, f"{module} imports {seen}"


def circles(graph: dict[str, set[str]]) -> list[tuple[str, ...]]:
    """Each way that leads back to where it began."""
    found: list[tuple[str, ...]] = []
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            found.append((*trail[trail.index(name) :], name))
        elif name not in done:
            for target in sorted(graph.get(name, ())):
                visit(target, (*trail, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())
    return found


def test_no_circle_of_files() -> None:
    assert not circles({module: imports_of(path) & set(MODULES) for module, path in FILES})


def test_no_circle_of_rooms() -> None:
    graph: dict[str, set[str]] = {}
    for module, path in FILES:
        room = module.rpartition(".")[0] or module
        targets = {name.rpartition(".")[0] or name for name in imports_of(path) & set(MODULES)}
        kin = {name for name in targets if f"{name}.".startswith(f"{room}.")}
        kin |= {name for name in targets if f"{room}.".startswith(f"{name}.")}
        graph.setdefault(room, set()).update(targets - kin)  # a room and its alcoves are one
    assert not circles(graph)


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == [("a", "b", "c", "a")]


@pytest.mark.parametrize("path", MODULES.values(), ids=list(MODULES))
def test_every_file_says_what_it_owns(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring, f"{path} has no docstring"
    assert docstring.splitlines()[0].endswith((".", ":")) or "\n" in docstring


@pytest.mark.parametrize("name", ["utils", "common", "helpers", "base", "manager", "misc"])
def test_no_drawer_for_everything(name: str) -> None:
    assert not [m for m in MODULES if name in m.split(".")]


def test_command_modules_import_nothing_heavy() -> None:
    heavy = {"torch", "av", "pandas", "pyarrow", "torchvision"}
    for module in (m for m in MODULES if m.startswith("cli.")):
        tree = ast.parse(MODULES[module].read_text())
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [a.name for a in node.names] + [getattr(node, "module", "") or ""]
                assert not heavy & {n.partition(".")[0] for n in names}, f"{module}: {names}"
