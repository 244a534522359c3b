//! Opening databases, and the names they hold: regions, units, variables, models, scenarios.

use std::sync::Barrier;

use stratalog::{Engine, Frame, Names, Platform, Run};

use crate::support::{Database, verify};
use crate::{both_engines, processes};

/// Every kind of name: the word for one, the table, and the names.
fn kinds(platform: &Platform) -> [(&'static str, &'static str, Names); 5] {
    [
        ("region", "regions", platform.regions()),
        ("unit", "units", platform.units()),
        ("variable", "variables", platform.variables()),
        ("model", "models", platform.models()),
        ("scenario", "scenarios", platform.scenarios()),
    ]
}

fn listed(names: &Names) -> Vec<String> {
    names
        .list()
        .expect("list")
        .into_iter()
        .map(|named| named.name)
        .collect()
}

/// A run with one point: World, Population, million.
fn run_with_a_point(platform: &Platform, model: &str, scenario: &str) -> Run {
    let run = platform.runs().create(model, scenario).expect("run");
    let lock = run.lock("data").expect("lock");
    lock.iamc().add(&one_point()).expect("add");
    lock.commit().expect("commit");
    run
}

fn one_point() -> Frame {
    Frame::yearly([("World", "Population", "million", 2020, 7_800.0)])
}

/// Runs `work` in several threads that begin at the same moment.
pub fn in_threads<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(count);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|thread| {
                let (barrier, work) = (&barrier, &work);
                scope.spawn(move || {
                    barrier.wait();
                    work(thread)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a thread"))
            .collect()
    })
}

fn open_error(url: &str) -> stratalog::Error {
    match Platform::open(url) {
        Ok(platform) => panic!("opened: {url:?} as {}", platform.url()),
        Err(error) => error,
    }
}

