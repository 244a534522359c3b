//! What a role could do to history, by itself or by becoming a role that it is a member of.

use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Nullable, Text};

use crate::store::postgres::privileges::{CHANGING, TablePrivileges};
use crate::store::postgres::roles::server_version;

/// The roles that `$1` is a member of, itself included: it may become each of them by SET ROLE.
const REACHABLE: &str =
    "WITH reachable AS (SELECT * FROM pg_roles WHERE pg_has_role($1, oid, 'MEMBER'))";

#[derive(QueryableByName)]
struct Facts {
    #[diesel(sql_type = Nullable<Text>)]
    superuser: Option<String>,
    #[diesel(sql_type = Text)]
    owner: String,
    #[diesel(sql_type = Bool)]
    is_owner: bool,
    #[diesel(sql_type = Text)]
    schema: String,
    #[diesel(sql_type = Bool)]
    owns_schema: bool,
    #[diesel(sql_type = Bool)]
    creates_in_schema: bool,
    #[diesel(sql_type = Bool)]
    makes_roles: bool,
    #[diesel(sql_type = Nullable<Text>)]
    runs_programs: Option<String>,
}

#[derive(QueryableByName)]
struct Held {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    privilege: String,
}

#[derive(QueryableByName)]
struct Yes {
    #[diesel(sql_type = Bool)]
    yes: bool,
}

/// What a role may do beyond what an app role may, as ends of a sentence that begins with the role.
pub(super) fn excess(
    connection: &mut PgConnection,
    role: &str,
    entries: &[TablePrivileges],
) -> QueryResult<Vec<String>> {
    let facts = facts(connection, role)?;
    if let Some(superuser) = facts.superuser {
        return Ok(vec![if superuser == role {
            "is a superuser, who may do anything".to_owned()
        } else {
            format!("is a member of {superuser}, a superuser, who may do anything")
        }]);
    }
    let mut found = Vec::new();
    if facts.is_owner {
        found.push(format!(
            "{} the tables: it may switch off triggers and change history",
            if facts.owner == role {
                "owns".to_owned()
            } else {
                format!("is a member of {}, which owns", facts.owner)
            }
        ));
    } else {
        found.extend(table_excess(connection, role, entries)?);
    }
    if facts.owns_schema {
        found.push(format!(
            "owns the schema {}: it may drop all that is in it",
            facts.schema
        ));
    } else if facts.creates_in_schema {
        found.push(format!("may create objects in the schema {}", facts.schema));
    }
    let version = server_version(connection)?;
    // Since 16 such a role may only give away roles that it is an ADMIN of, which counts as a member.
    if facts.makes_roles && version < 160_000 {
        found.push("may make roles, and make itself a member of others (CREATEROLE)".to_owned());
    }
    if let Some(powerful) = facts.runs_programs {
        found.push(format!(
            "is a member of {powerful}: it may become a superuser"
        ));
    }
    if version >= 150_000 && sets_replication_role(connection, role)? {
        found.push("may set session_replication_role, which switches foreign keys off".to_owned());
    }
    Ok(found)
}

fn facts(connection: &mut PgConnection, role: &str) -> QueryResult<Facts> {
    diesel::sql_query(format!(
        "{REACHABLE}
         SELECT (SELECT rolname::text FROM reachable WHERE rolsuper ORDER BY rolname <> $1, rolname LIMIT 1) AS superuser,
                pg_get_userbyid(c.relowner)::text AS owner,
                EXISTS (SELECT 1 FROM reachable r WHERE r.oid = c.relowner) AS is_owner,
                n.nspname::text AS schema,
                EXISTS (SELECT 1 FROM reachable r WHERE r.oid = n.nspowner) AS owns_schema,
                EXISTS (SELECT 1 FROM reachable r WHERE has_schema_privilege(r.oid, n.oid, 'CREATE')) AS creates_in_schema,
                EXISTS (SELECT 1 FROM reachable r WHERE r.rolcreaterole) AS makes_roles,
                (SELECT string_agg(rolname::text, ', ') FROM reachable
                  WHERE rolname IN ('pg_execute_server_program', 'pg_write_server_files')) AS runs_programs
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE c.oid = to_regclass('datapoints')"
    ))
    .bind::<Text, _>(role)
    .get_result(connection)
}

/// Every privilege to change one of the tables that the role has, or a role that it may become.
fn held(
    connection: &mut PgConnection,
    role: &str,
    entries: &[TablePrivileges],
) -> QueryResult<Vec<(String, String)>> {
    let tables: Vec<_> = entries.iter().map(|entry| entry.table.as_str()).collect();
    let rows: Vec<Held> = diesel::sql_query(format!(
        "{REACHABLE}
         SELECT c.relname::text AS table_name, p.privilege
           FROM unnest($2) WITH ORDINALITY t (name, position)
           JOIN pg_class c ON c.oid = to_regclass(quote_ident(t.name))
          CROSS JOIN unnest($3) WITH ORDINALITY p (privilege, position)
          WHERE EXISTS (SELECT 1 FROM reachable r WHERE has_table_privilege(r.oid, c.oid, p.privilege)
                    OR CASE WHEN p.privilege IN ('INSERT', 'UPDATE')
                            THEN has_any_column_privilege(r.oid, c.oid, p.privilege) END)
          ORDER BY t.position, p.position"
    ))
    .bind::<Text, _>(role)
    .bind::<Array<Text>, _>(tables)
    .bind::<Array<Text>, _>(CHANGING.to_vec())
    .load(connection)?;
    Ok(rows
        .into_iter()
        .map(|row| (row.table_name, row.privilege))
        .collect())
}

fn table_excess(
    connection: &mut PgConnection,
    role: &str,
    entries: &[TablePrivileges],
) -> QueryResult<Vec<String>> {
    let held = held(connection, role, entries)?;
    let mut found = Vec::new();
    for entry in entries {
        let too_much: Vec<_> = held
            .iter()
            .filter(|(table, privilege)| *table == entry.table && !entry.allows(privilege))
            .map(|(_, privilege)| privilege.as_str())
            .collect();
        if !too_much.is_empty() {
            found.push(format!("may {} on {}", too_much.join(", "), entry.table));
        }
    }
    Ok(found)
}

/// What the role lacks to write data: the tables.
pub(super) fn cannot_write(
    connection: &mut PgConnection,
    role: &str,
    entries: &[TablePrivileges],
) -> QueryResult<Vec<String>> {
    let held = held(connection, role, entries)?;
    let lacking = |entry: &&TablePrivileges| {
        CHANGING.iter().any(|privilege| {
            entry.allows(privilege)
                && !held
                    .iter()
                    .any(|(table, has)| *table == entry.table && has == privilege)
        })
    };
    Ok(entries
        .iter()
        .filter(lacking)
        .map(|entry| entry.table.clone())
        .collect())
}

fn sets_replication_role(connection: &mut PgConnection, role: &str) -> QueryResult<bool> {
    let answer: Yes = diesel::sql_query(format!(
        "{REACHABLE}
         SELECT EXISTS (SELECT 1 FROM reachable r
                         WHERE has_parameter_privilege(r.oid, 'session_replication_role', 'SET')) AS yes"
    ))
    .bind::<Text, _>(role)
    .get_result(connection)?;
    Ok(answer.yes)
}
