"""What users write as "package.module:function"."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from harness.errors import ConfigError
from harness.support.functions import FunctionRef, is_reference, load_function, loaded_below, source_sha256


@pytest.fixture
def module(tmp_path, request):
    """Writes a module of the test's own name, so that no test meets another's in sys.modules."""
    name = f"mine_{abs(hash(request.node.nodeid))}"

    def write(text: str) -> FunctionRef:
        (tmp_path / f"{name}.py").write_text(text)
        return FunctionRef(f"{name}:double", tmp_path)

    yield write
    sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("text", "meant"),
    [("nets:tiny", True), ("a.b:c", True), ("model.keras", False), ("C:/model.keras", False), ("a:b:c", False),
     ("nets:", False), (":tiny", False), ("my nets:tiny", False)],
)  # fmt: skip
def test_a_reference_is_told_from_a_path(text, meant):
    assert is_reference(text) is meant


def test_the_function_is_found_beside_the_experiment(module):
    ref = module("def double(x):\n    return 2 * x\n")
    assert load_function(ref)(21) == 42
    assert str(ref.folder) not in sys.path


def test_no_module_and_no_function_are_told_apart(module, tmp_path):
    with pytest.raises(ConfigError, match="there is no module nowhere") as caught:
        load_function(FunctionRef("nowhere:double", tmp_path))
    assert "nowhere.py" in caught.value.advice
    with pytest.raises(ConfigError, match="has no function double"):
        load_function(module("treble = 3\n"))
    with pytest.raises(ConfigError, match="there is no module sys"):  # built in, and so no file whose hash could tell
        source_sha256(FunctionRef("sys:exit", tmp_path))


@pytest.mark.parametrize(
    ("text", "told"),
    [("import not_there\n", "needs not_there"), ("1 / 0\n", "ZeroDivisionError: division by zero"),
     ("def double(:\n", "SyntaxError")],
)  # fmt: skip
def test_what_a_module_needs_or_raises_is_told_in_its_words(module, text, told):
    with pytest.raises(ConfigError, match=told):
        load_function(module(text))


def test_the_hash_follows_the_module_and_its_neighbours(module, tmp_path):
    ref = module("def double(x):\n    return 2 * x\n")
    first = source_sha256(ref)
    assert source_sha256(ref) == first
    (tmp_path / "helper.py").write_text("FACTOR = 2\n")
    second = source_sha256(ref)
    module("def double(x):\n    return x + x\n")
    assert len({first, second, source_sha256(ref)}) == 3


IMPORTS = [
    "from lib.acts import act", "import lib.acts", "from lib import acts", "from lib.inner.deep import act",
    "import lib.reexported",
]  # fmt: skip


@pytest.mark.parametrize("statement", IMPORTS)
@pytest.mark.parametrize("where", ["{}\ndef double(x): ...\n", "def double(x):\n    {}\n"])
def test_the_hash_follows_what_the_module_imports_from_its_folder(module, tmp_path, statement, where):
    (tmp_path / "lib" / "inner").mkdir(parents=True)
    (tmp_path / "lib" / "acts.py").write_text("FACTOR = 2\n")
    (tmp_path / "lib" / "inner" / "deep.py").write_text("from ..acts import FACTOR as act\n")
    (tmp_path / "lib" / "reexported.py").write_text("from .acts import FACTOR\n")
    (tmp_path / "lib" / "unused.py").write_text("1\n")
    ref = module(where.format(statement))
    first = source_sha256(ref)
    (tmp_path / "lib" / "unused.py").write_text("2\n")
    assert source_sha256(ref) == first
    (tmp_path / "lib" / "acts.py").write_text("FACTOR = 3\n")
    assert source_sha256(ref) != first


def test_modules_that_import_each_other_and_ones_that_cannot_be_read_end_it_nowhere(module, tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "one.py").write_text("import lib.two, lib.broken\n")
    (tmp_path / "lib" / "two.py").write_text("import lib.one, json, numpy\n")
    (tmp_path / "lib" / "broken.py").write_text("def (:\n")
    assert source_sha256(module("import lib.one\n"))


def test_modules_that_were_loaded_from_a_folder_but_not_those_installed_in_it(tmp_path, monkeypatch):
    inside, venv = tmp_path / "own.py", tmp_path / ".venv" / "lib" / "site-packages" / "installed.py"
    for name, file in (("own_of_test", inside), ("installed_of_test", venv)):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(__file__=str(file)))
    assert loaded_below(tmp_path) == [inside]