both_engines! {
    fn names_are_created_found_listed_and_deleted(database: &Database) {
        let platform = database.open();
        for (_, _, names) in kinds(&platform) {
            let b = names.create("b").expect("create");
            let a = names.create("a, \"quoted\" and 'so', 100 % Österreich ☃").expect("create");
            assert_ne!(a.id, b.id);
            assert_eq!(names.get(&b.name).expect("get"), b);
            assert_eq!(names.get(&a.name).expect("get"), a);
            assert_eq!(names.list().expect("list"), [a.clone(), b.clone()], "by name");
            names.delete(&a.name).expect("delete");
            assert!(names.get(&a.name).is_err_and(|error| error.is_not_found()));
            assert_eq!(names.list().expect("list"), [b]);
        }
        verify(&platform);
    }

    fn only_regions_have_a_hierarchy(database: &Database) {
        let platform = database.open();
        for (word, _, names) in kinds(&platform) {
            let common = names.create("a").expect("create");
            let given = names.create_in("b", "R5").expect("create");
            let expected = |hierarchy| (word == "region").then(|| String::from(hierarchy));
            assert_eq!(common.hierarchy, expected("common"));
            assert_eq!(given.hierarchy, expected("R5"));
            assert_eq!(names.list().expect("list"), [common, given]);
        }
    }

    fn a_name_that_exists_is_refused_and_the_error_says_which(database: &Database) {
        let platform = database.open();
        for (word, _, names) in kinds(&platform) {
            names.create("other").expect("create");
            let id = names.create("World").expect("create").id;
            let error = database.refused(|| names.create("World"));
            assert!(error.is_already_exists());
            assert!(
                error.to_string().starts_with(&format!("{word} \"World\" exists already (id {id})")),
                "{error}"
            );
        }
        // The hierarchy is not part of the name.
        let error = database.refused(|| platform.regions().create_in("World", "R5"));
        assert!(error.is_already_exists());
    }

    fn of_many_who_create_a_name_at_once_one_does(database: &Database) {
        drop(database.open());
        let results = in_threads(8, |_| database.open().regions().create("R"));
        let created: Vec<_> = results.iter().flatten().collect();
        assert_eq!(created.len(), 1, "{results:?}");
        let id = created[0].id;
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            assert!(error.is_already_exists(), "{error}");
            assert!(error.to_string().contains(&format!("(id {id})")), "{error}");
        }
    }

    fn a_missing_name_is_not_found_and_similar_ones_are_named(database: &Database) {
        let platform = database.open();
        for (word, table, names) in kinds(&platform) {
            let message = |name: &str| {
                let error = names.get(name).expect_err("not there");
                assert!(error.is_not_found());
                let of_delete = database.refused(|| names.delete(name));
                assert_eq!(of_delete.to_string(), error.to_string());
                error.to_string()
            };
            assert_eq!(message("World"), format!("no {word} \"World\": there are no {table} yet"));
            names.create("Primary Energy").expect("create");
            for typo in ["primary energy", "Primary Enrgy", "PrimaryEnergy", "Primary Energy "] {
                assert_eq!(
                    message(typo),
                    format!("no {word} \"{typo}\": did you mean \"Primary Energy\"?")
                );
            }
            assert!(message("World").contains(&format!("platform.{table}.tabulate()")));
        }
    }

    fn what_is_in_use_is_not_deleted_and_the_error_says_by_what(database: &Database) {
        let platform = database.open();
        platform.regions().create("World").expect("region");
        platform.units().create("million").expect("unit");
        let run = run_with_a_point(&platform, "m", "s");
        for (names, word, name, user) in [
            (platform.regions(), "region", "World", "datapoints of m / s, version 1"),
            (platform.variables(), "variable", "Population", "datapoints of m / s, version 1"),
            (platform.units(), "unit", "million", "datapoints of m / s, version 1"),
            (platform.models(), "model", "m", "runs of m / s, version 1"),
            (platform.scenarios(), "scenario", "s", "runs of m / s, version 1"),
        ] {
            let error = database.refused(|| names.delete(name));
            assert!(error.is_in_use());
            assert!(
                error.to_string().starts_with(&format!("{word} \"{name}\" cannot be deleted: it is used by {user}")),
                "{error}"
            );
        }

        let lock = run.lock("empty it").expect("lock");
        lock.iamc().remove(&one_point()).expect("remove");
        lock.commit().expect("commit");
        platform.regions().delete("World").expect("no longer in use");
        platform.runs().delete(&run).expect("delete the run");
        platform.models().delete("m").expect("no longer in use");
        verify(&platform);
    }

    fn what_many_runs_use_names_the_first_and_counts_the_rest(database: &Database) {
        let platform = database.open();
        platform.regions().create("World").expect("region");
        platform.units().create("million").expect("unit");
        for _ in 0..7 {
            run_with_a_point(&platform, "m", "s");
        }
        let error = database.refused(|| platform.regions().delete("World")).to_string();
        assert!(error.contains("m / s, version 1; m / s, version 2;"), "{error}");
        assert!(error.contains("m / s, version 5; 2 more"), "{error}");
    }

    fn a_deleted_name_that_is_created_again_gets_its_old_id(database: &Database) {
        let platform = database.open();
        for (_, _, names) in kinds(&platform) {
            let old = names.create("World").expect("create");
            let other = names.create("other").expect("create");
            names.delete("World").expect("delete");
            let new = names.create("new").expect("create");
            assert!(new.id > other.id, "an id in use before is not given to another");
            assert_eq!(names.create("World").expect("create again").id, old.id);
        }
        let region = platform.regions();
        region.delete("World").expect("delete");
        let again = region.create_in("World", "R5").expect("create again");
        assert_eq!(again.hierarchy.as_deref(), Some("R5"), "the hierarchy is the new one");
        verify(&platform);
    }

    fn names_that_cannot_be_used_are_refused(database: &Database) {
        let platform = database.open();
        for (word, _, names) in kinds(&platform) {
            for (name, problem) in [
                (" World", "blank"),
                ("World\t", "blank"),
                ("\u{a0}World", "blank"),
                ("Wor\0ld", "NUL"),
            ] {
                let error = database.refused(|| names.create(name));
                assert!(error.is_invalid_input());
                let error = error.to_string();
                assert!(error.starts_with(&format!("{word} name {name:?} cannot be used")), "{error}");
                assert!(error.contains(problem), "{error}");
            }
            if word != "unit" {
                assert!(database.refused(|| names.create("")).to_string().contains("empty"));
            }
        }
        platform.units().create("").expect("the unit of what has none");
    }

    fn hierarchies_that_cannot_be_used_are_refused(database: &Database) {
        let platform = database.open();
        for hierarchy in ["", " R5", "R\0"] {
            let error = database.refused(|| platform.regions().create_in("World", hierarchy));
            assert!(error.is_invalid_input(), "{error}");
            assert!(error.to_string().starts_with("hierarchy name"), "{error}");
        }
    }

    fn the_actor_is_recorded_in_transactions(database: &Database) {
        let user = std::process::Command::new("id").arg("-un").output().expect("id").stdout;
        let user = String::from_utf8(user).expect("UTF-8").trim().to_owned();
        let platform = database.open();
        assert_eq!(platform.actor(), user);
        platform.regions().create("World").expect("create");

        let platform = database.open_with(Platform::options().actor("nightly import"));
        assert_eq!(platform.actor(), "nightly import");
        platform.units().create("million").expect("create");
        run_with_a_point(&platform, "m", "s");

        let actors = database.plain().texts(
            "SELECT actor || ': ' || operation AS text FROM transactions ORDER BY id"
        );
        assert_eq!(actors, [
            format!("{user}: regions.create"),
            "nightly import: units.create".into(),
            "nightly import: runs.create".into(),
            "nightly import: iamc.add".into(),
        ]);
    }

    fn one_connection_is_enough(database: &Database) {
        let platform = Platform::options().pool_size(1).open(&database.url).expect("open");
        use_everything(&platform);
    }

    fn an_older_schema_is_refused_with_both_revisions_and_the_command(database: &Database) {
        let platform = database.open();
        let (url, expected) = (platform.url(), newest_revision(database));
        drop(platform);
        database.plain().run("DELETE FROM __diesel_schema_migrations").expect("delete");
        let error = open_error(&database.url);
        assert!(error.is_schema_mismatch());
        assert_eq!(
            error.to_string(),
            format!(
                "{url} has schema none, this program needs {expected}: \
                 run `stratalog migrate {url}` (a backup first is wise)"
            )
        );
    }

    fn a_newer_schema_is_refused_with_both_revisions(database: &Database) {
        drop(database.open());
        let expected = newest_revision(database);
        let newer = if database.engine == Engine::Sqlite { "(version)" } else { "(version, run_on)" };
        let row = if database.engine == Engine::Sqlite { "('99990101000000')" } else { "('99990101000000', now())" };
        database
            .plain()
            .run(&format!("INSERT INTO __diesel_schema_migrations {newer} VALUES {row}"))
            .expect("a revision of the future");
        let error = open_error(&database.url);
        assert!(error.is_schema_mismatch());
        let error = error.to_string();
        assert!(
            error.contains(&format!("has schema 99990101000000, newer than this program's {expected}: upgrade")),
            "{error}"
        );
    }

    fn migrating_again_does_nothing(database: &Database) {
        drop(database.open());
        assert!(Platform::migrate(&database.url).expect("migrate").is_empty());
    }

    fn threads_that_migrate_at_once_make_the_schema_once(database: &Database) {
        let database = Database::empty(database.engine);
        let applied = in_threads(8, |_| Platform::migrate(&database.url).expect("migrate"));
        assert_eq!(applied.iter().filter(|revisions| !revisions.is_empty()).count(), 1);
        the_schema_is_there_once(&database);
    }

    fn processes_that_migrate_at_once_make_the_schema_once(database: &Database) {
        let database = Database::empty(database.engine);
        let mut applied = processes::at_once(8, "platform::migrates", &database.url);
        applied.sort();
        assert_eq!(applied[..7], ["0", "0", "0", "0", "0", "0", "0"]);
        assert_ne!(applied[7], "0");
        the_schema_is_there_once(&database);
    }
}

