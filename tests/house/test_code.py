"""What the linter cannot say about our code."""

import ast
import re

import pytest

MAX_FILE = 300
MAX_FUNCTION = 40
COLUMNS = 79
TREES = ("lib", "tests", "benchmarks")
NAMES = re.compile(
    r"^_?(utils?|helpers?|common|misc)$|^Fast[A-Z]|V[2-9]$|^(ch|chapter_?)\d+$"
)
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
PICKLING = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve"}


def python_files(root, *trees):
    return [
        path for tree in trees for path in sorted((root / tree).rglob("*.py"))
    ]


def lines_of_file(source):
    """Count the lines that hold code: no docstring, comment, or blank."""
    told = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None
        for line in range(node.body[0].lineno, node.body[0].end_lineno + 1)
    }
    return sum(
        bool(line.strip()) and not line.lstrip().startswith("#")
        for number, line in enumerate(source.splitlines(), 1)
        if number not in told
    )


def long_file(source):
    length = lines_of_file(source)
    return [f" {length} lines of code"] if length > MAX_FILE else []


def lines_of_code(function):
    """Count from the def to the end; the docstring is not code."""
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        lines -= docstring.end_lineno - docstring.lineno + 1
    return lines


def long_functions(source):
    return [
        f"{node.lineno}: {node.name} has {length} lines"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := lines_of_code(node)) > MAX_FUNCTION
    ]


def bad_names(source):
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, kinds) and NAMES.search(node.name)
    ]


def unsafe_loads(source):
    found = []
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "").split(".")[0]]
        found += [
            f"{node.lineno}: {name}" for name in names if name in PICKLING
        ]
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ("eval", "exec", "torch.load", "yaml.load"):
                found.append(f"{node.lineno}: {called}")
            if any(k.arg == "allow_pickle" for k in node.keywords):
                found.append(f"{node.lineno}: allow_pickle")
    return found


def complaints(root, trees, check):
    return [
        f"{path.relative_to(root)}:{complaint}"
        for path in python_files(root, *trees)
        for complaint in check(path.read_text("utf8"))
    ]


def test_files_are_short(root):
    """A file that a reader cannot finish hides its second idea."""
    found = complaints(root, TREES, long_file)
    assert not found, "\n".join(found)


def test_functions_are_short(root):
    """A function longer than a screen does more than its name says."""
    found = complaints(root, TREES, long_functions)
    assert not found, "\n".join(found)


def test_lines_fit_the_printed_page(root):
    """ruff exempts long strings and URLs; the PDF does not."""

    def wide(source):
        lines = enumerate(source.splitlines(), 1)
        return [f"{n}" for n, line in lines if len(line) > COLUMNS]

    found = complaints(root, TREES, wide)
    assert not found, "\n".join(found)


def test_names_say_what_a_thing_is(root):
    """utils grows until nobody finds anything in it."""
    found = complaints(root, TREES, bad_names)
    assert not found, "\n".join(found)
    files = python_files(root, *TREES)
    stems = [path.stem.removeprefix("test_") for path in files]
    assert [stem for stem in stems if NAMES.search(stem)] == []


def test_nothing_is_unpickled_or_evaluated(root):
    """A weights file must not be able to run code."""
    found = complaints(root, ["lib"], unsafe_loads)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("check", "source"),
    [
        (long_file, "x = 1\n" * 301),
        (long_functions, "def f():\n" + "    x = 1\n" * 40),
        (bad_names, "class FastThing: ..."),
        (bad_names, "class ThingV2: ..."),
        (bad_names, "def helpers(): ..."),
        (unsafe_loads, "import pickle"),
        (unsafe_loads, "from joblib import load"),
        (unsafe_loads, "torch.load(path)"),
        (unsafe_loads, "eval(text)"),
        (unsafe_loads, "np.load(path, allow_pickle=True)"),
    ],
)
def test_the_rules_can_fail(check, source):
    """A rule that finds nothing in a bad sample guards nothing."""
    assert check(source)


def test_what_a_file_says_of_itself_is_not_code():
    """A file that was cut to fit lost its docstrings first."""
    source = '"""Say\n\nmore."""\n\n\ndef f():\n    """Say."""\n    # Why.\n'
    assert lines_of_file(f"{source}    return 1  # x\n") == 2


def test_model_eval_is_not_eval():
    """Switching a module to evaluation runs no text."""
    assert unsafe_loads("model.eval()") == []
