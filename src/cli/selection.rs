//! Which points a command is about.

use super::criterion::Criterion;
use crate::filter::Filter;

#[derive(clap::Args)]
#[command(next_help_heading = "Selection")]
pub(super) struct Selection {
    /// Only this region; may be repeated
    #[arg(long, value_name = "NAME")]
    region: Option<Vec<String>>,
    /// Only this variable; * stands for any text; may be repeated
    #[arg(long, value_name = "NAME")]
    variable: Option<Vec<String>>,
    /// Only this unit; may be repeated
    #[arg(long, value_name = "NAME")]
    unit: Option<Vec<String>>,
    /// Only these years
    #[arg(long, value_name = "YEAR", value_delimiter = ',')]
    year: Option<Vec<i64>>,
    /// Any other filter: year__gte=2030, subannual=winter, type=datetime, 'region={"hierarchy": "R5"}'; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    filter: Vec<Criterion>,
}

impl Selection {
    pub(super) fn filter(&self) -> Filter {
        let mut filter = Filter::all();
        if let Some(names) = &self.region {
            filter = filter.region(names);
        }
        if let Some(names) = &self.variable {
            filter = filter.variable(names);
        }
        if let Some(names) = &self.unit {
            filter = filter.unit(names);
        }
        if let Some(years) = &self.year {
            filter = filter.year(years.iter().copied());
        }
        Criterion::all(filter, &self.filter)
    }
}