#[test]
#[ignore = "one of the processes of processes_that_migrate_at_once_make_the_schema_once"]
fn migrates() {
    let Some(url) = processes::database() else {
        return;
    };
    processes::report(Platform::migrate(&url).expect("migrate").len());
}

fn newest_revision(database: &Database) -> String {
    let sql = "SELECT CAST(max(version) AS TEXT) AS text FROM __diesel_schema_migrations";
    database.plain().texts(sql).remove(0)
}

fn the_schema_is_there_once(database: &Database) {
    let mut plain = database.plain();
    assert_eq!(
        plain.number("SELECT count(*) FROM __diesel_schema_migrations"),
        1
    );
    let platform = database.open();
    verify(&platform);
    use_everything(&platform);
}

/// Each kind of call once; `:memory:` has one connection, which a call must not ask for twice.
fn use_everything(platform: &Platform) {
    for (_, _, names) in kinds(platform) {
        names.create("there").expect("create");
        let error = names.get("ther").expect_err("not there").to_string();
        assert!(error.contains("did you mean \"there\"?"), "{error}");
        let error = names.delete("ther").expect_err("not there").to_string();
        assert!(error.contains("did you mean \"there\"?"), "{error}");
        names.delete("there").expect("delete");
    }
    platform.regions().create("World").expect("region");
    platform.units().create("million").expect("unit");
    let run = run_with_a_point(platform, "m", "s");
    assert!(run.checkpoint("date").is_err());
    assert!(platform.runs().get("m", "S", None).is_err());
    assert!(
        platform
            .regions()
            .delete("World")
            .is_err_and(|error| error.is_in_use())
    );
    run.revert_to(run.last_transaction().expect("last transaction"))
        .expect("revert");
    assert_eq!(
        run.iamc()
            .tabulate(&stratalog::Filter::all())
            .expect("tabulate")
            .num_rows(),
        1
    );
    platform.runs().delete(&run).expect("delete");
    verify(platform);
}

