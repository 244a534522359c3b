//! What the database refuses a member of the app role, outside of a stratalog transaction and, what is
//! harder, inside one that holds the lock. PostgreSQL only, because SQLite has no roles.

use stratalog::{LockOptions, RunLock, schema::tables};

use crate::roles_support::WithRoles;
use crate::support::{Plain, WithRun, points, uuid};

/// A member of the app role in a stratalog transaction of run 1, with an SQL shell.
struct Shell<'a> {
    fixture: &'a WithRoles,
    plain: Plain,
}

impl<'a> Shell<'a> {
    fn new(fixture: &'a WithRoles) -> Self {
        Self {
            fixture,
            plain: fixture.user.plain(),
        }
    }

    fn begin(&mut self, lock: &RunLock) {
        self.plain.run("BEGIN").expect("beginning");
        let id = self.plain.number(&begin_call(lock.token().0));
        assert!(id > 0);
    }

    /// Tries it and goes on as if it had not been tried.
    fn refused(&mut self, sql: &str) -> String {
        self.plain.run("SAVEPOINT before").expect("a savepoint");
        let message = self.plain.refused(sql);
        self.plain
            .run("ROLLBACK TO SAVEPOINT before")
            .expect("going on");
        message
    }

    /// Everything that the superuser can read.
    fn everything(&self) -> Vec<String> {
        let mut admin = self.fixture.admin.plain();
        tables::bookkeeping()
            .into_iter()
            .chain(tables::versioned())
            .flat_map(|table| {
                if table.is_versioned() {
                    vec![table.name.clone(), table.version_name()]
                } else {
                    vec![table.name]
                }
            })
            .flat_map(|table| {
                admin.texts(&format!(
                    "SELECT '{table}' || t::text AS text FROM {table} t ORDER BY 1"
                ))
            })
            .collect()
    }
}

fn begin_call(token: i64) -> String {
    format!(
        "SELECT stratalog_begin_transaction(1, {token}, 'shell', 'by hand', '{}')",
        uuid()
    )
}

