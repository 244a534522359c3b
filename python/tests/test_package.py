"""The package as a whole: what can be imported, what it is documented to be, its pages."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import stratalog
from stratalog import _errors, _stratalog

ROOT = Path(__file__).parents[2]


def test_everything_can_be_imported() -> None:
    for name in stratalog.__all__:
        assert hasattr(stratalog, name)
    assert set(_errors.__all__) <= set(stratalog.__all__)
    assert stratalog.__version__ == _stratalog.__version__


def test_errors_form_one_tree() -> None:
    tree = {
        "StratalogError": ["Exception"],
        "NotFound": ["StratalogError", "LookupError"],
        "RunNotFound": ["NotFound"],
        "RegionNotFound": ["NotFound"],
        "UnitNotFound": ["NotFound"],
        "ModelNotFound": ["NotFound"],
        "ScenarioNotFound": ["NotFound"],
        "VariableNotFound": ["NotFound"],
        "CheckpointNotFound": ["NotFound"],
        "TransactionNotFound": ["NotFound"],
        "StateCompacted": ["NotFound"],
        "NoDefaultVersion": ["NotFound"],
        "AlreadyExists": ["StratalogError"],
        "InUse": ["StratalogError"],
        "InvalidInput": ["StratalogError", "ValueError"],
        "InvalidFrame": ["InvalidInput"],
        "UnknownNames": ["InvalidInput"],
        "InvalidName": ["InvalidInput"],
        "InvalidFilter": ["InvalidInput"],
        "InvalidLease": ["InvalidInput"],
        "ImportRefused": ["InvalidInput"],
        "LockError": ["StratalogError"],
        "RunIsLocked": ["LockError"],
        "RunLockRequired": ["LockError"],
        "LockLost": ["LockError"],
        "LockTokenMismatch": ["LockError"],
        "NestedTransact": ["LockError"],
        "RevertNeedsRedacted": ["StratalogError"],
        "ReadOnlyView": ["StratalogError"],
        "RevertNeedsMissing": ["StratalogError"],
        "UndoOverlaps": ["StratalogError"],
        "SchemaError": ["StratalogError"],
        "SchemaOutdated": ["SchemaError"],
        "SchemaTooNew": ["SchemaError"],
        "InvalidUrl": ["StratalogError", "ValueError"],
        "FileError": ["StratalogError"],
        "ChangeLogRefused": ["StratalogError"],
        "ChangeLogBroken": ["StratalogError"],
        "DatabaseError": ["StratalogError"],
        "Busy": ["DatabaseError"],
        "ConnectionFailed": ["DatabaseError"],
        "CommitUnknown": ["DatabaseError"],
        "StorageFailed": ["DatabaseError"],
        "DiskFull": ["StorageFailed"],
        "MigrationFailed": ["DatabaseError"],
    }
    found = {
        name: [base.__name__ for base in getattr(stratalog, name).__bases__]
        for name in _errors.__all__
    }
    assert found == tree
    for name in tree:
        assert getattr(stratalog, name).__module__ == "stratalog"
        assert getattr(stratalog, name).__doc__


def test_errors_that_the_bindings_raise_exist() -> None:
    source = (ROOT / "python/src/error.rs").read_text()
    table = source[source.index("fn exception_of") :]
    names = set(re.findall(r'"([A-Z]\w+)"', table))
    assert len(names) > 20
    assert names <= set(_errors.__all__)
    for path in (ROOT / "python/src").glob("*.rs"):
        assert set(re.findall(r'Failure::named\(\s*"(\w+)"', path.read_text())) <= set(
            _errors.__all__
        )


def test_the_stub_says_what_help_says() -> None:
    def compare(node: ast.ClassDef | ast.Module, runtime: object) -> None:
        seen: set[str] = set()
        for item in node.body:
            if not isinstance(item, ast.ClassDef | ast.FunctionDef) or item.name.startswith(
                "_Arrow"
            ):
                continue
            documented = getattr(runtime, item.name)
            stub = ast.get_docstring(item)
            if stub is None and item.name in seen:
                continue  # a further overload
            seen.add(item.name)
            if stub is not None or not item.name.startswith("__"):
                assert stub == inspect.getdoc(documented), f"{item.name}: stub and runtime differ"
            if isinstance(item, ast.ClassDef):
                compare(item, documented)

    stub = Path(_stratalog.__file__).with_name("_stratalog.pyi").read_text()
    compare(ast.parse(stub), _stratalog)


def test_importing_the_package_imports_neither_pandas_nor_pyarrow() -> None:
    code = """
import sys, stratalog
platform = stratalog.Platform(":memory:")
platform.regions.create("World")
platform.runs.create("m", "s").checkpoints.list()
assert not {"pandas", "pyarrow", "numpy", "polars"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
