"""Write gapminder.csv, the demo's data in the wide IAMC format, from the table in plotly.

Run once, by hand, with plotly (see README.md for the version) installed:

    python python/demo/make_data.py

The figures are copied as text, so that no digit changes on the way.
"""

import csv
import gzip
from importlib.resources import files
from pathlib import Path

TARGET = Path(__file__).with_name("gapminder.csv")

# Column of plotly's table -> (variable, unit)
SERIES = {
    "pop": ("Population", "persons"),
    "lifeExp": ("Life Expectancy", "years"),
    "gdpPercap": ("GDP|PPP per Capita", "USD_2005/yr"),
}


def main() -> None:
    source = files("plotly") / "package_data" / "datasets" / "gapminder.csv.gz"
    rows = list(csv.DictReader(gzip.decompress(source.read_bytes()).decode().splitlines()))
    years = sorted({row["year"] for row in rows})
    figures = {(row["country"], row["year"]): row for row in rows}
    countries = sorted({row["country"] for row in rows})
    if len(figures) != len(rows) or len(rows) != len(countries) * len(years):
        raise SystemExit("the table is not one row per country and year")

    with TARGET.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["Model", "Scenario", "Region", "Variable", "Unit", *years])
        for country in countries:
            for column, (variable, unit) in SERIES.items():
                values = [figures[country, year][column] for year in years]
                writer.writerow(["Gapminder", "Historical", country, variable, unit, *values])
    points = len(countries) * len(SERIES) * len(years)
    print(f"{TARGET.name}: {len(countries)} countries, {len(years)} years, {points} points")


if __name__ == "__main__":
    main()
