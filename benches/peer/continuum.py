"""SQLAlchemy-Continuum: the same rows inserted and updated through a versioned class."""

import sys
from typing import ClassVar

import sqlalchemy as sa
import work
from sqlalchemy.orm import configure_mappers, declarative_base, sessionmaker
from sqlalchemy_continuum import make_versioned

make_versioned(user_cls=None)
Base = declarative_base()


class DataPoint(Base):
    __tablename__ = "datapoints"
    __versioned__: ClassVar[dict[str, object]] = {}

    region = sa.Column(sa.Text, primary_key=True)
    variable = sa.Column(sa.Text, primary_key=True)
    unit = sa.Column(sa.Text, primary_key=True)
    year = sa.Column(sa.BigInteger, primary_key=True, autoincrement=False)
    value = sa.Column(sa.Float, nullable=False)


def main(url: str, rows: int) -> None:
    dsn = url.replace("postgresql://", "postgresql+psycopg://")
    engine = sa.create_engine(dsn if dsn != url else f"sqlite:///{url}")
    configure_mappers()
    Base.metadata.create_all(engine)
    session = sessionmaker(engine)()
    records = work.frame(rows).to_dict("records")

    def add() -> None:
        session.add_all([DataPoint(**record) for record in records])
        session.commit()

    def update() -> None:
        for point in session.scalars(sa.select(DataPoint)):
            point.value = point.value * 1.5
        session.commit()

    before = work.peak()
    work.report("add", rows, [work.seconds(add)])
    work.report_memory(before)
    work.report("update", rows, [work.seconds(update)])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
