//! What a cell holds, and how it reads as a number, a year or a moment: exactly, or not at all.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

/// A cell. CSV has text only; workbooks know numbers and dates.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    Empty,
    Text(&'a str),
    Number(f64),
    /// Microseconds since 1970 (UTC); workbooks know no zones.
    Moment(i64),
    /// What no column takes, as the file shows it: `TRUE`, `#DIV/0!`.
    Other(String),
}

/// A point's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Time {
    Year(i64),
    /// Microseconds since 1970 (UTC).
    Moment(i64),
}

/// A moment as text has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) micros: i64,
    pub(super) has_zone: bool,
}

/// What is wrong with a cell: "Value is empty", read after the column's name.
pub(super) type Wrong = &'static str;

pub(super) const EMPTY: Wrong = "is empty";
const NOT_A_NUMBER: Wrong = "is not a number";
const NOT_A_YEAR: Wrong = "is not a year";
const NOT_A_MOMENT: Wrong = "is not a date and time (write 2030-06-17 or 2030-06-17 12:00:00)";
const NANOSECONDS: Wrong = "has nanoseconds, which do not fit (microseconds do)";

impl<'a> Cell<'a> {
    pub(super) fn text(text: &'a str) -> Self {
        if text.is_empty() {
            Self::Empty
        } else {
            Self::Text(text)
        }
    }

    /// Nothing but blanks.
    pub(super) fn is_blank(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Text(text) => text.trim().is_empty(),
            _ => false,
        }
    }

    /// As a message shows it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => super::problems::shown(text),
            Self::Number(number) => number.to_string(),
            Self::Moment(micros) => DateTime::from_timestamp_micros(*micros).map_or_else(
                || micros.to_string(),
                |moment| moment.naive_utc().to_string(),
            ),
            Self::Other(text) => text.clone(),
        }
    }

    /// A finite number; `None` where nothing is.
    pub(super) fn number(&self) -> Result<Option<f64>, Wrong> {
        match self {
            _ if self.is_blank() => Ok(None),
            Self::Number(number) if number.is_finite() => Ok(Some(*number)),
            Self::Text(text) => number(text.trim()).map(Some),
            Self::Moment(_) => Err("is a date where a number should be"),
            _ => Err(NOT_A_NUMBER),
        }
    }

    /// A whole number that an id, a version or a year can be; `None` where nothing is.
    pub(super) fn integer(&self) -> Result<Option<i64>, Wrong> {
        match self {
            _ if self.is_blank() => Ok(None),
            Self::Number(number) => whole(*number).map(Some).ok_or("is not a whole number"),
            Self::Text(text) => integer(text.trim())
                .map(Some)
                .ok_or("is not a whole number"),
            _ => Err("is not a whole number"),
        }
    }

    /// A year; `None` where nothing is.
    pub(super) fn year(&self) -> Result<Option<Time>, Wrong> {
        self.integer()
            .map(|year| year.map(Time::Year))
            .map_err(|_| NOT_A_YEAR)
    }

    /// A moment; `None` where nothing is.
    pub(super) fn moment(&self) -> Result<Option<Moment>, Wrong> {
        match self {
            _ if self.is_blank() => Ok(None),
            Self::Moment(micros) => Ok(Some(Moment {
                micros: *micros,
                has_zone: false,
            })),
            Self::Text(text) => moment(text.trim()).map(Some),
            _ => Err(NOT_A_MOMENT),
        }
    }

    /// A name, letter by letter. A number in a workbook is taken as its digits; `None` where nothing is.
    pub(super) fn name(&self) -> Result<Option<std::borrow::Cow<'a, str>>, Wrong> {
        match self {
            Self::Empty => Ok(None),
            Self::Text(text) if text.trim() != *text => Err("begins or ends with a blank"),
            Self::Text(text) if text.contains('\0') => Err("has a NUL in it"),
            Self::Text(text) => Ok(Some((*text).into())),
            Self::Number(number) => Ok(Some(number.to_string().into())),
            Self::Moment(_) => Err("is a date where a name should be"),
            Self::Other(_) => Err("is not text"),
        }
    }
}

fn number(text: &str) -> Result<f64, Wrong> {
    let Ok(number) = text.parse::<f64>() else {
        let with_point = text.replace(',', ".");
        return Err(if with_point != text && with_point.parse::<f64>().is_ok() {
            "has a decimal comma (write a point, and no thousands separators)"
        } else {
            NOT_A_NUMBER
        });
    };
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    if number.is_finite() {
        let lost = number == 0.0 && mantissa.contains(|digit| ('1'..='9').contains(&digit));
        return if lost {
            Err("is too small for a 64-bit float")
        } else {
            Ok(number)
        };
    }
    Err(
        if mantissa.contains(|character: char| character.is_ascii_digit()) {
            "is too large for a 64-bit float"
        } else {
            "is not a finite number (for no point, leave the cell of a wide file empty)"
        },
    )
}

