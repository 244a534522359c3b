//! `doctor` finds what takes the protection of history away, and nothing where all is well.

use std::process::Command;

use serde_json::Value;
use stratalog::{DoctorReport, Severity};

use crate::both_engines;
use crate::flows;
use crate::roles_support::WithRoles;
use crate::support::Database;

fn examine(database: &Database) -> DoctorReport {
    database.open().doctor().expect("doctor")
}

/// The one problem there is: what was looked at, and what was found.
fn problem(database: &Database) -> (&'static str, String) {
    let report = examine(database);
    let problems: Vec<_> = report.problems().collect();
    assert_eq!(problems.len(), 1, "{report:#?}");
    assert!(
        problems[0].advice.as_ref().is_some_and(|a| a.len() > 20),
        "{report:#?}"
    );
    (problems[0].check, problems[0].what.clone())
}

/// Exit code, stdout and stderr of the program.
fn program(database: &Database, args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_stratalog"))
        .env("STRATALOG_DB", &database.url)
        .args(args)
        .output()
        .expect("starting the program");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

both_engines! {
    fn own_tables_are_looked_at_too(database: &Database) {
        drop(flows::open(database));
        let is_guards = |check: &str| check == "triggers" || check == "functions";
        let guards = |report: &DoctorReport| report.problems().filter(|f| is_guards(f.check)).count();
        assert_eq!(guards(&examine(database)), 0);
        let drop_trigger = match database.engine {
            stratalog::Engine::Sqlite => "DROP TRIGGER flows_record_insert",
            stratalog::Engine::Postgres => "DROP TRIGGER flows_record_insert ON flows",
        };
        database.plain().run(drop_trigger).expect("the owner may");
        let report = examine(database);
        assert_eq!(guards(&report), 1, "{report:#?}");
        assert!(report.problems().any(|f| f.what == "flows_record_insert of flows is missing"), "{report:#?}");
    }
}

#[test]
fn sqlite_is_tamper_evident_at_best_and_that_is_no_problem() {
    let database = Database::sqlite();
    let report = examine(&database);
    assert!(report.is_ok(), "{report:#?}");
    let note = &report.findings[0];
    assert_eq!((note.check, note.severity), ("history", Severity::Note));
    assert!(
        note.what
            .starts_with("tamper-evident at best: whoever can write the file"),
        "{note:?}"
    );
    let checks: Vec<_> = report.findings.iter().map(|f| f.check).collect();
    assert_eq!(checks, ["history", "sqlite", "journal", "triggers"]);
    assert!(report.findings[2].what.contains("write-ahead log"));
    let memory = stratalog::Platform::open(":memory:").expect("a platform");
    assert!(memory.doctor().expect("doctor").is_ok());

    let (code, stdout, stderr) = program(&database, &["doctor"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(
        stdout.starts_with("note     history: tamper-evident at best"),
        "{stdout}"
    );
    assert!(
        stdout.ends_with("OK: 4 things looked at, no problem\n"),
        "{stdout}"
    );
}

#[test]
fn changed_triggers_on_sqlite_are_found() {
    for (sql, found) in [
        (
            "DROP TRIGGER datapoints_record_update",
            "datapoints_record_update of datapoints is missing",
        ),
        (
            "DROP TRIGGER checkpoints_no_update;
             CREATE TRIGGER checkpoints_no_update BEFORE UPDATE ON checkpoints BEGIN SELECT 1; END",
            "checkpoints_no_update of checkpoints is another one",
        ),
        (
            "CREATE TRIGGER mine BEFORE INSERT ON datapoints_version BEGIN SELECT RAISE(IGNORE); END",
            "mine of datapoints_version is not stratalog's",
        ),
    ] {
        let database = Database::sqlite();
        drop(database.open());
        database
            .plain()
            .run(sql)
            .expect("whoever writes the file may");
        assert_eq!(problem(&database), ("triggers", found.to_owned()));
        let (code, stdout, stderr) = program(&database, &["doctor", "--json"]);
        assert_eq!(
            (code, stderr.as_str()),
            (Some(3), "error: 1 problem found: see above\n")
        );
        let document: Value = serde_json::from_str(&stdout).expect("JSON");
        assert_eq!(document["is_ok"], false);
        assert_eq!(document["findings"][3]["severity"], "problem");
        assert_eq!(document["findings"][3]["what"], found);
    }
    // A table of somebody else's with a trigger is nothing to us.
    let database = Database::sqlite();
    drop(database.open());
    database
        .plain()
        .run("CREATE TABLE other (id); CREATE TRIGGER mine AFTER INSERT ON other BEGIN SELECT 1; END")
        .expect("making it");
    assert!(examine(&database).is_ok());
}

#[test]
fn a_superuser_is_over_privileged_and_told_what_to_do() {
    let fixture = WithRoles::new();
    let (check, what) = problem(&fixture.admin);
    assert_eq!(check, "role");
    assert!(
        what.contains("over-privileged") && what.contains("is a superuser"),
        "{what}"
    );
    let (code, stdout, stderr) = program(&fixture.admin, &["doctor"]);
    assert_eq!(
        (code, stderr.as_str()),
        (Some(3), "error: 1 problem found: see above\n")
    );
    for part in [
        "ok       server: PostgreSQL ",
        "problem  role: ",
        "stratalog migrate URL --owner-role OWNER --app-role APP",
        "CREATE ROLE you LOGIN IN ROLE APP",
    ] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
    // Who has only taken on the app role can lay it down again.
    let url = format!("options=-crole%3D{}%20", fixture.app);
    let database = fixture
        .admin
        .at(fixture.admin.url.replacen("options=", &url, 1));
    assert_eq!(
        database.plain().texts("SELECT current_user::text AS text"),
        std::slice::from_ref(&fixture.app)
    );
    assert!(problem(&database).1.contains("is a superuser"));
}

#[test]
fn every_way_to_history_is_found() {
    let mut fixture = WithRoles::new();
    let no_inherit = format!("NOLOGIN NOINHERIT IN ROLE {}", fixture.owner);
    let (between, _) = fixture.add_role("between", &no_inherit);
    let (owner, app, login, schema) = (
        &fixture.owner,
        &fixture.app,
        &fixture.login,
        fixture.schema(),
    );
    let report = examine(&fixture.user);
    assert!(report.is_ok(), "{report:#?}");
    assert!(
        report
            .findings
            .iter()
            .all(|finding| finding.severity == Severity::Ok),
        "{report:#?}"
    );
    let mut ways = Vec::new();
    let mut add = |give: String, take: String, found: String| ways.push((give, take, found));
    for (privilege, table) in [
        ("INSERT", "datapoints_version"),
        ("UPDATE", "runs_version"),
        ("DELETE", "regions_version"),
        ("TRUNCATE", "datapoints"),
        ("TRIGGER", "datapoints"),
        ("INSERT", "transactions"),
        ("UPDATE", "checkpoints"),
        ("DELETE", "run_locks"),
        ("INSERT", "__diesel_schema_migrations"),
    ] {
        for grantee in [login.as_str(), app, "PUBLIC"] {
            add(
                format!("GRANT {privilege} ON {table} TO {grantee}"),
                format!("REVOKE {privilege} ON {table} FROM {grantee}"),
                format!("may {privilege} on {table}"),
            );
        }
    }
    add(
        format!("GRANT UPDATE (end_transaction_id) ON datapoints_version TO {login}"),
        format!("REVOKE UPDATE (end_transaction_id) ON datapoints_version FROM {login}"),
        "may UPDATE on datapoints_version".into(),
    );
    add(
        format!("GRANT {owner} TO {login}"),
        format!("REVOKE {owner} FROM {login}"),
        format!("is a member of {owner}, which owns the tables"),
    );
    // He does not have the owner's rights at once, but one SET ROLE away.
    add(
        format!("GRANT {between} TO {login}"),
        format!("REVOKE {between} FROM {login}"),
        format!("is a member of {owner}, which owns the tables"),
    );
    add(
        format!("GRANT CREATE ON SCHEMA {schema} TO PUBLIC"),
        format!("REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC"),
        format!("may create objects in the schema {schema}"),
    );
    add(
        format!("ALTER SCHEMA {schema} OWNER TO {login}"),
        format!("ALTER SCHEMA {schema} OWNER TO {owner}"),
        format!("owns the schema {schema}"),
    );
    add(
        format!("GRANT pg_write_server_files TO {login}"),
        format!("REVOKE pg_write_server_files FROM {login}"),
        "pg_write_server_files: it may become a superuser".into(),
    );
    add(
        format!("ALTER ROLE {login} SUPERUSER"),
        format!("ALTER ROLE {login} NOSUPERUSER"),
        "is a superuser".into(),
    );
    let version = fixture
        .admin
        .plain()
        .number("current_setting('server_version_num')::int");
    if version < 160_000 {
        add(
            format!("ALTER ROLE {login} CREATEROLE"),
            format!("ALTER ROLE {login} NOCREATEROLE"),
            "may make roles".into(),
        );
    }
    if version >= 150_000 {
        add(
            format!("GRANT SET ON PARAMETER session_replication_role TO {login}"),
            format!("REVOKE SET ON PARAMETER session_replication_role FROM {login}"),
            "may set session_replication_role".into(),
        );
    }
    let platform = fixture.user.open();
    for (give, take, found) in ways {
        fixture.sql(&give);
        let report = platform.doctor().expect("doctor");
        let problems: Vec<_> = report.problems().collect();
        assert!(
            problems.len() == 1 && problems[0].check == "role" && problems[0].what.contains(&found),
            "{give}: {report:#?}"
        );
        fixture.sql(&take);
        assert!(platform.doctor().expect("doctor").is_ok(), "{take}");
    }
}

#[test]
fn a_role_that_only_reads_is_no_problem() {
    let mut fixture = WithRoles::new();
    let (reader, database) = fixture.add_role("reader", "LOGIN");
    let schema = fixture.schema();
    fixture.sql(&format!(
        "GRANT USAGE ON SCHEMA {schema} TO {reader}; GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {reader}"
    ));
    let report = examine(&database);
    assert!(report.is_ok(), "{report:#?}");
    let role = report.findings.iter().find(|f| f.check == "role");
    assert!(
        role.is_some_and(|f| f.severity == Severity::Note
            && f.what.contains("cannot write all data")
            && f.what.contains("checkpoints")),
        "{role:?}"
    );
}

#[test]
fn changed_guards_on_postgres_are_found() {
    let fixture = WithRoles::new();
    let schema = fixture.schema();
    let owner = &fixture.owner;
    for (sql, check, found) in [
        (
            "ALTER TABLE datapoints DISABLE TRIGGER datapoints_record_update".to_owned(),
            "triggers",
            "datapoints_record_update of datapoints is not enabled always",
        ),
        (
            "ALTER TABLE datapoints ENABLE TRIGGER datapoints_record_update".to_owned(),
            "triggers",
            "datapoints_record_update of datapoints is not enabled always",
        ),
        (
            "DROP TRIGGER transactions_begin ON transactions".to_owned(),
            "triggers",
            "transactions_begin of transactions is missing",
        ),
        (
            "DROP TRIGGER checkpoints_insert ON checkpoints;
             CREATE TRIGGER checkpoints_insert BEFORE INSERT ON checkpoints FOR EACH ROW EXECUTE FUNCTION stratalog_begin();
             ALTER TABLE checkpoints ENABLE ALWAYS TRIGGER checkpoints_insert"
                .to_owned(),
            "triggers",
            "checkpoints_insert of checkpoints is missing, checkpoints_insert of checkpoints is not stratalog's",
        ),
        (
            "CREATE TRIGGER mine BEFORE UPDATE ON runs_version FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"
                .to_owned(),
            "triggers",
            "mine of runs_version is not stratalog's",
        ),
        (
            "CREATE RULE mine AS ON INSERT TO runs_version DO INSTEAD NOTHING".to_owned(),
            "triggers",
            "mine of runs_version is not stratalog's",
        ),
        (
            "ALTER TABLE runs_version ENABLE ROW LEVEL SECURITY; ALTER TABLE runs_version FORCE ROW LEVEL SECURITY;
             CREATE POLICY all_there ON runs_version USING (true)"
                .to_owned(),
            "triggers",
            "row level security of runs_version is not stratalog's",
        ),
        (
            "CREATE TABLE child () INHERITS (datapoints)".to_owned(),
            "triggers",
            "its heir child of datapoints is not stratalog's",
        ),
        (
            "CREATE OR REPLACE FUNCTION stratalog_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
                .to_owned(),
            "functions",
            "stratalog_refuse is another one",
        ),
        (
            "ALTER FUNCTION stratalog_checkpoint() SECURITY INVOKER".to_owned(),
            "functions",
            "stratalog_checkpoint is another one",
        ),
        (
            format!("ALTER FUNCTION stratalog_current(text) SET search_path = pg_temp, {schema}"),
            "functions",
            "stratalog_current is another one",
        ),
        (
            "DROP FUNCTION stratalog_out_of_order()".to_owned(),
            "functions",
            "stratalog_out_of_order is missing",
        ),
        (
            format!("SET ROLE {owner}; CREATE FUNCTION stratalog_current(changed varchar) RETURNS int LANGUAGE sql AS 'SELECT 1'"),
            "functions",
            "stratalog_current is there twice",
        ),
        (
            "GRANT EXECUTE ON FUNCTION datapoints_record_insert() TO PUBLIC".to_owned(),
            "functions",
            "datapoints_record_insert may be called by everybody, and so write history from a trigger of his own",
        ),
        (
            "ALTER FUNCTION stratalog_begin() OWNER TO CURRENT_USER".to_owned(),
            "owner",
            "not all belongs to",
        ),
        (
            "ALTER TABLE runs_version OWNER TO CURRENT_USER".to_owned(),
            "owner",
            "runs_version of ",
        ),
    ] {
        // Each in a database of its own: not all of them can be undone.
        let one = WithRoles::new();
        let sql = sql.replace(&schema, &one.schema()).replace(owner, &one.owner);
        one.sql(&sql);
        let (found_check, what) = problem(&one.user);
        assert_eq!(found_check, check, "{sql}: {what}");
        assert!(what.contains(found), "{sql}: {what}");
    }
}

/// A restored database brings the stamps of another server along: one that is still to come there could be
/// met by a transaction of here, which then could write into the old one.
#[test]
fn stamps_of_another_server_are_found() {
    let fixture = WithRoles::new();
    let with_run = crate::support::WithRun::new(&fixture.user);
    let change = |sql: &str| {
        fixture.sql(&format!(
            "ALTER TABLE transactions DISABLE TRIGGER transactions_append_only; {sql};
             ALTER TABLE transactions ENABLE ALWAYS TRIGGER transactions_append_only"
        ));
    };
    change("UPDATE transactions SET xact_id = '99999999999' WHERE id = 1");
    let report = with_run.platform.doctor().expect("doctor");
    let problems: Vec<_> = report.problems().collect();
    assert_eq!(problems.len(), 1, "{report:#?}");
    assert_eq!(problems[0].check, "stamps");
    assert!(
        problems[0].what.starts_with("1 transaction "),
        "{report:#?}"
    );
    let advice = problems[0].advice.as_deref().unwrap_or_default();
    let (_, sql) = advice.split_once(": ").expect("SQL");
    fixture.sql(sql);
    assert!(with_run.platform.doctor().expect("doctor").is_ok());
    with_run.verify();
}