/// All that must be refused, with a part of what the database says.
fn forbidden(fixture: &WithRoles) -> Vec<(String, &'static str)> {
    let mut all = Vec::new();
    let mut add = |sql: String, says: &'static str| all.push((sql, says));
    let denied = "permission denied";
    for table in tables::versioned() {
        let (live, version) = (table.name.clone(), table.version_name());
        let key = &table.key[0];
        add(
            format!("INSERT INTO {version} SELECT * FROM {version} LIMIT 1"),
            denied,
        );
        add(
            format!("UPDATE {version} SET end_transaction_id = NULL"),
            denied,
        );
        add(format!("UPDATE {version} SET {key} = {key}"), denied);
        add(format!("DELETE FROM {version}"), denied);
        add(format!("TRUNCATE {version}"), denied);
        add(format!("TRUNCATE {live} CASCADE"), denied);
        add(format!("COPY {version} FROM STDIN"), denied);
        add(format!("SELECT 1 FROM {version} FOR UPDATE"), denied);
        for name in [&live, &version] {
            add(
                format!("ALTER TABLE {name} DISABLE TRIGGER ALL"),
                "must be owner",
            );
            add(
                format!("ALTER TABLE {name} DISABLE TRIGGER USER"),
                "must be owner",
            );
            add(
                format!("ALTER TABLE {name} ADD COLUMN x int"),
                "must be owner",
            );
            add(format!("DROP TABLE {name} CASCADE"), "must be owner");
            add(
                format!(
                    "CREATE TRIGGER mine BEFORE INSERT ON {name} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"
                ),
                denied,
            );
            add(
                format!("CREATE RULE mine AS ON INSERT TO {name} DO INSTEAD NOTHING"),
                "must be owner",
            );
            add(
                format!("CREATE POLICY mine ON {name} USING (false)"),
                "must be owner",
            );
        }
        for event in ["insert", "update", "delete"] {
            add(
                format!("DROP TRIGGER {live}_record_{event} ON {live}"),
                "must be owner",
            );
            let function = format!("{live}_record_{event}");
            add(
                format!("ALTER FUNCTION {function}() SECURITY INVOKER"),
                "must be owner",
            );
            add(
                format!("DROP FUNCTION {function}() CASCADE"),
                "must be owner",
            );
            add(format!("SELECT {function}()"), denied);
            add(
                format!(
                    "CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
                ),
                denied,
            );
        }
        // A record function on a table of his own would write history of rows that are not there.
        let transition = "REFERENCING NEW TABLE AS new_rows";
        add(
            format!(
                "CREATE TEMPORARY TABLE mine (LIKE {live});
                 CREATE TRIGGER mine AFTER INSERT ON mine {transition}
                 FOR EACH STATEMENT EXECUTE FUNCTION {live}_record_insert()"
            ),
            denied,
        );
    }
    for sql in [
        "INSERT INTO transactions (run_id, lock_token, actor, operation, client_uuid) VALUES (1, 1, 'x', 'x', 'x')",
        "INSERT INTO transactions (actor, operation, client_uuid) VALUES ('x', 'x', 'x')",
        "UPDATE transactions SET actor = 'somebody else'",
        "DELETE FROM transactions",
        "TRUNCATE transactions",
        "UPDATE checkpoints SET message = 'another'",
        "DELETE FROM checkpoints",
        "TRUNCATE checkpoints",
        "INSERT INTO checkpoints (id, run_id, transaction_id, message, actor) VALUES (7, 1, 1, 'x', 'x')",
        "INSERT INTO checkpoints (run_id, transaction_id, message, actor, created_at) VALUES (1, 1, 'x', 'x', '2000-01-01')",
        "DELETE FROM run_locks",
        "TRUNCATE run_locks",
        "INSERT INTO described_tables (name, description) VALUES ('x', '{}')",
        "UPDATE described_tables SET description = '{}'",
        "INSERT INTO transactions (actor, operation, client_uuid, issued_at) VALUES ('x', 'x', 'x', '2000-01-01')",
        "INSERT INTO imported_runs (run_id, source, identity, source_run, copied_until, checkpoints, transaction_id, actor)
         VALUES (1, 'x', 'x', 1, 0, 0, 0, 'x')",
        "UPDATE imported_runs SET copied_until = 1",
        "DELETE FROM __diesel_schema_migrations",
        "SELECT nextval('transactions_id_seq')",
        "SELECT setval('transactions_id_seq', 1)",
        "SET session_replication_role = replica",
        "SELECT stratalog_current('mine')",
        "SELECT stratalog_out_of_order()",
        "CREATE TABLE mine (id bigint)",
        "CREATE VIEW mine AS SELECT 1",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION stratalog_current(changed varchar) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION stratalog_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    ] {
        add(sql.into(), denied);
    }
    for sql in [
        "ALTER FUNCTION stratalog_begin() RESET search_path",
        "ALTER FUNCTION stratalog_begin_transaction(bigint, bigint, text, text, text) SECURITY INVOKER",
        "ALTER TABLE transactions DISABLE TRIGGER transactions_begin",
        "DROP TRIGGER transactions_begin ON transactions",
        "ALTER SEQUENCE transactions_id_seq RESTART",
        "CREATE INDEX mine ON datapoints_version (run_id)",
    ] {
        add(sql.into(), "must be owner");
    }
    add(
        format!("DROP SCHEMA {} CASCADE", fixture.schema()),
        "must be owner",
    );
    add(format!("SET ROLE {}", fixture.owner), denied);
    add(format!("GRANT {} TO {}", fixture.owner, fixture.login), "");
    all
}

fn locked(with_run: &WithRun) -> RunLock {
    with_run
        .run
        .lock_with("by hand", LockOptions::default())
        .expect("the lock")
}

#[test]
fn what_reaches_history_is_refused_outside_and_inside_a_transaction() {
    let fixture = WithRoles::new();
    let with_run = WithRun::new(&fixture.user);
    let lock = locked(&with_run);
    let mut shell = Shell::new(&fixture);
    let before = shell.everything();
    let forbidden = forbidden(&fixture);
    assert!(forbidden.len() > 200, "{}", forbidden.len());
    for (sql, says) in &forbidden {
        let message = shell.plain.refused(sql);
        assert!(message.contains(says), "{sql}: {message}");
    }
    shell.begin(&lock);
    for (sql, says) in &forbidden {
        let message = shell.refused(sql);
        assert!(message.contains(says), "{sql}: {message}");
    }
    shell.plain.run("ROLLBACK").expect("rolling back");
    assert_eq!(shell.everything(), before);
    // Who has any privilege on a table is not refused to grant others, only told that nothing came of it.
    shell
        .plain
        .run(&format!(
            "SET client_min_messages = error; GRANT ALL ON transactions TO {}",
            fixture.login
        ))
        .expect("a warning");
    let message = shell.plain.refused("DELETE FROM transactions");
    assert!(message.contains("permission denied"), "{message}");
    lock.commit().expect("commit");
    with_run.verify();
}

