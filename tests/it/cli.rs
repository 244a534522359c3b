//! The `stratalog` program, as a user starts it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use stratalog::{Engine, Filter, Platform};
use tempfile::TempDir;

use crate::both_engines;
use crate::support::Database;
use crate::workbook::{self, Number, Text};

const LONG: &str = "Model,Scenario,Region,Variable,Unit,Year,Value\n\
    m,s,World,Population,million,2030,8500.1\n\
    m,s,World,Population,million,2050,-0.0\n\
    m,s,Africa,Population,million,2030,1700\n";

/// What the program did.
#[derive(Debug)]
pub struct Done {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

pub fn program(database: &Database) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stratalog"));
    command.env("STRATALOG_DB", &database.url);
    command
}

pub fn finish(command: &mut Command) -> Done {
    let output = command.output().expect("starting the program");
    Done {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

pub fn run(database: &Database, args: &[&str]) -> Done {
    finish(program(database).args(args))
}

/// The output of a command that succeeds and has nothing to complain about.
pub fn ok(database: &Database, args: &[&str]) -> String {
    let done = run(database, args);
    assert_eq!(
        (done.code, done.stderr.as_str()),
        (Some(0), ""),
        "{args:?}: {done:?}"
    );
    assert!(
        !done.stdout.contains('\u{1b}'),
        "colours in a pipe: {}",
        done.stdout
    );
    done.stdout
}

/// The document of a command that succeeds.
pub fn json(database: &Database, args: &[&str]) -> Value {
    let text = ok(database, &[args, &["--json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?}: {error}: {text}"))
}

/// The complaint of a command that fails with this code and prints nothing else.
pub fn fails(database: &Database, code: i32, args: &[&str]) -> String {
    let done = run(database, args);
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (Some(code), ""),
        "{args:?}: {done:?}"
    );
    assert!(done.stderr.starts_with("error: "), "{}", done.stderr);
    done.stderr
}

pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    pub fn file(&self, name: &str, contents: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, contents).expect("writing a file");
        path
    }
}

pub fn points(platform: &Platform, run: i64) -> usize {
    let run = platform.runs().get_by_id(run.into()).expect("the run");
    run.iamc()
        .tabulate(&Filter::all())
        .expect("its points")
        .num_rows()
}

pub fn is_clean(database: &Database) -> bool {
    let platform = database.open();
    platform.verify().expect("verifying").is_ok()
        && platform.locks().list().expect("locks").is_empty()
}

