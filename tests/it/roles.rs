//! The owner and the app role: how they are set up, and that the whole product works for a member of the
//! app role. PostgreSQL only, because SQLite has no roles. What is refused is in `roles_refused`.

use std::process::Command;

use stratalog::{Filter, LogFilter, MigrateOptions, Platform, Target};

use crate::flows;
use crate::roles_support::{WithRoles, url_as};
use crate::support::{Database, WithRun, points, verify, years_and_values};

/// What each of our tables grants to whom, as text, but for the names of sequences.
fn grants(database: &Database) -> Vec<String> {
    database.plain().texts(
        "SELECT relname || ' ' || pg_get_userbyid(relowner) || ' ' || coalesce(relacl::text, '') || coalesce(
                  (SELECT string_agg(attname || attacl::text, ' ' ORDER BY attname) FROM pg_attribute
                    WHERE attrelid = c.oid AND attacl IS NOT NULL), '') AS text
           FROM pg_class c WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'S')
         UNION ALL
         SELECT proname || ' ' || pg_get_userbyid(proowner) || ' ' || coalesce(proacl::text, '')
           FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
         ORDER BY 1",
    )
}

#[test]
fn the_whole_product_works_for_a_member_of_the_app_role() {
    let fixture = WithRoles::new();
    let with_run = WithRun::new(&fixture.user);
    let (platform, run) = (&with_run.platform, &with_run.run);
    platform.regions().create("Africa").expect("a region");
    platform.regions().delete("Africa").expect("deleting");

    let lock = run.lock("more").expect("the lock");
    let counts = lock
        .iamc()
        .add(&points(&[(2020, 5.0), (2030, 2.0), (2040, 3.0)]))
        .expect("adding");
    assert_eq!((counts.inserted, counts.updated), (2, 1));
    lock.checkpoint("raw").expect("a checkpoint");
    let counts = lock
        .iamc()
        .remove(&points(&[(2040, 0.0)]))
        .expect("removing");
    assert_eq!(counts.deleted, 1);
    lock.commit().expect("commit");
    assert_eq!(with_run.now(), [(2020, 5.0), (2030, 2.0)]);

    let lock = run.lock("to be rolled back").expect("the lock");
    lock.iamc().add(&points(&[(2050, 9.0)])).expect("adding");
    drop(lock);
    assert_eq!(with_run.now(), [(2020, 5.0), (2030, 2.0)]);

    run.revert_to("raw").expect("reverting");
    assert_eq!(with_run.now(), [(2020, 5.0), (2030, 2.0), (2040, 3.0)]);
    let then = run
        .as_of("first point")
        .and_then(|view| view.iamc().tabulate(&Filter::all()))
        .expect("points");
    assert_eq!(years_and_values(&then), [(2020, 1.0)]);
    let difference = run
        .diff("first point", Some(Target::from("raw")))
        .and_then(|diff| diff.points())
        .expect("diff");
    assert_eq!(difference.num_rows(), 3);
    assert!(platform.log(&LogFilter::default()).expect("log").len() >= 6);
    assert!(platform.locks().list().expect("locks").is_empty());
    platform
        .runs()
        .set_as_default(run.id())
        .expect("the default");
    assert_eq!(platform.runs().list(&Filter::all()).expect("runs").len(), 1);
    with_run.verify();
    platform.runs().delete(run).expect("deleting the run");
    with_run.verify();
    // The superuser sees the same.
    verify(&fixture.admin.open());
}

#[test]
fn files_are_imported_for_a_member_of_the_app_role() {
    let fixture = WithRoles::new();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("figures.csv");
    std::fs::write(
        &file,
        "Model,Scenario,Region,Variable,Unit,2030\nm,s,World,Population,million,8500\n",
    )
    .expect("writing");
    for args in [
        &["import", file.to_str().expect("UTF-8"), "--create"][..],
        &["export", "1", "-"],
        &["verify"],
        &["doctor"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_stratalog"))
            .env("STRATALOG_DB", &fixture.user.url)
            .args(args)
            .output()
            .expect("starting the program");
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{output:?}"
        );
    }
}