/// SQLite only: PostgreSQL's schemas are migrated by command.
#[test]
fn threads_that_open_a_fresh_file_at_once_all_succeed() {
    let database = Database::sqlite();
    let opened = in_threads(8, |_| Platform::open(&database.url));
    opened
        .into_iter()
        .for_each(|platform| drop(platform.expect("open")));
    the_schema_is_there_once(&database);
}

/// SQLite only: PostgreSQL's schemas are migrated by command.
#[test]
fn processes_that_open_a_fresh_file_at_once_all_succeed() {
    let database = Database::sqlite();
    processes::at_once(8, "platform::opens", &database.url);
    the_schema_is_there_once(&database);
}

#[test]
#[ignore = "one of the processes of processes_that_open_a_fresh_file_at_once_all_succeed"]
fn opens() {
    let Some(url) = processes::database() else {
        return;
    };
    processes::report(Platform::open(&url).expect("open").url());
}

/// SQLite only: what an empty file may have been made by, an earlier process that died while opening it.
#[test]
fn an_empty_database_file_is_a_new_one() {
    let database = Database::sqlite();
    database
        .plain()
        .run("PRAGMA journal_mode = WAL; CREATE TABLE a (b); DROP TABLE a")
        .expect("a file");
    assert!(std::fs::metadata(&database.url).expect("metadata").len() > 0);
    use_everything(&database.open());
}

/// SQLite only: files.
#[test]
fn the_database_of_another_program_is_refused_and_left_as_it_is() {
    let database = Database::sqlite();
    database
        .plain()
        .run("CREATE TABLE bookmarks (url)")
        .expect("a table");
    let error = open_error(&database.url);
    assert!(error.is_schema_mismatch());
    assert!(error.to_string().contains("has schema none"), "{error}");
    let tables = database
        .plain()
        .texts("SELECT name AS text FROM sqlite_schema ORDER BY name");
    assert_eq!(tables, ["bookmarks"]);
}

/// PostgreSQL only: a new SQLite file is migrated when it is opened.
#[test]
fn an_unmigrated_schema_is_refused_with_both_revisions_and_the_command() {
    let database = Database::empty(Engine::Postgres);
    let error = open_error(&database.url);
    assert!(error.is_schema_mismatch());
    let error = error.to_string();
    Platform::migrate(&database.url).expect("migrate");
    let expected = newest_revision(&database);
    assert!(
        error.contains(&format!(
            "has schema none, this program needs {expected}: run `stratalog migrate "
        )),
        "{error}"
    );
}

