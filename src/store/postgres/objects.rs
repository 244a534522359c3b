//! The triggers and functions that a platform has, read from the SQL that makes them: that text is where
//! they are described, and a second list beside it could be wrong.

use crate::schema::TableDescription;
use crate::store::Engine;
use crate::store::postgres::ddl;

/// A trigger; all of ours fire always.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Trigger {
    pub(super) table: String,
    pub(super) name: String,
    pub(super) function: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    /// What stands between the `$$`, as `pg_proc.prosrc` has it.
    pub(super) body: String,
    /// Whether it runs with its owner's rights.
    pub(super) is_definer: bool,
}

/// What a platform with these versioned tables is made of, stratalog's own tables included.
pub(super) struct Objects {
    pub(super) triggers: Vec<Trigger>,
    pub(super) functions: Vec<Function>,
}

impl Objects {
    pub(super) fn of_platform(versioned: &[TableDescription]) -> Self {
        Self::in_text(&Engine::Postgres.schema_with(versioned))
    }

    pub(super) fn of_table(table: &TableDescription) -> Self {
        Self::in_text(&ddl::create_table(table))
    }

    fn in_text(text: &str) -> Self {
        Self {
            triggers: after_each(text, "CREATE TRIGGER ")
                .filter_map(trigger)
                .collect(),
            functions: after_each(text, "CREATE FUNCTION ")
                .filter_map(function)
                .collect(),
        }
    }
}

fn after_each<'a>(text: &'a str, keyword: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(keyword).skip(1)
}

/// The identifier at the begin of a text.
fn identifier(text: &str) -> String {
    text.trim_start_matches('"')
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect()
}

fn trigger(text: &str) -> Option<Trigger> {
    let (_, on) = text.split_once(" ON ")?;
    let (_, function) = text.split_once("EXECUTE FUNCTION ")?;
    Some(Trigger {
        table: identifier(on),
        name: identifier(text),
        function: identifier(function),
    })
}

fn function(text: &str) -> Option<Function> {
    let (head, rest) = text.split_once("AS $$")?;
    let (body, _) = rest.split_once("$$;")?;
    Some(Function {
        name: identifier(text),
        body: body.to_owned(),
        is_definer: head.contains("SECURITY DEFINER"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::tables;

    #[test]
    fn all_that_the_text_makes_is_found() {
        let text = crate::store::Engine::Postgres.initial_schema();
        let objects = Objects::of_platform(&tables::versioned());
        let count = |keyword| text.matches(keyword).count();
        assert_eq!(objects.triggers.len(), count("CREATE TRIGGER"));
        assert_eq!(objects.triggers.len(), count("ENABLE ALWAYS TRIGGER"));
        assert_eq!(objects.functions.len(), count("CREATE FUNCTION"));
        assert_eq!(
            objects.functions.iter().filter(|f| f.is_definer).count(),
            count("SECURITY DEFINER")
        );
        assert!(objects.triggers.contains(&Trigger {
            table: "datapoints".into(),
            name: "datapoints_guard_key".into(),
            function: "stratalog_refuse".into(),
        }));
        assert!(
            objects
                .functions
                .iter()
                .all(|f| !f.name.is_empty() && f.body.len() > 10)
        );
    }
}
