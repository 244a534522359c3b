"""Steps for test_ixmp4_install.py, each in a process of .venv-peer, where ixmp4 itself is, too."""

import importlib
import sys

import stratalog.ixmp4


def install() -> None:
    assert "ixmp4" not in sys.modules
    stratalog.ixmp4.install()
    import ixmp4
    from ixmp4.core.exceptions import NotFound
    from ixmp4.core.region import Region
    from ixmp4.data.iamc.datapoint.filter import FacadeDataPointFilter

    assert ixmp4.Platform is stratalog.ixmp4.Platform
    assert Region is stratalog.ixmp4.Region is ixmp4.core.Region
    assert issubclass(Region.NotFound, NotFound)
    assert FacadeDataPointFilter(region="World") == {"region": "World"}
    top, submodule = ixmp4, sys.modules["ixmp4.core.region"]
    stratalog.ixmp4.install()
    assert sys.modules["ixmp4"] is top and sys.modules["ixmp4.core.region"] is submodule
    try:
        importlib.import_module("ixmp4.server")
    except ModuleNotFoundError as error:
        assert error.name == "ixmp4.server"
    else:
        raise AssertionError("there is no server")


def uninstall() -> None:
    stratalog.ixmp4.uninstall()
    stratalog.ixmp4.install()
    import ixmp4 as swapped

    stratalog.ixmp4.uninstall()
    assert not any(name.partition(".")[0] == "ixmp4" for name in sys.modules)
    import ixmp4

    assert ixmp4 is not swapped and ixmp4.__file__ and ixmp4.core.region.__file__
    stratalog.ixmp4.uninstall()
    assert sys.modules["ixmp4"] is ixmp4


def too_late() -> None:
    import ixmp4

    try:
        stratalog.ixmp4.install()
    except ImportError as error:
        assert "imported already" in str(error) and "ixmp4" in str(error)
    else:
        raise AssertionError("not refused")
    assert sys.modules["ixmp4"] is ixmp4


def every_submodule() -> None:
    """What the swap has below a name, ixmp4 has there too."""
    from stratalog.ixmp4.swap import MODULES, TOP

    before_0_15 = {"data.abstract": {*TOP}, "core": {*TOP}}
    wrong = []
    for name, held in MODULES.items():
        if name == "data.abstract":
            continue
        module = importlib.import_module(f"ixmp4.{name}")
        for own in held.keys() - before_0_15.get(name, set()):
            if not (hasattr(module, own) or own.endswith("Model") or name.endswith("exceptions")):
                wrong.append(f"{name}.{own}")
    assert not wrong, wrong


def by_another_first_name() -> None:
    from stratalog.ixmp4.core.exceptions import RunIsLocked
    from stratalog.ixmp4.core.run import Run
    from stratalog.ixmp4.data.iamc.datapoint.type import Type

    from stratalog.ixmp4.transport import DirectTransport

    assert Run.IsLocked is RunIsLocked and Type.ANNUAL == "ANNUAL"
    assert DirectTransport.from_dsn("sqlite://:memory:").stratalog.engine == "sqlite"
    assert "ixmp4" not in sys.modules


if __name__ == "__main__":
    globals()[sys.argv[1]]()
