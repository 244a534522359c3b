"""ixmp4, as its documentation has it."""

import sys
import warnings

warnings.filterwarnings("ignore")

import work  # noqa: E402
from ixmp4 import Platform  # noqa: E402
from ixmp4.data.backend import Backend  # noqa: E402
from ixmp4.db import get_alembic_controller  # noqa: E402
from ixmp4.transport import DirectTransport  # noqa: E402


def main(url: str, rows: int) -> None:
    dsn = url.replace("postgresql://", "postgresql+psycopg://") if url.startswith("postgresql") else f"sqlite:///{url}"
    get_alembic_controller(dsn).upgrade_database("head")
    transport = DirectTransport.from_dsn(dsn)
    backend = Backend(transport)
    platform = Platform(backend)
    for region in work.regions:
        platform.regions.create(region, hierarchy="common")
    platform.units.create(work.UNIT)
    run = platform.runs.create("model", "scenario")

    def frame(factor: float = 1.0) -> object:
        return work.frame(rows, factor).rename(columns={"year": "step_year"})

    first, second = frame(), frame(1.5)

    def add(message: str, frame: object) -> None:
        with run.transact(message):
            run.iamc.add(frame, type="ANNUAL")

    def remove() -> None:
        with run.transact("nothing"):
            run.iamc.remove(first.drop(columns=["value"]), type="ANNUAL")

    before = work.peak()
    work.report("add", rows, [work.seconds(lambda: add("all", first))])
    work.report_memory(before)
    work.report("add again", rows, [work.seconds(lambda: add("all", first))])
    work.report("pandas", rows, [work.seconds(run.iamc.tabulate) for _ in range(3)])
    changes, reverts = [], []
    for nth in range(3):
        some = work.few(rows, 2.0 + nth).rename(columns={"year": "step_year"})
        changes.append(work.seconds(lambda some=some: add("few", some)))
        if url.startswith("postgresql"):
            # Without history there is nothing to go back to on SQLite.
            checkpoints = run.checkpoints.tabulate()
            state = int(checkpoints[checkpoints["message"] == "all"]["transaction__id"].max())

            def revert(state: int = state) -> None:
                with run.transact("revert"):
                    backend.runs.revert(run.id, state)

            reverts.append(work.seconds(revert))
    work.report("change 100", work.FEW, changes)
    if reverts:
        work.report("revert 100", work.FEW, reverts)
    work.report("update", rows, [work.seconds(lambda: add("other", second))])
    work.report("remove", rows, [work.seconds(remove)])
    transport.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
