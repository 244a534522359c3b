//! Who made something and who changed it last.

use std::collections::HashMap;

use chrono::NaiveDateTime;
use stratalog::Audit;

use crate::frame::Columns;

/// The columns of it, for rows by what identifies them.
pub(crate) fn columns<K: Eq + std::hash::Hash>(
    columns: Columns,
    audits: &HashMap<K, Audit>,
    keys: &[K],
) -> Columns {
    let of = |key| audits.get(key);
    let micros = |time: Option<NaiveDateTime>| time.map(|time| time.and_utc().timestamp_micros());
    columns
        .moments(
            "created_at",
            keys.iter().map(|key| micros(of(key)?.created_at)),
        )
        .text(
            "created_by",
            keys.iter().map(|key| of(key)?.created_by.clone()),
        )
        .moments(
            "updated_at",
            keys.iter().map(|key| micros(of(key)?.updated_at)),
        )
        .text(
            "updated_by",
            keys.iter().map(|key| of(key)?.updated_by.clone()),
        )
}
