//! What protects the data on PostgreSQL: the connected role, the triggers and functions, their owner.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Text};

use crate::doctor::{Finding, some_of};
use crate::schema::TableDescription;
use crate::store::postgres::objects::{Objects, Trigger};
use crate::store::postgres::privileges::{self, BEGIN, TablePrivileges};
use crate::store::postgres::{rights, roles};

const OLDEST: i32 = 130_000;

const USE_ROLES: &str = "`stratalog migrate URL --owner-role OWNER --app-role APP` makes an owner and an app role; \
     then connect as a role that is a member of APP only: CREATE ROLE you LOGIN IN ROLE APP";

const REPAIR: &str = "somebody has changed the guards: look with `stratalog verify` whether the data still agrees with \
     the log; restore what is named here from a backup or from a new database";

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Text)]
    answer: String,
}

pub(crate) fn examine(
    connection: &mut PgConnection,
    versioned: &[TableDescription],
) -> QueryResult<Vec<Finding>> {
    let objects = Objects::of_platform(versioned);
    let entries = privileges::of_platform(versioned);
    let tables: Vec<_> = entries.iter().map(|entry| entry.table.as_str()).collect();
    Ok(vec![
        server(connection)?,
        role(connection, &entries)?,
        owner(connection, &tables, &objects)?,
        triggers(connection, &tables, &objects)?,
        functions(connection, &objects)?,
        stamps(connection)?,
    ])
}

fn ask(connection: &mut PgConnection, question: &str) -> QueryResult<String> {
    let answer: Answer =
        diesel::sql_query(format!("SELECT ({question})::text AS answer")).get_result(connection)?;
    Ok(answer.answer)
}

fn server(connection: &mut PgConnection) -> QueryResult<Finding> {
    let shown = ask(connection, "current_setting('server_version')")?;
    let what = format!("PostgreSQL {shown}");
    Ok(if roles::server_version(connection)? >= OLDEST {
        Finding::ok("server", what)
    } else {
        Finding::problem("server", what, "use PostgreSQL 13 or newer")
    })
}

/// The session's role counts, not the one that it has become: RESET ROLE leads back to it.
fn role(connection: &mut PgConnection, entries: &[TablePrivileges]) -> QueryResult<Finding> {
    let role = ask(connection, "session_user")?;
    let excess = rights::excess(connection, &role, entries)?;
    if !excess.is_empty() {
        return Ok(Finding::problem(
            "role",
            format!(
                "{role} is over-privileged, it could change history: it {}",
                excess.join("; it ")
            ),
            USE_ROLES,
        ));
    }
    let lacking = rights::cannot_write(connection, &role, entries)?;
    Ok(if lacking.is_empty() {
        Finding::ok(
            "role",
            format!("{role} can write data and cannot change history"),
        )
    } else {
        Finding::note(
            "role",
            format!(
                "{role} cannot change history, and cannot write all data either: {}",
                some_of(&lacking)
            ),
            "to write it must be a member of the app role",
        )
    })
}

#[derive(QueryableByName)]
struct Owned {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    owner: String,
}

/// Functions run with their owner's rights: all must be the same one's.
fn owner(
    connection: &mut PgConnection,
    tables: &[&str],
    objects: &Objects,
) -> QueryResult<Finding> {
    let functions: Vec<_> = objects.functions.iter().map(|f| f.name.as_str()).collect();
    let owner = ask(
        connection,
        "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = to_regclass('datapoints')",
    )?;
    let owned: Vec<Owned> = diesel::sql_query(
        "SELECT relname::text AS name, pg_get_userbyid(relowner)::text AS owner FROM pg_class
          WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND relname = ANY ($1)
         UNION ALL
         SELECT proname::text, pg_get_userbyid(proowner)::text FROM pg_proc
          WHERE pronamespace = current_schema()::regnamespace AND proname = ANY ($2)
          ORDER BY 1",
    )
    .bind::<Array<Text>, _>(tables)
    .bind::<Array<Text>, _>(functions)
    .load(connection)?;
    let others: Vec<_> = owned
        .into_iter()
        .filter(|found| found.owner != owner)
        .map(|found| format!("{} of {}", found.name, found.owner))
        .collect();
    Ok(if others.is_empty() {
        Finding::ok(
            "owner",
            format!("all tables and functions belong to {owner}"),
        )
    } else {
        Finding::problem(
            "owner",
            format!("not all belongs to {owner}: {}", some_of(&others)),
            "give all of it to one role, with `stratalog migrate URL --owner-role OWNER --app-role APP`",
        )
    })
}

#[derive(QueryableByName)]
struct FoundTrigger {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    function: String,
    #[diesel(sql_type = Bool)]
    always: bool,
}