#[test]
fn own_tables_are_added_by_the_owner_and_used_by_the_app_role() {
    let mut fixture = WithRoles::new();
    let error = Platform::options()
        .table::<flows::nodes::table>()
        .table::<flows::flows::table>()
        .open(&fixture.user.url)
        .map(|_| ())
        .expect_err("the app role makes no tables")
        .to_string();
    let (owner, login) = (fixture.owner.clone(), fixture.login.clone());
    assert!(
        error.contains(&format!("the role {login} may not add tables"))
            && error.contains(&format!("as a member of {owner}")),
        "{error}"
    );
    let (_, keeper) = fixture.add_role("keeper", &format!("LOGIN IN ROLE {owner}"));
    drop(flows::open(&keeper));

    let platform = flows::open(&fixture.user);
    let run = platform.runs().create("model", "scenario").expect("a run");
    let lock = run.lock("flows").expect("the lock");
    let flows = lock.table("flows").expect("the table");
    flows
        .add(&flows::batch(&[("a", 2020, 1.0, None)]))
        .expect("adding");
    flows
        .remove(&flows::batch(&[("a", 2020, 0.0, None)]))
        .expect("removing");
    lock.commit().expect("commit");
    verify(&platform);
    assert!(platform.doctor().expect("doctor").is_ok());

    // The same owner and the same grants as stratalog's own tables, and after a repetition still.
    let before = grants(&fixture.admin);
    let of = |table: &str| {
        let line = before
            .iter()
            .find(|line| line.starts_with(&format!("{table} ")));
        line.expect("the table")
            .replacen(table, "table", 1)
            .to_owned()
    };
    assert_eq!(of("flows"), of("datapoints"));
    assert_eq!(of("flows_version"), of("datapoints_version"));
    assert_eq!(of("flows_record_insert"), of("datapoints_record_insert"));
    fixture.migrate().expect("again");
    assert_eq!(grants(&fixture.admin), before);
}

#[test]
fn a_table_that_is_added_keeps_what_others_were_granted() {
    let mut fixture = WithRoles::new();
    let (reader, _) = fixture.add_role("reader", "NOLOGIN");
    fixture.sql(&format!(
        "GRANT SELECT ON datapoints, datapoints_version TO {reader}"
    ));
    drop(flows::open(&fixture.admin));
    let mut plain = fixture.admin.plain();
    for table in ["flows", "flows_version"] {
        assert_eq!(
            plain.number(&format!(
                "has_table_privilege('{reader}', '{table}', 'SELECT')::int"
            )),
            1,
            "{table}"
        );
        assert_eq!(
            plain.number(&format!(
                "has_table_privilege('{reader}', '{table}', 'INSERT')::int"
            )),
            0,
            "{table}"
        );
    }
}

#[test]
fn a_database_in_use_gets_roles_and_migrating_again_changes_nothing() {
    let admin = Database::postgres();
    let before = WithRun::new(&admin);
    let mut fixture = WithRoles::without(admin);
    // What was granted to everybody before is taken back.
    fixture.sql(&format!(
        "GRANT ALL ON ALL TABLES IN SCHEMA {0} TO PUBLIC; GRANT ALL ON SCHEMA {0} TO PUBLIC;
         GRANT ALL ON ALL FUNCTIONS IN SCHEMA {0} TO PUBLIC",
        fixture.schema()
    ));
    assert_eq!(fixture.migrate().expect("making roles"), [] as [&str; 0]);
    let granted = grants(&fixture.admin);
    fixture.migrate().expect("again");
    assert_eq!(grants(&fixture.admin), granted);
    assert!(
        granted
            .iter()
            .all(|line| line.contains(&format!(" {} ", fixture.owner))),
        "{granted:#?}"
    );
    // Too much and too little is put right.
    let app = fixture.app.clone();
    fixture.sql(&format!(
        "GRANT UPDATE ON transactions TO {app}; REVOKE INSERT ON datapoints FROM {app}; GRANT UPDATE (id) ON checkpoints TO {app}"
    ));
    assert_ne!(grants(&fixture.admin), granted);
    // A plain migration with nothing to apply leaves the roles alone.
    Platform::migrate(&fixture.admin.url).expect("migrating");
    assert_ne!(grants(&fixture.admin), granted);
    fixture.migrate().expect("again");
    let mut found = grants(&fixture.admin);
    let mut expected = granted.clone();
    // The order of an access list is not kept.
    for line in found.iter_mut().chain(&mut expected) {
        let mut parts: Vec<_> = line.split([',', '{', '}']).map(str::to_owned).collect();
        parts.sort();
        *line = parts.join(",");
    }
    assert_eq!(found, expected);

    fixture.add_login();
    let platform = fixture.user.open();
    let run = platform.runs().get_by_id(before.run.id()).expect("the run");
    let lock = run.lock("as a member").expect("the lock");
    lock.iamc().add(&points(&[(2030, 2.0)])).expect("adding");
    lock.commit().expect("commit");
    assert!(platform.doctor().expect("doctor").is_ok());
    verify(&platform);
}

#[test]
fn a_migration_without_options_gives_what_it_adds_to_the_roles_that_are_there() {
    // Default privileges make everything writable that the migration adds: it finds the app role, and
    // takes from it what it must not have.
    let mut fixture = WithRoles::without(Database::empty(stratalog::Engine::Postgres));
    let app = fixture.app.clone();
    fixture.sql(&format!(
        "CREATE ROLE {app} NOLOGIN; ALTER DEFAULT PRIVILEGES IN SCHEMA {0} GRANT ALL ON TABLES TO {app};
         ALTER DEFAULT PRIVILEGES IN SCHEMA {0} GRANT ALL ON FUNCTIONS TO {app}",
        fixture.schema()
    ));
    let applied = Platform::migrate(&fixture.admin.url).expect("migrating");
    assert_eq!(applied.len(), 1);
    fixture.add_login();
    WithRun::new(&fixture.user).verify();
    let report = fixture.user.open().doctor().expect("doctor");
    assert!(report.is_ok(), "{report:#?}");
}

