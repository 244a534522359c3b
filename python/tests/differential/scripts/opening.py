"""Opening platforms."""

from typing import Any


def connections(ixmp4: Any, dsn: str, see: Any) -> None:
    from ixmp4.data.backend import Backend
    from ixmp4.transport import DirectTransport

    transport = DirectTransport.from_dsn(dsn)
    see(lambda: str(transport).startswith("<DirectTransport "))
    by_transport = ixmp4.Platform(transport)
    see(lambda: by_transport.regions.create("World", "common"))
    by_backend = ixmp4.Platform(Backend(transport))
    see(lambda: by_backend.regions.list())
    see(lambda: by_backend.backend.transport is transport)
    see(lambda: ixmp4.Platform(3))
    see(lambda: DirectTransport.from_dsn("mysql://somewhere/else"))
    see(lambda: DirectTransport.from_dsn("sqlite:///{env:NO_SUCH_VARIABLE}"))
    see(lambda: ixmp4.Platform.NotFound.__name__)
    see(lambda: ixmp4.Platform.NotUnique.__name__)
    transport.close()


def top(ixmp4: Any, see: Any) -> None:
    see(lambda: ixmp4.__version__)
    see(lambda: ixmp4.__version_tuple__)
    see(lambda: ixmp4.core.optimization.IndexSet.__name__)
    see(lambda: ixmp4.iamc.DataPoint.__name__)
    see(lambda: ixmp4.optimization.Scalar.__name__)
    see(lambda: issubclass(ixmp4.NotFound, ixmp4.Ixmp4Error))
    see(lambda: ixmp4.NotFound("gone", 410, what="it").to_dict())
    see(lambda: ixmp4.Run.IsLocked().http_status_code)
    see(lambda: ixmp4.core.exceptions.ConstraintViolated().http_status_code)