#[test]
fn a_run_is_not_written_without_its_lock() {
    let fixture = WithRoles::new();
    let with_run = WithRun::new(&fixture.user);
    let other = with_run
        .platform
        .runs()
        .create("model", "scenario")
        .expect("another run");
    let mut shell = Shell::new(&fixture);
    let before = shell.everything();
    for sql in [
        "UPDATE datapoints SET value = 2.0",
        "DELETE FROM datapoints",
        "INSERT INTO datapoints SELECT run_id, region_id, variable_id, unit_id, point_type, 2050, category, value FROM datapoints",
        "SELECT stratalog_begin_transaction(NULL, NULL, 'x', 'x', 'x'); UPDATE datapoints SET value = 2.0",
    ] {
        let message = shell.plain.refused(sql);
        assert!(
            message.contains("stratalog:outside_transaction"),
            "{message}"
        );
    }
    // The lock is free: no token holds it, neither the last one nor the next.
    for token in ["0", "1", "2", "NULL"] {
        let message = shell.plain.refused(&format!(
            "SELECT stratalog_begin_transaction(1, {token}, 'x', 'x', 'x')"
        ));
        assert!(
            message.contains("stratalog:lock_lost"),
            "{token}: {message}"
        );
    }
    assert_eq!(shell.everything(), before);
    // Holding one run's lock is no right to another's.
    let lock = other.lock("mine").expect("the lock");
    shell.plain.run("BEGIN").expect("beginning");
    shell.plain.number(&format!(
        "SELECT stratalog_begin_transaction({}, {}, 'x', 'x', 'y')",
        other.id(),
        lock.token()
    ));
    let message = shell.refused("UPDATE datapoints SET value = 2.0");
    assert!(
        message.contains("stratalog:outside_transaction"),
        "{message}"
    );
    shell.plain.run("ROLLBACK").expect("rolling back");
    drop(lock);
    with_run.verify();
}

#[test]
fn an_old_transaction_is_not_written_into() {
    let fixture = WithRoles::new();
    let with_run = WithRun::new(&fixture.user);
    let lock = locked(&with_run);
    let old = with_run.run.last_transaction().expect("a transaction");
    let mut shell = Shell::new(&fixture);
    let write = "UPDATE datapoints SET value = 2.0";
    let become_old = format!("SELECT set_config('stratalog.transaction_id', '{old}', true)");
    for sql in [
        format!("{become_old}; {write}"),
        format!("SET stratalog.transaction_id = '{old}'; {write}"),
        format!("SET stratalog.transaction_id = '999'; {write}"),
    ] {
        let message = shell.plain.refused(&format!("BEGIN; {sql}; COMMIT"));
        assert!(
            message.contains("stratalog:outside_transaction"),
            "{message}"
        );
        shell.plain.roll_back();
        shell.begin(&lock);
        let message = shell.refused(&sql);
        assert!(
            message.contains("stratalog:outside_transaction"),
            "{message}"
        );
        // Without the trick it is a transaction like any other.
        shell.plain.run(write).expect("writing");
        shell.plain.run("ROLLBACK").expect("rolling back");
    }
    lock.commit().expect("commit");
    with_run.verify();
}

/// A temporary schema comes first in a search path that does not name it: whoever runs with such a path
/// sees these instead of ours. Our functions name it, last.
const SHADOWS: &str = "
    CREATE TEMPORARY TABLE run_locks (run_id bigint, token bigint, state text);
    INSERT INTO run_locks VALUES (1, 999, 'held');
    CREATE TEMPORARY TABLE transactions (id bigint, issued_at timestamp, run_id bigint, lock_token bigint,
      actor text, operation text, client_uuid text, xact_id xid8);
    INSERT INTO transactions SELECT 1, now(), 1, 999, 'x', 'x', 'x', pg_current_xact_id();
    CREATE TEMPORARY TABLE datapoints_version (run_id bigint);
    CREATE TEMPORARY TABLE new_rows (run_id bigint);
    CREATE TEMPORARY SEQUENCE transactions_id_seq START 1;
    CREATE FUNCTION pg_temp.stratalog_current(text) RETURNS record LANGUAGE sql AS 'SELECT 1, 2';
    CREATE FUNCTION pg_temp.stratalog_out_of_order() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';
    CREATE FUNCTION pg_temp.stratalog_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE FUNCTION pg_temp.pg_current_xact_id_if_assigned() RETURNS xid8 LANGUAGE sql AS 'SELECT ''1''::xid8';
    CREATE FUNCTION pg_temp.same(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true';
    CREATE OPERATOR pg_temp.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = pg_temp.same);
    SET search_path = pg_temp, {schema}, pg_catalog;";

