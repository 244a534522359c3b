"""Stratalog behind ixmp4's API, for code that was written for ixmp4 (0.17):

    import stratalog.ixmp4 as ixmp4

    platform = ixmp4.Platform("scenarios.db")

``platform.stratalog`` and ``run.stratalog`` are the same things as stratalog has them. For clients
that import ``ixmp4`` themselves:

    import stratalog.ixmp4

    stratalog.ixmp4.install()
    import pyam
"""

from stratalog.ixmp4.checkpoints import Checkpoint
from stratalog.ixmp4.exceptions import (
    InconsistentIamcType,
    InvalidCredentials,
    InvalidToken,
    Ixmp4Error,
    NotFound,
    NotUnique,
)
from stratalog.ixmp4.iamc import DataPoint
from stratalog.ixmp4.items import Equation, IndexSet, Parameter, Scalar, Table
from stratalog.ixmp4.items import Variable as OptimizationVariable
from stratalog.ixmp4.names import Model, Region, Scenario, Unit, Variable
from stratalog.ixmp4.platform import Platform
from stratalog.ixmp4.run import Run
from stratalog.ixmp4.swap import VERSION as __version__
from stratalog.ixmp4.swap import install, register, uninstall

__all__ = [
    "Checkpoint",
    "DataPoint",
    "Equation",
    "InconsistentIamcType",
    "IndexSet",
    "InvalidCredentials",
    "InvalidToken",
    "Ixmp4Error",
    "Model",
    "NotFound",
    "NotUnique",
    "OptimizationVariable",
    "Parameter",
    "Platform",
    "Region",
    "Run",
    "Scalar",
    "Scenario",
    "Table",
    "Unit",
    "Variable",
    "__version__",
    "install",
    "uninstall",
]

# `stratalog.ixmp4.core.region` and the like, for imports that were only given another first name.
register(__name__)
del register