#[test]
fn an_administrator_who_is_no_superuser_sets_up_roles() {
    let mut fixture = WithRoles::without(Database::empty(stratalog::Engine::Postgres));
    let (admin, database) = fixture.add_role("admin", "LOGIN CREATEROLE");
    let schema = fixture.schema();
    fixture.sql(&format!("ALTER SCHEMA {schema} OWNER TO {admin}"));
    for applied in [1, 0] {
        let done = Platform::migrate_with(&database.url, &fixture.options()).expect("migrating");
        assert_eq!(done.len(), applied);
    }
    fixture.add_login();
    WithRun::new(&fixture.user).verify();
    assert!(fixture.user.open().doctor().expect("doctor").is_ok());
    drop(flows::open(&database));
    drop(flows::open(&fixture.user));

    // Somebody who may do nothing of it is told who must.
    let (nobody, database) = fixture.add_role("nobody", "LOGIN");
    fixture.sql(&format!("GRANT USAGE ON SCHEMA {schema} TO {nobody}"));
    let error = |options: MigrateOptions| {
        Platform::migrate_with(&database.url, &options)
            .expect_err("refused")
            .to_string()
    };
    let message = error(MigrateOptions::default().roles("not_there", &fixture.app));
    assert!(message.contains("CREATE ROLE \"not_there\""), "{message}");
    let message = error(fixture.options());
    assert!(
        message.contains(&format!("GRANT \"{}\" TO \"{nobody}\"", fixture.owner)),
        "{message}"
    );
}

#[test]
fn roles_that_cannot_be_are_refused_and_nothing_is_changed() {
    let mut fixture = WithRoles::without(Database::postgres());
    let before = grants(&fixture.admin);
    let (boss, _) = fixture.add_role("boss", "SUPERUSER");
    let (owner, _) = fixture.add_role("owner", "NOLOGIN");
    let (member, _) = fixture.add_role("member", &format!("IN ROLE {owner}"));
    let (maker, _) = fixture.add_role("maker", "CREATEROLE");
    for (options, complaint) in [
        (MigrateOptions::default().roles("x", "x"), "two roles"),
        (MigrateOptions::default().roles("", "x"), "no usable name"),
        (
            MigrateOptions::default().roles("x", "a".repeat(64)),
            "no usable name",
        ),
        (
            MigrateOptions::default().roles(&owner, &boss),
            "is a superuser",
        ),
        (
            MigrateOptions::default().roles(&owner, &member),
            "which owns the tables",
        ),
        (
            MigrateOptions::default().roles(&owner, &maker),
            "may make roles",
        ),
    ] {
        let error = Platform::migrate_with(&fixture.admin.url, &options).expect_err(complaint);
        assert!(
            matches!(error, stratalog::Error::Roles { .. })
                && error.to_string().contains(complaint),
            "{complaint}: {error}"
        );
        assert_eq!(grants(&fixture.admin), before, "{complaint}");
    }
}

#[test]
fn names_of_roles_are_taken_as_they_are() {
    let mut fixture = WithRoles::without(Database::postgres());
    let unique = crate::support::uuid();
    let (owner, app) = (format!("Owner \"{unique}\"; --"), format!("App's {unique}"));
    let options = MigrateOptions::default().roles(&owner, &app);
    Platform::migrate_with(&fixture.admin.url, &options).expect("migrating");
    fixture.sql(&format!(
        "CREATE ROLE {0} LOGIN PASSWORD '{0}' IN ROLE \"{app}\"",
        fixture.login
    ));
    drop(flows::open(&fixture.admin));
    let user = fixture.admin.at(url_as(&fixture.admin.url, &fixture.login));
    WithRun::new(&user).verify();
    assert!(user.open().doctor().expect("doctor").is_ok());
    fixture.owner = format!("\"{}\"", owner.replace('"', "\"\""));
    fixture.app = format!("\"{app}\"");
}

#[test]
fn sqlite_has_no_roles_and_says_so() {
    let database = Database::sqlite();
    let error = Platform::migrate_with(&database.url, &MigrateOptions::default().roles("o", "a"))
        .expect_err("refused");
    assert!(matches!(error, stratalog::Error::Roles { .. }), "{error}");
    assert!(error.to_string().contains("SQLite has no roles"), "{error}");
    assert_eq!(
        database
            .plain()
            .number("SELECT count(*) FROM sqlite_schema"),
        0
    );
}
