//! Which points a command is about.

use crate::iamc::Filter;

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
}

impl Selection {
    pub(super) fn filter(&self) -> Filter {
        Filter {
            region: self.region.clone(),
            variable: self.variable.clone(),
            unit: self.unit.clone(),
            year: self.year.clone(),
        }
    }
}