both_engines! {
    fn a_file_is_imported_and_looked_back_at(database: &Database) {
        let folder = Folder::new();
        let file = folder.file("figures.csv", LONG);
        let text = ok(database, &["import", &file, "--create", "--actor", "ada"]);
        assert_eq!(text, "\
run  model  scenario  version  points  inserted  updated  checkpoint
  1  m      s               1       3         3        0  import figures.csv
");
        assert_eq!(ok(database, &["runs"]), "\
id  model  scenario  version  default
 1  m      s               1
");
        let log = json(database, &["log"]);
        assert_eq!(log[0]["operation"], "iamc.add");
        assert_eq!(log[0]["run"], "m / s, version 1");
        assert_eq!(log[0]["actor"], "ada");
        assert_eq!(log[0]["checkpoints"], json!(["import figures.csv"]));
        assert_eq!(log[0]["changes"]["datapoints"], json!({"inserted": 3, "updated": 0, "deleted": 0}));
        assert!(log[0]["issued_at"].as_str().expect("a time").ends_with('Z'));
        assert_eq!(json(database, &["log", "m/s/1"]).as_array().map(Vec::len), Some(1));
        let text = ok(database, &["log", "--limit", "1"]);
        assert!(text.contains("datapoints +3"), "{text}");
        assert!(text.contains(&format!("--before {}", log[0]["id"])), "{text}");
        assert!(ok(database, &["log", "--before", "1"]).contains("no such transactions"));
        let checkpoints = json(database, &["checkpoints", "m/s/1"]);
        assert_eq!(checkpoints[0]["message"], "import figures.csv");
        assert_eq!(checkpoints[0]["transaction_id"], log[0]["id"]);
        assert!(ok(database, &["checkpoints", "1"]).contains("import figures.csv"));
        assert!(ok(database, &["locks"]).contains("no run is locked"));
        assert!(ok(database, &["verify"]).starts_with("OK: "));
        assert_eq!(json(database, &["verify"])["is_ok"], true);
    }

    fn long_wide_and_workbook_give_the_same_points(database: &Database) {
        let folder = Folder::new();
        let long = folder.file("long.csv", LONG);
        let wide = folder.file("wide.csv", "\u{feff}region,variable,unit,2030,2050\n\
            World,Population,million,8500.1,-0.0\nAfrica,Population,million,1700,\n");
        let book = folder.path("book.xlsx");
        let rows: workbook::Rows<'_> = &[
            &[Text("Region"), Text("Variable"), Text("Unit"), Number(2030.0), Number(2050.0)],
            &[Text("World"), Text("Population"), Text("million"), Number(8500.1), Number(-0.0)],
            &[Text("Africa"), Text("Population"), Text("million"), Number(1700.0)],
        ];
        workbook::xlsx(Path::new(&book), &[("meta", &[]), ("data", rows)]);
        ok(database, &["import", &long, "--create"]);
        for file in [&wide, &book] {
            let done = json(database, &["import", file, "--model", "m", "--scenario", "s"]);
            assert_eq!(done["imported"][0]["points"], 3, "{done}");
            assert_eq!(done["imported"][0]["is_new"], true, "{done}");
        }
        let exported: Vec<_> = ["1", "2", "3"].map(|run| ok(database, &["export", run, "-"])).into();
        assert!(exported[0].contains("World,Population,million,2050,-0.0\n"), "{}", exported[0]);
        assert_eq!(exported[0], exported[1]);
        assert_eq!(exported[0], exported[2]);
    }

    fn what_is_exported_is_imported_unchanged(database: &Database) {
        let folder = Folder::new();
        let mixed = folder.file("mixed.csv", "model,scenario,region,variable,unit,subannual,time,value\n\
            m,s,World,\"GDP, PPP\",,,2030,5e-324\n\
            m,s,World,\"GDP, PPP\",,winter,2030,0.1\n\
            m,s,Côte d'Ivoire,\"a \"\"b\"\"\",EJ,,2030-06-17T14:00:00+02:00,-0.0\n");
        ok(database, &["import", &mixed, "--create", "--set-default"]);
        for wide in [false, true] {
            let file = folder.path("copy.csv");
            let layout: &[&str] = if wide { &["--wide"] } else { &[] };
            let done = json(database, &[&["export", "m/s", &file], layout].concat());
            assert_eq!((&done["points"], &done["run"]["id"]), (&json!(3), &json!(1)));
            let done = json(database, &["import", &file, "--version", "1"]);
            assert_eq!(done["imported"][0]["changes"], json!({"inserted": 0, "updated": 0, "deleted": 0}));
        }
        let text = ok(database, &["export", "1", "-", "--region", "C*", "--unit", "EJ"]);
        assert_eq!(text, "Model,Scenario,Region,Variable,Unit,Datetime,Value\n\
            m,s,Côte d'Ivoire,\"a \"\"b\"\"\",EJ,2030-06-17 12:00:00,-0.0\n");
        assert_eq!(ok(database, &["export", "1", "-", "--year", "2031,2050"]).lines().count(), 1);
    }

    fn states_are_compared_and_reverted_to(database: &Database) {
        let folder = Folder::new();
        let first = folder.file("first.csv", LONG);
        let second = folder.file("second.csv", &LONG.replace("8500.1", "8500.2").replace("Africa", "Asia"));
        ok(database, &["import", &first, "--create", "-m", "raw data"]);
        ok(database, &["import", &second, "--create", "--version", "1", "-m", "corrected"]);
        assert_eq!(ok(database, &["diff", "m / s / 1", "raw data"]), "\
m / s, version 1, from \"raw data\" to now:

table       inserted  updated  deleted
datapoints         1        1        0

change  region  variable    unit     year  before   after
update  World   Population  million  2030  8500.1  8500.2
insert  Asia    Population  million  2030            1700
");
        let text = ok(database, &["diff", "1", "#2", "#1", "--limit", "1"]);
        assert!(text.contains("from checkpoint 2 to checkpoint 1"), "{text}");
        assert!(text.ends_with("… and 1 more: --limit 0 shows all\n"), "{text}");
        let done = json(database, &["diff", "1", "raw data", "--limit", "1"]);
        assert_eq!(done["points"].as_array().map(Vec::len), Some(2));
        assert_eq!(done["points"][0]["value_before"], 8500.1);
        assert_eq!(done["points"][1]["value_before"], Value::Null);
        assert_eq!(done["tables"][0]["changes"]["inserted"], 1);
        assert!(ok(database, &["diff", "1", "#2"]).contains("no difference"));

        assert_eq!(ok(database, &["diff", "1", "raw data", "--summary"]), "\
m / s, version 1, from \"raw data\" to now:

table       region  variable    inserted  updated  deleted
datapoints  Asia    Population         1        0        0
datapoints  World   Population         0        1        0
");
        let text = ok(database, &["diff", "1", "raw data", "--region", "Asia"]);
        assert!(text.contains("Asia") && !text.contains("World "), "{text}");
        // Parts, first tried.
        let log = json(database, &["log"]);
        let text = ok(database, &["revert", "1", "raw data", "--region", "World", "--dry-run"]);
        assert!(text.contains("would change") && text.contains("8500.2  8500.1"), "{text}");
        let last = log[0]["id"].to_string();
        let text = ok(database, &["undo", "1", &last, "--dry-run"]);
        assert!(text.contains("delete  Asia") && text.contains("update  World"), "{text}");
        assert_eq!(json(database, &["undo", "1", &last, "--dry-run"])["points"].as_array().map(Vec::len), Some(2));
        assert_eq!(json(database, &["log"]), log);
        let text = ok(database, &["revert", "1", "raw data", "--region", "World"]);
        assert!(text.contains("the selected points, is at \"raw data\" again: 0 inserted, 1 updated"), "{text}");
        let text = ok(database, &["undo", "1", &format!("@{last}")]);
        assert!(text.contains("is undone: 0 inserted, 0 updated, 1 deleted"), "{text}");
        assert!(fails(database, 1, &["undo", "1", "1"]).contains("not one of run"));
        fails(database, 2, &["undo", "1", "first"]);
        ok(database, &["revert", "1", "corrected"]);
        // Every version of a point, and the log of a time.
        let text = ok(database, &["history", "1", "--region", "World", "--year", "2030"]);
        assert!(text.contains("corrected") && text.contains("iamc.add"), "{text}");
        let versions = json(database, &["history", "1", "--region", "Asia"]);
        let operations: Vec<_> = versions["versions"].as_array().expect("a list").iter().map(|v| v["operation"].clone()).collect();
        assert_eq!(operations, ["insert", "delete", "insert"]);
        assert_eq!(versions["versions"][1]["value"], Value::Null);
        assert!(ok(database, &["history", "1", "--region", "Mars"]).contains("no such points"));
        let all = json(database, &["log", "--limit", "100"]);
        assert_eq!(json(database, &["log", "--limit", "100", "--since", "2020-01-01", "--until", "2999-01-01T12:00"]), all);
        assert!(ok(database, &["log", "--until", "2020-01-01"]).contains("no such transactions"));
        assert!(ok(database, &["log", "--by", "nobody"]).contains("no such transactions"));
        fails(database, 2, &["log", "--since", "yesterday"]);
        // Two runs.
        ok(database, &["import", &first, "-m", "again"]);
        let text = ok(database, &["diff", "1", "--with", "m/s/2"]);
        assert!(text.contains("from now to m / s, version 2 now") && text.contains("delete  Asia"), "{text}");
        fails(database, 2, &["diff", "1"]);

        let before = ok(database, &["export", "1", "-", "--as-of", "raw data"]);
        assert_eq!(ok(database, &["export", "1", "-", "--as-of", "@2999-01-01"]), ok(database, &["export", "1", "-"]));
        let done = json(database, &["revert", "1", "raw data"]);
        assert_eq!(done["changes"], json!({"inserted": 0, "updated": 1, "deleted": 1}));
        assert_eq!(ok(database, &["export", "1", "-"]), before);
        assert!(ok(database, &["revert", "1", "corrected"]).contains("is at \"corrected\" again: 1 inserted, 1 updated"));
        assert!(ok(database, &["revert", "1", "@0"]).contains("0 inserted, 0 updated, 4 deleted"));
        let complaint = fails(database, 1, &["revert", "1", "nowhere"]);
        assert!(complaint.contains("\"raw data\" (id 1)"), "{complaint}");
        assert!(is_clean(database));
    }

    fn unknown_names_leave_nothing_written(database: &Database) {
        let folder = Folder::new();
        let known = folder.file("known.csv", LONG);
        ok(database, &["import", &known, "--create"]);
        let other = folder.file("other.csv", "Model,Scenario,Region,Variable,Unit,2030\n\
            m,a,World,Population,million,1\nm,b,Worlds,Population,million,1\nm,b,Moon,Population,bn,1\n");
        let log = json(database, &["log"]);
        let complaint = fails(database, 1, &["import", &other]);
        for part in ["nothing was written", "\"Worlds\" (did you mean \"World\"?)", "\"Moon\"", "unknown units \"bn\"", "--create"] {
            assert!(complaint.contains(part), "{part}: {complaint}");
        }
        assert_eq!(json(database, &["log"]), log);
        assert!(fails(database, 1, &["import", &known, &folder.file("bad.csv", "")]).contains("it is empty"));
        assert_eq!(json(database, &["log"]), log);
    }

    fn files_without_names_get_them_from_the_options(database: &Database) {
        let folder = Folder::new();
        let nameless = folder.file("nameless.csv", "Region,Variable,Unit,2030\nWorld,x,EJ,1\n");
        assert!(fails(database, 1, &["import", &nameless, "--create", "--scenario", "s"]).contains("give it with --model NAME"));
        ok(database, &["import", &nameless, "--create", "--scenario", "s", "--model", "a/b"]);
        let long = folder.file("long.csv", LONG);
        assert!(fails(database, 1, &["import", &long, "--create", "--model", "n"]).contains("it names the model \"m\" itself"));
        assert!(fails(database, 1, &["import", &nameless, "--model", "a/b", "--scenario", "s", "--type", "datetime"]).contains("it has yearly points, not only datetime ones"));
        assert!(fails(database, 1, &["import", &nameless, "--model", "a/b", "--scenario", "s", "--version", "7"]).contains("versions there: 1"));
        assert!(ok(database, &["checkpoints", "a/b / s / 1"]).contains("import nameless.csv"));
        assert_eq!(points(&database.open(), 1), 1);
    }

    fn versions_in_a_file_become_runs_of_their_own(database: &Database) {
        let folder = Folder::new();
        let file = folder.file("two.csv", "Model,Scenario,Version,Region,Variable,Unit,2030\n\
            m,s,1,World,x,EJ,1\nm,s,2,World,x,EJ,2\n");
        let done = json(database, &["import", &file, "--create"]);
        assert_eq!(done["imported"][1]["run"]["version"], 2);
        let complaint = fails(database, 1, &["import", &file, "--version", "1"]);
        assert!(complaint.contains("it has version 2 of m / s, which cannot go into version 1"), "{complaint}");
    }

    fn a_locked_run_is_left_alone_and_its_holder_named(database: &Database) {
        let folder = Folder::new();
        let file = folder.file("two.csv", "Model,Scenario,Region,Variable,Unit,2030\n\
            m,a,World,x,EJ,1\nm,b,World,x,EJ,1\n");
        ok(database, &["import", &file, "--create"]);
        let changed = folder.file("changed.csv", &std::fs::read_to_string(&file).expect("the file").replace(",1\n", ",2\n"));
        let platform = database.open_with(Platform::options().actor("ada"));
        let lock = platform.runs().get("m", "b", Some(1)).expect("the run").lock("thinking").expect("the lock");

        let complaint = fails(database, 4, &["revert", "m/b/1", "import two.csv"]);
        assert!(complaint.contains("is locked by ada") && complaint.contains("--timeout SECONDS"), "{complaint}");

        // The first run is imported, the second is not, and both are said.
        let done = run(database, &["import", &changed, "--version", "1", "--timeout", "0.2", "--json"]);
        assert_eq!(done.code, Some(4), "{done:?}");
        let document: Value = serde_json::from_str(&done.stdout).expect("JSON");
        assert_eq!(document["imported"][0]["run"]["scenario"], "a");
        assert_eq!(document["imported"][0]["changes"]["updated"], 1);
        assert_eq!(document["failed"], "m / b, version 1");
        assert!(done.stderr.contains("waited 0.2 s") && done.stderr.contains("the runs above are imported"), "{}", done.stderr);
        lock.rollback().expect("rolling back");
        ok(database, &["import", &changed, "--version", "1"]);
        assert!(is_clean(database));
    }

    fn verify_names_the_rows_and_exits_with_3(database: &Database) {
        let folder = Folder::new();
        ok(database, &["import", &folder.file("a.csv", LONG), "--create"]);
        let guards_off = match database.engine {
            Engine::Sqlite => "DROP TRIGGER datapoints_record_update",
            Engine::Postgres => "ALTER TABLE datapoints DISABLE TRIGGER USER",
        };
        let mut plain = database.plain();
        plain.run(guards_off).expect("the owner may");
        plain.run("UPDATE datapoints SET value = 7.0 WHERE step = 2050").expect("unguarded");
        let done = run(database, &["verify"]);
        assert_eq!((done.code, done.stderr.as_str()), (Some(3), "error: 1 problem found: see above\n"), "{done:?}");
        assert!(done.stdout.contains("datapoints: 1 live rows whose values differ"), "{}", done.stdout);
        assert!(done.stdout.contains("run_id=1, region_id="), "{}", done.stdout);
        let done = run(database, &["verify", "--json"]);
        assert_eq!(done.code, Some(3), "{done:?}");
        let document: Value = serde_json::from_str(&done.stdout).expect("JSON");
        assert_eq!((&document["is_ok"], &document["problems"][0]["count"]), (&json!(false), &json!(1)));
    }

    fn regions_units_and_default_versions_are_kept(database: &Database) {
        ok(database, &["migrate"]);
        ok(database, &["regions", "add", "World", "Africa", "--hierarchy", "continents"]);
        assert_eq!(json(database, &["regions"])[0]["hierarchy"], "continents");
        assert!(fails(database, 1, &["regions", "add", "World"]).contains("exists already"));
        assert_eq!(json(database, &["units", "add", "million", ""])[1]["name"], "");
        assert!(ok(database, &["units", "list"]).contains("\"\""));
        let folder = Folder::new();
        ok(database, &["import", &folder.file("a.csv", LONG)]);
        assert!(fails(database, 1, &["regions", "delete", "World"]).contains("it is used by"));
        ok(database, &["regions", "add", "Moon"]);
        assert_eq!(json(database, &["regions", "delete", "Moon"])["deleted"], "Moon");
        assert!(fails(database, 1, &["log", "m/s"]).contains("stratalog default"));
        assert!(ok(database, &["default", "m/s/1"]).contains("m / s, version 1 is the default version now"));
        assert_eq!(json(database, &["runs", "--default", "--model", "m"])[0]["is_default"], true);
        assert!(ok(database, &["log", "m/s"]).contains("iamc.add"));
        assert_eq!(json(database, &["default", "m/s", "--unset"])["is_default"], false);
        assert!(ok(database, &["runs", "--default"]).contains("no such runs"));
    }

    fn runs_are_cloned_deleted_and_restored_and_their_indicators_listed(database: &Database) {
        ok(database, &["migrate"]);
        let folder = Folder::new();
        ok(database, &["import", &folder.file("a.csv", LONG), "--create"]);
        let platform = database.open();
        let run = platform.runs().get_by_id(stratalog::RunId(1)).expect("the run");
        let lock = run.lock("meta").expect("lock");
        lock.meta().set("category", "C1").expect("set");
        lock.meta().set("cost", 2.5).expect("set");
        lock.commit().expect("commit");
        assert!(ok(database, &["meta"]).contains("no such meta indicators"), "the run is no default");
        ok(database, &["default", "1"]);
        assert!(ok(database, &["meta", "--filter", "value__gt=2"]).contains("cost"));

        let clone = json(database, &["clone", "1", "--scenario", "what if"]);
        assert_eq!((&clone["scenario"], &clone["version"], &clone["cloned_from"]["run"]), (&json!("what if"), &json!(1), &json!(1)));
        assert!(ok(database, &["clone", "m/s", "--without-solution"]).contains("version 2 (id 3) is a copy of m / s, version 1 now"));
        assert_eq!(json(database, &["meta", "--key", "cat*", "--all-versions"]).as_array().expect("rows").len(), 3);
        assert_eq!(json(database, &["meta", "--scenario", "s", "--key", "cost"])[0]["value"], 2.5);

        assert!(ok(database, &["delete", "3"]).contains("`stratalog restore 3` brings it back"));
        assert!(fails(database, 1, &["delete", "3"]).contains("no run with id 3"));
        assert_eq!(json(database, &["runs", "--deleted"])[0]["id"], 3);
        assert!(ok(database, &["restore", "3"]).contains("m / s, version 2 is back"));
        assert!(ok(database, &["runs", "--deleted"]).contains("no such runs"));
        assert_eq!(points(&platform, 3), points(&platform, 1));
        assert!(fails(database, 2, &["meta", "--filter", "cost"]).contains("a filter is NAME=VALUE"));
        assert!(fails(database, 1, &["runs", "--filter", "year=2030"]).contains("runs can be filtered by"));
        assert!(is_clean(database));
    }

    fn a_database_of_another_schema_is_refused_with_what_to_do(database: &Database) {
        drop(database.open());
        database.plain().run("DROP TABLE __diesel_schema_migrations").expect("the owner may");
        let complaint = fails(database, 1, &["runs"]);
        assert!(complaint.contains("has schema none, this program needs ") && complaint.contains("run `stratalog migrate "), "{complaint}");
    }

    fn a_reader_that_goes_away_is_no_error(database: &Database) {
        let folder = Folder::new();
        ok(database, &["import", &big_file(&folder, 100), "--create"]);
        let mut child = program(database)
            .args(["export", "1", "-"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starting the program");
        let mut stdout = child.stdout.take().expect("stdout");
        stdout.read_exact(&mut [0; 10]).expect("the first bytes");
        drop(stdout);
        let output = child.wait_with_output().expect("the end");
        assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(141), ""));
    }

    fn an_interrupted_import_is_rolled_back(database: &Database) {
        let folder = Folder::new();
        let big = big_file(&folder, 1_000);
        let small = folder.file("small.csv", "Model,Scenario,Region,Variable,Unit,1900\nm,s,Region 1,v,EJ,-1\n");
        ok(database, &["import", &small, "--create"]);
        let platform = database.open();
        for into in [&["--version", "1"][..], &[]] {
            let child = program(database)
                .args([&["import", &big, "--create"], into].concat())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("starting the program");
            // Once it holds the lock, seconds of work are before it.
            while platform.locks().list().expect("locks").is_empty() {
                std::thread::sleep(Duration::from_millis(1));
            }
            let killed = Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status();
            assert!(killed.is_ok_and(|status| status.success()));
            let output = child.wait_with_output().expect("the end");
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(130), "{stderr}");
            assert!(stderr.ends_with("error: interrupted; nothing of it was kept\n"), "{stderr}");
            assert!(is_clean(database));
            assert_eq!(points(&platform, 1), 1);
            assert_eq!(json(database, &["runs"]).as_array().map(Vec::len), Some(1));
        }
    }
}

/// 100 points for each of so many series.
pub fn big_file(folder: &Folder, series: usize) -> String {
    let mut text = "Model,Scenario,Region,Variable,Unit,Year,Value\n".to_owned();
    for series in 0..series {
        for year in 1900..2000 {
            text += &format!(
                "m,s,Region {},v|{},EJ,{year},{}.5\n",
                series % 10,
                series / 10,
                year + series
            );
        }
    }
    folder.file("big.csv", &text)
}

// From here on: what happens before there is an engine.

#[test]
fn wrong_usage_exits_with_2() {
    let database = Database::sqlite();
    for args in [
        &["--nonsense"][..],
        &["frobnicate"],
        &["log", "a/b/c/d"],
        &["revert", "1"],
        &["import"],
        &["import", "a.csv", "--timeout", "-1"],
        &["import", "a.csv", "--type", "monthly"],
        &["export", "1", "-", "--json"],
        &["migrate", "--owner-role", "o"],
        &["migrate", "--app-role", "a"],
    ] {
        fails(&database, 2, args);
    }
    let done = finish(program(&database).env_remove("STRATALOG_DB").arg("runs"));
    assert_eq!(done.code, Some(2));
    assert!(
        done.stderr.contains("--db URL, or set STRATALOG_DB"),
        "{}",
        done.stderr
    );
    assert!(ok(&database, &["--help"]).contains("Exit codes: 0 done"));
    assert!(ok(&database, &["--version"]).starts_with("stratalog "));
}

#[test]
fn a_database_that_is_not_there_is_not_made_by_looking() {
    let folder = Folder::new();
    let mut database = Database::sqlite();
    let file = folder.file("a.csv", LONG);
    for (url, complaint) in [
        (folder.path("typo.db"), "there is no such database"),
        (
            folder.path("no/such/folder.db"),
            "does not exist: make it first",
        ),
        (
            "mysql://host/database".into(),
            "not a database that stratalog knows",
        ),
        (
            folder.file("text.db", &"no database ".repeat(100)),
            "file is not a database",
        ),
    ] {
        database.url = url;
        for args in [&["runs"][..], &["import", &file]] {
            let found = fails(&database, 1, args);
            assert!(found.contains(complaint), "{found}");
        }
    }
    let left: Vec<PathBuf> = std::fs::read_dir(folder.0.path())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.ends_with("typo.db"))
        .collect();
    assert_eq!(left, [] as [PathBuf; 0]);
    database.url = folder.path("new.db");
    assert!(ok(&database, &["migrate"]).starts_with("applied "));
    assert!(ok(&database, &["migrate", &database.url]).contains("up to date already"));
    let roles = ["migrate", "--owner-role", "o", "--app-role", "a"];
    assert!(fails(&database, 1, &roles).contains("SQLite has no roles"));
    database.url = folder.path("newer.db");
    ok(&database, &["import", &file, "--create"]);
}

#[test]
fn a_password_is_not_repeated() {
    let mut database = Database::sqlite();
    database.url = "postgresql://me:secret@127.0.0.1:1/database".into();
    let complaint = fails(&database, 1, &["runs"]);
    assert!(
        complaint.contains("me:***@127.0.0.1:1") && !complaint.contains("secret"),
        "{complaint}"
    );
}