/// "2030", and "2030.0" as programs write it that keep integers as floats.
fn integer(text: &str) -> Option<i64> {
    text.parse()
        .ok()
        .or_else(|| text.strip_suffix(".0")?.parse().ok())
}

/// Floats hold integers exactly up to 2^53.
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
}

const DATE: &str = "%Y-%m-%d";
const NAIVE: [&str; 4] = [
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
];

/// ISO 8601: a date, or a date and time, with a zone or (without one) in UTC.
pub(super) fn moment(text: &str) -> Result<Moment, Wrong> {
    let aware = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_rfc3339(&text.replacen(' ', "T", 1)));
    let (moment, has_zone) = match aware {
        Ok(moment) => (moment.naive_utc(), true),
        Err(_) => (naive(text).ok_or(NOT_A_MOMENT)?, false),
    };
    let moment = moment.and_utc();
    if moment.timestamp_subsec_nanos() % 1_000 != 0 {
        return Err(NANOSECONDS);
    }
    Ok(Moment {
        micros: moment.timestamp_micros(),
        has_zone,
    })
}

fn naive(text: &str) -> Option<NaiveDateTime> {
    NAIVE
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .or_else(|| {
            NaiveDate::parse_from_str(text, DATE)
                .ok()?
                .and_hms_opt(0, 0, 0)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly() {
        for (text, expected) in [
            ("0.1", 0.1),
            ("-0", -0.0),
            ("-0.0", -0.0),
            (" 1e3 ", 1000.0),
            ("+5.", 5.0),
            (".5", 0.5),
            ("5e-324", 5e-324),
            ("1.7976931348623157e308", f64::MAX),
            ("41.76300000000001", 41.76300000000001),
            ("0e-999", 0.0),
        ] {
            let number = Cell::Text(text).number();
            assert_eq!(
                number.map(|n| n.map(f64::to_bits)),
                Ok(Some(expected.to_bits())),
                "{text}"
            );
        }
        assert_eq!(Cell::Text("  ").number(), Ok(None));
    }

    #[test]
    fn numbers_that_are_none_are_told_apart() {
        for (text, wrong) in [
            ("n/a", "is not a number"),
            ("1 000", "is not a number"),
            ("0x10", "is not a number"),
            ("12%", "is not a number"),
            (
                "1,5",
                "has a decimal comma (write a point, and no thousands separators)",
            ),
            ("1e999", "is too large for a 64-bit float"),
            ("1e-999", "is too small for a 64-bit float"),
            (
                "NaN",
                "is not a finite number (for no point, leave the cell of a wide file empty)",
            ),
            (
                "-inf",
                "is not a finite number (for no point, leave the cell of a wide file empty)",
            ),
        ] {
            assert_eq!(Cell::Text(text).number(), Err(wrong), "{text}");
        }
        assert!(Cell::Number(f64::NAN).number().is_err());
        assert!(Cell::Other("#N/A".into()).number().is_err());
        assert!(Cell::Moment(0).number().is_err());
    }

    #[test]
    fn years_are_whole() {
        for cell in [
            Cell::Text("2030"),
            Cell::Text(" 2030 "),
            Cell::Text("2030.0"),
            Cell::Number(2030.0),
        ] {
            assert_eq!(cell.year(), Ok(Some(Time::Year(2030))), "{cell:?}");
        }
        for cell in [
            Cell::Text("2030.5"),
            Cell::Text("soon"),
            Cell::Number(2030.5),
            Cell::Number(1e300),
        ] {
            assert!(cell.year().is_err(), "{cell:?}");
        }
    }

    #[test]
    fn moments_are_utc_unless_they_say_otherwise() {
        const NOON: i64 = 1_907_928_000_000_000;
        for (text, micros, has_zone) in [
            ("2030-06-17 12:00:00", NOON, false),
            ("2030-06-17T12:00", NOON, false),
            ("2030-06-17 12:00", NOON, false),
            ("2030-06-17", NOON - 12 * 3_600_000_000, false),
            ("2030-06-17T12:00:00Z", NOON, true),
            ("2030-06-17 14:00:00+02:00", NOON, true),
            ("2030-06-17 12:00:00.000001", NOON + 1, false),
        ] {
            assert_eq!(moment(text), Ok(Moment { micros, has_zone }), "{text}");
        }
        assert_eq!(moment("2030-06-17 12:00:00.000000001"), Err(NANOSECONDS));
        for text in ["17.06.2030", "06/17/2030", "2030-06", "2030-13-01", "2030"] {
            assert_eq!(moment(text), Err(NOT_A_MOMENT), "{text}");
        }
    }

    #[test]
    fn names_are_taken_letter_by_letter() {
        assert_eq!(Cell::Text("a b").name(), Ok(Some("a b".into())));
        assert_eq!(Cell::Number(2020.0).name(), Ok(Some("2020".into())));
        assert!(Cell::Text(" a").name().is_err());
        assert!(Cell::Text("a\0").name().is_err());
        assert!(Cell::Moment(0).name().is_err());
        assert_eq!(Cell::Empty.name(), Ok(None));
    }
}
