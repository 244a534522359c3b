//! An owner role, which has the tables, and an app role, which uses the product and cannot change history.
//!
//! **Invariant:** after [`apply`] the app role has exactly the privileges that `privileges` lists, by
//! whatever way it could come to others; where that cannot be had, everything is rolled back.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Integer, Nullable, Text};

use crate::schema::{TableDescription, tables};
use crate::store::postgres::objects::Objects;
use crate::store::postgres::privileges::{self, BEGIN, TablePrivileges};
use crate::store::postgres::rights;
use crate::store::{named, quote};

/// The two roles, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Roles {
    pub(crate) owner: String,
    pub(crate) app: String,
}

/// Why roles could not be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RolesError {
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

type Result<T> = std::result::Result<T, RolesError>;

fn refuse<T>(problem: impl Into<String>) -> Result<T> {
    Err(RolesError::Refused(problem.into()))
}

/// A name that did not come from a description.
fn quote_any(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[derive(QueryableByName)]
struct Me {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Bool)]
    may_make_roles: bool,
    #[diesel(sql_type = Text)]
    schema: String,
}

#[derive(QueryableByName)]
struct Yes {
    #[diesel(sql_type = Bool)]
    yes: bool,
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct Description {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    description: String,
}

fn ask(connection: &mut PgConnection, question: &str, binds: [&str; 2]) -> QueryResult<bool> {
    let answer: Yes = diesel::sql_query(format!("SELECT {question} AS yes"))
        .bind::<Text, _>(binds[0])
        .bind::<Text, _>(binds[1])
        .get_result(connection)?;
    Ok(answer.yes)
}

fn me(connection: &mut PgConnection) -> QueryResult<Me> {
    diesel::sql_query(
        "SELECT current_user::text AS name, rolsuper OR rolcreaterole AS may_make_roles,
                current_schema()::text AS schema
           FROM pg_roles WHERE rolname = current_user",
    )
    .get_result(connection)
}

/// Makes the roles that are not there, and the connected one a member of the owner.
pub(crate) fn make(connection: &mut PgConnection, roles: &Roles) -> Result<()> {
    check_names(roles)?;
    let me = me(connection)?;
    make_roles(connection, roles, &me)
}

/// Gives the tables to the owner and the app role its privileges, in the running database transaction.
pub(crate) fn apply(connection: &mut PgConnection, roles: &Roles) -> Result<()> {
    let me = me(connection)?;
    // GRANT and REVOKE warn where nothing changes; libpq would print that.
    connection.batch_execute("SET LOCAL client_min_messages = error")?;
    let versioned = versioned_tables(connection)?;
    share_schema(connection, roles, &me)?;
    let entries = privileges::of_platform(&versioned);
    for entry in &entries {
        give_table(connection, roles, &me, entry)?;
    }
    give_functions(connection, roles, &Objects::of_platform(&versioned))?;
    let excess = rights::excess(connection, &roles.app, &entries)?;
    if !excess.is_empty() {
        return refuse(format!(
            "the role {} would be no app role: it {}. Take that from it first, or name another role",
            roles.app,
            excess.join("; it ")
        ));
    }
    Ok(())
}

fn check_names(roles: &Roles) -> Result<()> {
    for name in [&roles.owner, &roles.app] {
        if name.is_empty() || name.len() > 63 || name.contains('\0') {
            return refuse(format!(
                "{name:?} is no usable name of a role: 1 to 63 bytes"
            ));
        }
    }
    if roles.owner == roles.app {
        return refuse("the owner and the app role must be two roles: name another one");
    }
    Ok(())
}

fn make_roles(connection: &mut PgConnection, roles: &Roles, me: &Me) -> Result<()> {
    for name in [&roles.owner, &roles.app] {
        let there = ask(
            connection,
            "EXISTS (SELECT 1 FROM pg_roles WHERE rolname IN ($1, $2))",
            [name, name],
        )?;
        if !there && !me.may_make_roles {
            return refuse(format!(
                "there is no role {name}, and {} may not make roles: have somebody who may run \
                 CREATE ROLE {} NOLOGIN",
                me.name,
                quote_any(name)
            ));
        }
        if !there {
            connection.batch_execute(&format!("CREATE ROLE {} NOLOGIN", quote_any(name)))?;
        }
    }
    // Only members may give something to a role; and who migrates again must still own the tables then.
    if !ask(
        connection,
        "pg_has_role($1, $2, 'USAGE')",
        [&me.name, &roles.owner],
    )? {
        let granted = connection.batch_execute(&format!(
            "GRANT {} TO CURRENT_USER",
            quote_any(&roles.owner)
        ));
        if let Err(error) = granted {
            return refuse(format!(
                "{0} is not a member of {1} and may not become one ({error}): have somebody who may run \
                 GRANT {2} TO {3}",
                me.name,
                roles.owner,
                quote_any(&roles.owner),
                quote_any(&me.name)
            ));
        }
    }
    Ok(())
}

/// The schema stays whose it is: it may be shared. Nobody but the owner makes objects in it.
fn share_schema(connection: &mut PgConnection, roles: &Roles, me: &Me) -> Result<()> {
    let schema = quote_any(&me.schema);
    for (role, privilege) in [
        (&roles.owner, "USAGE"),
        (&roles.owner, "CREATE"),
        (&roles.app, "USAGE"),
    ] {
        if !ask(
            connection,
            &format!("has_schema_privilege($1, $2, '{privilege}')"),
            [role, &me.schema],
        )? {
            connection.batch_execute(&format!(
                "GRANT {privilege} ON SCHEMA {schema} TO {}",
                quote_any(role)
            ))?;
        }
    }
    connection.batch_execute(&format!(
        "REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {}",
        quote_any(&roles.app)
    ))?;
    let database: Name =
        diesel::sql_query("SELECT current_database()::text AS name").get_result(connection)?;
    // Rows on their way in go through temporary tables.
    for privilege in ["CONNECT", "TEMPORARY"] {
        if !ask(
            connection,
            &format!("has_database_privilege($1, $2, '{privilege}')"),
            [&roles.app, &database.name],
        )? {
            connection.batch_execute(&format!(
                "GRANT {privilege} ON DATABASE {} TO {}",
                quote_any(&database.name),
                quote_any(&roles.app)
            ))?;
        }
    }
    Ok(())
}

fn give_table(
    connection: &mut PgConnection,
    roles: &Roles,
    me: &Me,
    entry: &TablePrivileges,
) -> Result<()> {
    let table = quote(&entry.table);
    let owner: Name = diesel::sql_query(
        "SELECT pg_get_userbyid(relowner)::text AS name FROM pg_class WHERE oid = to_regclass($1)",
    )
    .bind::<Text, _>(&table)
    .get_result(connection)?;
    if !ask(
        connection,
        "pg_has_role($1, $2, 'USAGE')",
        [&me.name, &owner.name],
    )? {
        return refuse(format!(
            "the table {} belongs to {}: connect as that role, or as a member of it",
            entry.table, owner.name
        ));
    }
    // Its indexes and sequences go with it.
    if owner.name != roles.owner {
        connection.batch_execute(&format!(
            "ALTER TABLE {table} OWNER TO {}",
            quote_any(&roles.owner)
        ))?;
    }
    let app = quote_any(&roles.app);
    connection.batch_execute(&format!(
        "REVOKE ALL ON TABLE {table} FROM PUBLIC, {app}; GRANT {} ON TABLE {table} TO {app}",
        entry.granted()
    ))?;
    Ok(())
}

fn give_functions(connection: &mut PgConnection, roles: &Roles, objects: &Objects) -> Result<()> {
    let names: Vec<_> = objects.functions.iter().map(|f| f.name.as_str()).collect();
    let signatures: Vec<Name> = diesel::sql_query(
        "SELECT oid::regprocedure::text AS name FROM pg_proc
          WHERE pronamespace = current_schema()::regnamespace AND proname = ANY ($1) ORDER BY 1",
    )
    .bind::<Array<Text>, _>(names)
    .load(connection)?;
    let (owner, app) = (quote_any(&roles.owner), quote_any(&roles.app));
    for Name { name: signature } in signatures {
        connection.batch_execute(&format!(
            "ALTER FUNCTION {signature} OWNER TO {owner};
             REVOKE ALL ON FUNCTION {signature} FROM PUBLIC, {app};"
        ))?;
    }
    connection.batch_execute(&format!("GRANT EXECUTE ON FUNCTION {BEGIN} TO {app}"))?;
    Ok(())
}

/// The versioned tables of the database that is open, those that programs described included.
fn versioned_tables(connection: &mut PgConnection) -> Result<Vec<TableDescription>> {
    let mut found = tables::versioned();
    let described: Vec<Description> =
        diesel::sql_query("SELECT name, description FROM described_tables ORDER BY name")
            .load(connection)?;
    for Description { name, description } in described {
        match serde_json::from_str(&description) {
            Ok(table) => found.push(table),
            Err(error) => return refuse(format!("the description of table {name}: {error}")),
        }
    }
    Ok(found)
}

/// The roles of a database that has them: the owner of the points, and who else may begin a transaction
/// and write points. What a later migration adds becomes theirs as well.
pub(crate) fn present(connection: &mut PgConnection) -> QueryResult<Vec<Roles>> {
    #[derive(QueryableByName)]
    struct Pair {
        #[diesel(sql_type = Text)]
        owner: String,
        #[diesel(sql_type = Text)]
        app: String,
    }
    let pairs: Vec<Pair> = diesel::sql_query(format!(
        "SELECT DISTINCT pg_get_userbyid(c.relowner)::text AS owner, pg_get_userbyid(a.grantee)::text AS app
           FROM pg_class c, aclexplode(c.relacl) a
          WHERE c.oid = to_regclass('datapoints') AND a.privilege_type = 'INSERT'
            AND a.grantee <> 0 AND a.grantee <> c.relowner
            AND EXISTS (SELECT 1 FROM pg_proc p, aclexplode(p.proacl) b
                         WHERE p.pronamespace = c.relnamespace AND p.proname = '{BEGIN}' AND b.grantee = a.grantee)
          ORDER BY 2"
    ))
    .load(connection)?;
    Ok(pairs
        .into_iter()
        .map(|Pair { owner, app }| Roles { owner, app })
        .collect())
}

/// Why the connected role may not add a table, in words; `None` when it may.
pub(crate) fn why_no_new_table(connection: &mut PgConnection) -> QueryResult<Option<String>> {
    #[derive(QueryableByName)]
    struct Owner {
        #[diesel(sql_type = Text)]
        me: String,
        #[diesel(sql_type = Text)]
        owner: String,
        #[diesel(sql_type = Bool)]
        may: bool,
    }
    let found: Owner = diesel::sql_query(
        "SELECT current_user::text AS me, pg_get_userbyid(relowner)::text AS owner,
                pg_has_role(relowner, 'USAGE') AND has_schema_privilege(current_schema(), 'CREATE') AS may
           FROM pg_class WHERE oid = to_regclass('described_tables')",
    )
    .get_result(connection)?;
    Ok((!found.may).then(|| {
        format!(
            "the database does not have it yet, and the role {} may not add tables: open the database once \
             with this table as a member of {} (or as a superuser), then it is there for all",
            found.me, found.owner
        )
    }))
}

/// Gives a table that was just made the owner and the grants that the points have.
pub(crate) fn adopt(connection: &mut PgConnection, table: &TableDescription) -> QueryResult<()> {
    #[derive(QueryableByName)]
    struct Grant {
        #[diesel(sql_type = Text)]
        owner: String,
        #[diesel(sql_type = Nullable<Text>)]
        privileges: Option<String>,
        #[diesel(sql_type = Nullable<Text>)]
        grantee: Option<String>,
    }
    let mut owner = String::new();
    let mut made = vec![
        ("datapoints", table.name.clone()),
        ("datapoints_version", table.version_name()),
    ];
    let views = named::views_of(table).into_iter();
    made.extend(views.map(|view| ("datapoints_named", view)));
    for (model, new) in made {
        let grants: Vec<Grant> = diesel::sql_query(
            "SELECT quote_ident(pg_get_userbyid(c.relowner)) AS owner,
                    string_agg(a.privilege_type, ', ') AS privileges,
                    CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee
               FROM pg_class c LEFT JOIN LATERAL aclexplode(c.relacl) a ON a.grantee <> c.relowner
              WHERE c.oid = to_regclass($1) GROUP BY c.relowner, a.grantee",
        )
        .bind::<Text, _>(model)
        .load(connection)?;
        let new = quote(&new);
        for grant in grants {
            connection.batch_execute(&format!("ALTER TABLE {new} OWNER TO {}", grant.owner))?;
            if let (Some(privileges), Some(grantee)) = (grant.privileges, grant.grantee) {
                connection
                    .batch_execute(&format!("GRANT {privileges} ON TABLE {new} TO {grantee}"))?;
            }
            owner = grant.owner;
        }
    }
    for function in Objects::of_table(table).functions {
        connection.batch_execute(&format!(
            "ALTER FUNCTION {} OWNER TO {owner}",
            quote(&function.name)
        ))?;
    }
    Ok(())
}

/// The version of the server as a number: 150004 is 15.4.
pub(super) fn server_version(connection: &mut PgConnection) -> QueryResult<i32> {
    #[derive(QueryableByName)]
    struct Version {
        #[diesel(sql_type = Integer)]
        version: i32,
    }
    let found: Version =
        diesel::sql_query("SELECT current_setting('server_version_num')::integer AS version")
            .get_result(connection)?;
    Ok(found.version)
}
