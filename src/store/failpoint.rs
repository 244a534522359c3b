//! Points at which the tests kill the process or let a step fail; nothing in an ordinary build.

/// `what` is a step of the library, `point` a place in it; tests name it `what:point`. With the action
/// `return` the point fails as a database would.
#[cfg(feature = "failpoints")]
pub(crate) fn reach(what: &str, point: &str) -> crate::error::Result<()> {
    fail::fail_point!(format!("{what}:{point}").as_str(), |_| Err(
        crate::error::Error::Database {
            doing: format!("{what}:{point}"),
            source: diesel::result::Error::RollbackTransaction,
        }
    ));
    Ok(())
}

#[cfg(not(feature = "failpoints"))]
pub(crate) fn reach(_what: &str, _point: &str) -> crate::error::Result<()> {
    Ok(())
}