fn triggers(
    connection: &mut PgConnection,
    tables: &[&str],
    objects: &Objects,
) -> QueryResult<Finding> {
    // Rewrite rules and row security come before triggers; rows of an heir are seen without firing any.
    let found: Vec<FoundTrigger> = diesel::sql_query(
        "SELECT c.relname::text AS table_name, t.tgname::text AS name, p.proname::text AS function, t.tgenabled = 'A' AS always
           FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
          WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace AND c.relname = ANY ($1)
         UNION ALL
         SELECT tablename::text, rulename::text, 'a rewrite rule', false FROM pg_rules
          WHERE schemaname = current_schema() AND tablename = ANY ($1)
         UNION ALL
         SELECT relname::text, 'row level security', '', false FROM pg_class
          WHERE relnamespace = current_schema()::regnamespace AND relname = ANY ($1) AND relrowsecurity
         UNION ALL
         SELECT c.relname::text, 'its heir ' || i.inhrelid::regclass::text, '', false
           FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhparent
          WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND c.relname = ANY ($1)
          ORDER BY 1, 2",
    )
    .bind::<Array<Text>, _>(tables)
    .load(connection)?;
    let mut there: BTreeMap<Trigger, bool> = found
        .into_iter()
        .map(|row| {
            let trigger = Trigger {
                table: row.table_name,
                name: row.name,
                function: row.function,
            };
            (trigger, row.always)
        })
        .collect();
    let mut wrong = Vec::new();
    for trigger in &objects.triggers {
        match there.remove(trigger) {
            Some(true) => {}
            Some(false) => wrong.push(format!(
                "{} of {} is not enabled always",
                trigger.name, trigger.table
            )),
            None => wrong.push(format!("{} of {} is missing", trigger.name, trigger.table)),
        }
    }
    wrong.extend(
        there
            .keys()
            .map(|trigger| format!("{} of {} is not stratalog's", trigger.name, trigger.table)),
    );
    Ok(Finding::of_wrong(
        "triggers",
        &wrong,
        format!("all {} there and always enabled", objects.triggers.len()),
        REPAIR,
    ))
}

/// A transaction is believed to be running by the number that the server gave it. Those of another server,
/// which come along when a database is restored, can still be ahead here.
fn stamps(connection: &mut PgConnection) -> QueryResult<Finding> {
    const AHEAD: &str = "xact_id >= pg_snapshot_xmax(pg_current_snapshot())";
    let ahead = ask(
        connection,
        &format!("SELECT count(*) FROM transactions WHERE {AHEAD}"),
    )?;
    Ok(if ahead == "0" {
        Finding::ok("stamps", "no transaction could be taken for a running one")
    } else {
        Finding::problem(
            "stamps",
            format!(
                "{ahead} transaction{} from another server, as after a restore: a later transaction of this server \
                 could write into {}",
                if ahead == "1" { " is" } else { "s are" },
                if ahead == "1" { "it" } else { "them" },
            ),
            format!(
                "run as the tables' owner, while nobody writes: \
                 ALTER TABLE transactions DISABLE TRIGGER transactions_append_only; \
                 UPDATE transactions SET xact_id = '0' WHERE {AHEAD}; \
                 ALTER TABLE transactions ENABLE ALWAYS TRIGGER transactions_append_only"
            ),
        )
    })
}

#[derive(QueryableByName)]
struct FoundFunction {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    body: String,
    #[diesel(sql_type = Bool)]
    is_definer: bool,
    #[diesel(sql_type = Bool)]
    is_pinned: bool,
    #[diesel(sql_type = Bool)]
    is_public: bool,
}

fn functions(connection: &mut PgConnection, objects: &Objects) -> QueryResult<Finding> {
    let names: Vec<_> = objects.functions.iter().map(|f| f.name.as_str()).collect();
    let found: Vec<FoundFunction> = diesel::sql_query(
        "SELECT p.proname::text AS name, p.prosrc AS body, p.prosecdef AS is_definer,
                coalesce('search_path=' || quote_ident(current_schema()) || ', pg_temp' = ANY (p.proconfig), false) AS is_pinned,
                p.proacl IS NULL OR EXISTS (SELECT 1 FROM aclexplode(p.proacl) a WHERE a.grantee = 0) AS is_public
           FROM pg_proc p
          WHERE p.pronamespace = current_schema()::regnamespace AND p.proname = ANY ($1)",
    )
    .bind::<Array<Text>, _>(names)
    .load(connection)?;
    let mut wrong = Vec::new();
    for expected in &objects.functions {
        let mut same_name = found.iter().filter(|found| found.name == expected.name);
        match (same_name.next(), same_name.next()) {
            (None, _) => wrong.push(format!("{} is missing", expected.name)),
            (Some(_), Some(_)) => wrong.push(format!("{} is there twice", expected.name)),
            (Some(found), None)
                if found.body != expected.body
                    || found.is_definer != expected.is_definer
                    || (found.is_definer && !found.is_pinned) =>
            {
                wrong.push(format!("{} is another one", expected.name));
            }
            (Some(found), None) if found.is_public => wrong.push(format!(
                "{} may be called by everybody{}",
                expected.name,
                if expected.name == BEGIN {
                    ""
                } else {
                    ", and so write history from a trigger of his own"
                }
            )),
            (Some(_), None) => {}
        }
    }
    Ok(Finding::of_wrong(
        "functions",
        &wrong,
        format!("all {} as this program makes them", objects.functions.len()),
        REPAIR,
    ))
}