/// SQLite only: files.
#[test]
fn files_are_opened_by_path_and_by_url() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().canonicalize().expect("a path");
    let absolute = folder
        .join("absolute.db")
        .to_str()
        .expect("UTF-8")
        .to_owned();
    // A relative path without changing the current folder, which threads share.
    let current = std::env::current_dir().expect("the current folder");
    let up: String = current.components().skip(1).map(|_| "../").collect();
    let relative = format!("{up}{}", absolute.trim_start_matches('/'));
    let region = |url: &str| {
        Platform::open(url)
            .expect(url)
            .regions()
            .list()
            .expect("list")
            .len()
    };

    Platform::open(&absolute)
        .expect("a new file")
        .regions()
        .create("World")
        .expect("create");
    for url in [
        absolute.clone(),
        relative.clone(),
        format!("sqlite:///{absolute}"),
        format!("sqlite:///{relative}"),
        format!("sqlite:{absolute}"),
        format!("sqlite:{relative}"),
    ] {
        assert_eq!(region(&url), 1, "{url}");
    }
}

/// SQLite only: files.
#[test]
fn odd_file_names_are_just_names() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in [
        "with blank.db",
        "file:odd.db",
        "50%20.db",
        "a?b=c#d.db",
        "Ünïcode ☃",
    ] {
        let path = folder.path().join(name);
        let platform = Platform::open(path.to_str().expect("UTF-8")).expect(name);
        platform.regions().create("World").expect("create");
        assert!(path.is_file(), "{name}");
    }
}

/// SQLite only: files.
#[test]
fn places_where_no_file_can_be_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    std::fs::write(
        path("text.db"),
        "not a database, but longer than its header ".repeat(100),
    )
    .expect("a file");
    for (url, problem) in [
        (path("missing/a.db"), "does not exist: make it first"),
        (path(""), "this is a folder"),
        (path("text.db"), "file is not a database"),
        ("".into(), "the path is empty"),
        ("sqlite://a.db".into(), "sqlite:///relative.db"),
        (
            "mysql://me:secret@host/db".into(),
            "not a database that stratalog knows",
        ),
        ("a\0b".into(), "NUL"),
    ] {
        let error = open_error(&url).to_string();
        assert!(error.contains(problem), "{url:?}: {error}");
        assert!(!error.contains("secret"), "{error}");
        assert!(Platform::migrate(&url).is_err(), "{url:?}");
    }
    assert!(!folder.path().join("missing").exists());
}

/// SQLite only.
#[test]
fn a_database_in_memory_keeps_its_data_across_calls() {
    for url in [
        "sqlite://:memory:",
        ":memory:",
        "sqlite:///:memory:",
        "sqlite://",
    ] {
        let platform = Platform::open(url).expect(url);
        assert_eq!(platform.url(), "sqlite://:memory:");
        use_everything(&platform);
        let clone = platform.clone();
        in_threads(4, |thread| {
            clone.regions().create(&thread.to_string()).expect("create")
        });
        assert_eq!(listed(&platform.regions()), ["0", "1", "2", "3", "World"]);
        let another = Platform::open(url).expect(url);
        assert!(
            listed(&another.regions()).is_empty(),
            "each is a database of its own"
        );
    }
}

/// PostgreSQL only.
#[test]
fn servers_are_opened_by_both_schemes_and_passwords_are_not_shown() {
    let database = Database::postgres();
    let short = database.url.replacen("postgresql://", "postgres://", 1);
    Platform::open(&short)
        .expect("open")
        .regions()
        .create("World")
        .expect("create");
    assert_eq!(listed(&database.open().regions()), ["World"]);

    let error = open_error("postgresql://me:secret@127.0.0.1:1/nowhere").to_string();
    assert!(
        error.starts_with("no connection to postgresql://me:***@127.0.0.1:1/nowhere"),
        "{error}"
    );
    assert!(!error.contains("secret"), "{error}");
}