#[test]
fn temporary_objects_do_not_stand_in_for_ours() {
    let fixture = WithRoles::new();
    let with_run = WithRun::new(&fixture.user);
    let lock = locked(&with_run);
    let schema = fixture.schema();
    let mut shell = Shell::new(&fixture);
    let before = shell.everything();
    shell
        .plain
        .run(&format!("BEGIN; {}", SHADOWS.replace("{schema}", &schema)))
        .expect("temporary objects are his own");
    // The control: to whom runs with this path they do stand in.
    assert_eq!(shell.plain.number("SELECT token FROM run_locks"), 999);
    assert_eq!(
        shell
            .plain
            .number("SELECT count(*) FROM datapoints_version"),
        0
    );
    // Functions and operators do not: nobody finds them there without naming the schema.
    assert_eq!(shell.plain.number("SELECT (1::bigint = 2::bigint)::int"), 0);

    let message = shell.refused(&format!(
        "SELECT {schema}.stratalog_begin_transaction(1, 999, 'x', 'x', 'x')"
    ));
    assert!(message.contains("stratalog:lock_lost"), "{message}");
    let message = shell.refused(&format!(
        "SELECT set_config('stratalog.transaction_id', '1', true); UPDATE {schema}.datapoints SET value = 2.0"
    ));
    assert!(
        message.contains("stratalog:outside_transaction"),
        "{message}"
    );
    let message = shell.refused(&format!(
        "INSERT INTO {schema}.checkpoints (run_id, transaction_id, message, actor) VALUES (1, 1, 'x', 'x')"
    ));
    assert!(message.contains("stratalog:checkpoint"), "{message}");
    assert_eq!(shell.everything(), before);

    // A write that is in order is recorded in the history that is ours.
    let id = shell.plain.number(&format!(
        "SELECT {schema}.stratalog_begin_transaction(1, {}, 'x', 'x', 'x')",
        lock.token()
    ));
    assert!(id > 1, "{id}");
    shell
        .plain
        .run(&format!(
            "UPDATE {schema}.datapoints SET value = 2.0; COMMIT"
        ))
        .expect("writing");
    assert_eq!(
        fixture.admin.plain().number(&format!(
            "SELECT count(*) FROM datapoints_version WHERE transaction_id = {id} AND value = 2.0"
        )),
        1
    );
    lock.commit().expect("commit");
    assert_eq!(with_run.now(), [(2020, 2.0)]);
    with_run.verify();
}

#[test]
fn the_documented_protocol_works_for_a_member_of_the_app_role() {
    let fixture = WithRoles::new();
    let with_run = WithRun::new(&fixture.user);
    let lock = locked(&with_run);
    let mut shell = Shell::new(&fixture);
    shell.begin(&lock);
    shell
        .plain
        .run(
            "UPDATE datapoints SET value = value * 2;
             INSERT INTO checkpoints (run_id, transaction_id, message, actor)
             SELECT 1, max(id), 'doubled', 'me' FROM transactions WHERE run_id = 1;
             COMMIT",
        )
        .expect("writing");
    // A second one in the same database transaction is refused, as with INSERT.
    shell.begin(&lock);
    let message = shell.refused(&begin_call(lock.token().0));
    assert!(
        message.contains("stratalog:second_transaction"),
        "{message}"
    );
    shell.plain.roll_back();
    lock.iamc().add(&points(&[(2030, 3.0)])).expect("adding");
    lock.commit().expect("commit");
    assert_eq!(with_run.now(), [(2020, 2.0), (2030, 3.0)]);
    with_run.run.revert_to("doubled").expect("reverting");
    assert_eq!(with_run.now(), [(2020, 2.0)]);
    with_run.verify();
}

#[test]
fn a_lock_taken_over_is_lost_for_a_member_of_the_app_role() {
    let fixture = WithRoles::new();
    let with_run = WithRun::new(&fixture.user);
    let lock = locked(&with_run);
    fixture
        .user
        .plain()
        .run("UPDATE run_locks SET token = token + 1 WHERE run_id = 1")
        .expect("taking it over");
    let error = lock
        .iamc()
        .add(&points(&[(2030, 3.0)]))
        .expect_err("the lock was lost");
    assert!(error.is_lock_lost(), "{error}");
    drop(lock);
    assert_eq!(with_run.now(), [(2020, 1.0)]);
    with_run.verify();
}
