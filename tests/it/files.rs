//! Reading and writing IAMC files. No database: these tests need no engine.

use std::path::{Path, PathBuf};

use stratalog::arrow::array::{Array, AsArray, RecordBatch};
use stratalog::arrow::compute::cast;
use stratalog::arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType};
use stratalog::files::{FileRun, Layout, read, write, write_to};
use stratalog::{RunId, RunInfo};
use tempfile::TempDir;

use crate::workbook::{self, Bool, Date, Empty, Error, Number, Text};

/// A folder and a file in it.
fn file(name: &str, contents: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    std::fs::write(&path, contents).expect("writing a file");
    (folder, path)
}

fn read_csv(contents: &str) -> Vec<FileRun> {
    let (_folder, path) = file("data.csv", contents);
    read(&path).unwrap_or_else(|error| panic!("{contents}\n{error}"))
}

/// What is said about a CSV file, without the folder.
fn refused(contents: impl AsRef<[u8]>) -> String {
    let (_folder, path) = file("data.csv", contents);
    message(&path)
}

fn message(path: &Path) -> String {
    let error = read(path).expect_err("not refused").to_string();
    let error = error.replace(
        &format!("{}/", path.parent().expect("a folder").display()),
        "",
    );
    error
        .trim_start_matches("the data cannot be taken, nothing was written: ")
        .to_owned()
}

/// The points of a frame as text: "World | Population | million | 2030 | 8.5".
fn points(batch: &RecordBatch) -> Vec<String> {
    let text = |name: &str, row: usize| {
        let array = batch.column_by_name(name)?;
        let array = cast(array, &DataType::Utf8).expect("text");
        let array = array.as_string::<i32>();
        array.is_valid(row).then(|| array.value(row).to_owned())
    };
    let year = |row: usize| {
        let array = batch.column_by_name("year")?.as_primitive::<Int64Type>();
        array.is_valid(row).then(|| array.value(row).to_string())
    };
    let moment = |row: usize| {
        let array = batch
            .column_by_name("datetime")?
            .as_primitive::<TimestampMicrosecondType>();
        array
            .is_valid(row)
            .then(|| array.value_as_datetime(row).expect("a date").to_string())
    };
    let value = batch
        .column_by_name("value")
        .expect("value")
        .as_primitive::<Float64Type>();
    (0..batch.num_rows())
        .map(|row| {
            ["region", "variable", "unit"]
                .iter()
                .map(|name| text(name, row))
                .chain([year(row), text("subannual", row), moment(row)])
                .flatten()
                .chain([format!("{:?}", value.value(row))])
                .collect::<Vec<_>>()
                .join(" | ")
        })
        .collect()
}

fn all_points(runs: &[FileRun]) -> Vec<String> {
    runs.iter()
        .flat_map(|run| points(run.frame.batch()))
        .collect()
}

#[test]
fn long_files_are_read() {
    let runs = read_csv(
        "Model,Scenario,Region,Variable,Unit,Year,Value\n\
         m,s,World,Population,million,2030,8500.5\n\
         m,s,World,\"GDP, PPP\",\"US\"\"$\"\"\",2030,-0.0\n",
    );
    assert_eq!(runs.len(), 1);
    assert_eq!(
        (runs[0].model.as_deref(), runs[0].scenario.as_deref()),
        (Some("m"), Some("s"))
    );
    assert_eq!(runs[0].version, None);
    assert_eq!(
        all_points(&runs),
        [
            "World | Population | million | 2030 | 8500.5",
            "World | GDP, PPP | US\"$\" | 2030 | -0.0"
        ]
    );
}

#[test]
fn wide_files_are_read_and_empty_cells_are_no_points() {
    let runs = read_csv(
        "Region,Variable,Unit,2030,2050.0,2030-06-17 12:00\n\
         World,Population,million,1,,3\n\
         ,,,,,\n\
         \n\
         World,Share,, ,2,\n",
    );
    assert_eq!((&runs[0].model, &runs[0].scenario), (&None, &None));
    assert_eq!(
        all_points(&runs),
        [
            "World | Population | million | 2030 | 1.0",
            "World | Population | million | 2030-06-17 12:00:00 | 3.0",
            "World | Share |  | 2050 | 2.0",
        ]
    );
}

#[test]
fn each_model_scenario_and_version_is_a_run_in_the_order_of_appearance() {
    let runs = read_csv(
        "Version,Model,Scenario,Region,Variable,Unit,2030\n\
         2,m,b,World,x,,1\n\
         1,m,a,World,x,,2\n\
         1,m,b,World,x,,3\n\
         2,m,b,World,y,,4\n",
    );
    let keys: Vec<_> = runs
        .iter()
        .map(|run| {
            (
                run.scenario.as_deref().unwrap_or_default(),
                run.version,
                run.frame.num_rows(),
            )
        })
        .collect();
    assert_eq!(
        keys,
        [("b", Some(2), 2), ("a", Some(1), 1), ("b", Some(1), 1)]
    );
}

#[test]
fn times_may_be_years_parts_of_years_and_moments() {
    let runs = read_csv(
        "region,variable,unit,subannual,time,value\n\
         World,x,,,2030,1\n\
         World,x,,winter,2030,2\n\
         World,x,,Year,2031,3\n\
         World,x,,,2030-06-17T12:00:00+02:00,4\n",
    );
    assert_eq!(
        all_points(&runs),
        [
            "World | x |  | 2030 | 1.0",
            "World | x |  | 2030 | winter | 2.0",
            "World | x |  | 2031 | 3.0",
            "World | x |  | 2030-06-17 10:00:00 | 4.0",
        ]
    );
    let runs = read_csv(
        "region,variable,unit,year,datetime,value\n\
         World,x,,2030,,1\n\
         World,x,,,2030-06-17,2\n",
    );
    assert_eq!(all_points(&runs).len(), 2);
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_tolerated() {
    let runs =
        read_csv("\u{feff}\"Region\",Variable,Unit,Year,Value\r\nCôte d'Ivoire,x,,2030,1\r\n");
    assert_eq!(all_points(&runs), ["Côte d'Ivoire | x |  | 2030 | 1.0"]);
}

#[test]
fn every_problem_is_named_with_its_line() {
    assert_eq!(
        refused(
            "Region,Variable,Unit,Year,Value\n\
             World,x,,2030,n/a\n\
             World,x,,2031,\n\
             ,x,,2032,1\n\
             World, x,,2033,1\n\
             World,x,,soon,1\n\
             World,x,,,1\n\
             World,x,,2034,\"1,5\"\n\
             World,x,,2035,NaN\n\
             World,x,,2036,1e999\n\
             World,x,,2037\n\
             World,x,,2038,1,extra\n"
        ),
        "data.csv: Value is not a number in line 2 (\"n/a\"); Value is empty in line 3; \
         Region is empty in line 4; Variable begins or ends with a blank in line 5 (\" x\"); \
         Year is not a year in line 6 (\"soon\"); Year is empty in line 7; \
         Value has a decimal comma (write a point, and no thousands separators) in line 8 (\"1,5\"); \
         Value is not a finite number (for no point, leave the cell of a wide file empty) in line 9 (\"NaN\"); \
         Value is too large for a 64-bit float in line 10 (\"1e999\"); \
         not 5 cells as in the header in lines 11 (4), 12 (6)"
    );
}

#[test]
fn problems_of_wide_files_name_the_column_too() {
    assert_eq!(
        refused(
            "Model,Region,Variable,Unit,2030,2050,\n\
             m,World,x,,a,1,\n\
             m,World,y,,1,b,note\n\
             ,World,z,,1,1,\n"
        ),
        "data.csv: a value is not a number in lines 2 (column 2030: \"a\"), 3 (column 2050: \"b\"); \
         a cell under no name in line 3 (column 7); Model is empty in line 4"
    );
}

#[test]
fn ten_lines_of_a_problem_are_named_and_the_others_counted() {
    let rows: String = (0..25)
        .map(|year| format!("World,x,,{},?\n", 2000 + year))
        .collect();
    let message = refused(format!("Region,Variable,Unit,Year,Value\n{rows}"));
    assert!(message.ends_with("11 (\"?\") and 15 more"), "{message}");
}

#[test]
fn lines_are_counted_as_an_editor_does() {
    let message =
        refused("Region,Variable,Unit,Year,Value\n\nWorld,\"a\nb\",,2030,1\nWorld,x,,2030,?\n");
    assert_eq!(message, "data.csv: Value is not a number in line 5 (\"?\")");
}

#[test]
fn the_same_point_twice_is_refused_with_both_lines() {
    assert_eq!(
        refused(
            "Region,Variable,Unit,Year,Value\n\
             World,x,,2030,1\n\
             World,y,,2030,1\n\
             World,x,,2030,1\n\
             World,x,EJ,2030,1\n"
        ),
        "data.csv: the same point again in line 4 (as in 2: World, x)"
    );
}

#[test]
fn versions_are_positive_numbers() {
    assert_eq!(
        refused(
            "Version,Region,Variable,Unit,2030\n0,World,x,,1\nlast,World,x,,1\n2.0,World,x,,1\n"
        ),
        "data.csv: Version is not 1, 2, 3 … in lines 2 (\"0\"), 3 (\"last\")"
    );
}

#[test]
fn times_that_do_not_go_together_are_refused() {
    assert_eq!(
        refused(
            "Region,Variable,Unit,Year,Datetime,Subannual,Value\n\
             World,x,,2030,2030-06-17,,1\n\
             World,x,,,2030-06-17,winter,1\n\
             World,x,,,,,1\n\
             World,x,,,17.6.2030,,1\n"
        ),
        "data.csv: both a year and a date and time in line 2 (\"2030-06-17\"); \
         Subannual beside a date and time in line 3 (winter); Year and Datetime is empty in line 4; \
         Datetime is not a date and time (write 2030-06-17 or 2030-06-17 12:00:00) in line 5 (\"17.6.2030\")"
    );
    assert_eq!(
        refused(
            "Region,Variable,Unit,Datetime,Value\n\
             World,x,,2030-06-17 12:00:00,1\n\
             World,x,,2030-06-17 13:00:00+02:00,1\n"
        ),
        "data.csv: dates with and without a time zone in line 3 (3 has a zone, 2 has none)"
    );
}

#[test]
fn files_that_are_none_are_refused() {
    assert_eq!(refused(""), "data.csv: it is empty");
    assert_eq!(
        refused(b"Region,Variable,Unit,2030\nC\xf4te d'Ivoire,x,,1\n"),
        "data.csv: line 2, column 1 is not UTF-8: save the file as UTF-8 (in Excel: \"CSV UTF-8\")"
    );
    assert_eq!(
        refused("Region;Variable;Unit;2030\nWorld;x;;1,5\n"),
        "data.csv: its columns are separated by semicolons: save it with commas, and numbers with points"
    );
    assert_eq!(
        refused("Region,Variable,Year,Notes,Value\n"),
        "data.csv: missing columns: Unit; unknown columns: \"Notes\""
    );
    let (_folder, path) = file("data.parquet", "");
    assert!(message(&path).starts_with("data.parquet: what it holds cannot be told from its name"));
    let (_folder, path) = file("data.xlsx", "not a workbook");
    assert!(message(&path).starts_with("data.xlsx: it cannot be read as a workbook ("));
    let missing = Path::new("/nowhere/data.csv");
    assert_eq!(
        read(missing).expect_err("not there").to_string(),
        "/nowhere/data.csv: No such file or directory (os error 2)"
    );
}

#[test]
fn the_sheet_data_of_a_workbook_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.xlsx");
    let meta: workbook::Rows<'_> = &[&[Text("model"), Text("exclude")], &[Text("m"), Bool(false)]];
    let data: workbook::Rows<'_> = &[
        &[],
        &[
            Text("Model"),
            Text("Scenario"),
            Text("Region"),
            Text("Variable"),
            Text("Unit"),
            Number(2030.0),
            Date(47651.5),
        ],
        &[
            Text("m"),
            Number(2020.0),
            Text("World"),
            Text("x"),
            Empty,
            Number(0.1),
            Empty,
        ],
        &[
            Text("m"),
            Number(2020.0),
            Text("World"),
            Text("y"),
            Empty,
            Text("-1.5"),
            Number(41.76300000000001),
        ],
    ];
    workbook::xlsx(&path, &[("meta", meta), ("Data", data)]);
    let runs = read(&path).expect("reading");
    assert_eq!(runs[0].scenario.as_deref(), Some("2020"));
    assert_eq!(
        all_points(&runs),
        [
            "World | x |  | 2030 | 0.1",
            "World | y |  | 2030 | -1.5",
            "World | y |  | 2030-06-17 12:00:00 | 41.76300000000001",
        ]
    );
}

#[test]
fn a_workbook_without_a_sheet_data_gives_its_first() {
    let rows: workbook::Rows<'_> = &[
        &[
            Text("Region"),
            Text("Variable"),
            Text("Unit"),
            Text("Year"),
            Text("Value"),
        ],
        &[
            Text("World"),
            Text("x"),
            Text("EJ"),
            Number(2030.0),
            Number(5.0),
        ],
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.xlsx");
    workbook::xlsx(&path, &[("Sheet1", rows), ("meta", &[])]);
    assert_eq!(
        all_points(&read(&path).expect("xlsx")),
        ["World | x | EJ | 2030 | 5.0"]
    );
    let path = folder.path().join("data.ods");
    workbook::ods(&path, "Sheet1", rows);
    assert_eq!(
        all_points(&read(&path).expect("ods")),
        ["World | x | EJ | 2030 | 5.0"]
    );
}

#[test]
fn problems_in_workbooks_are_named_by_row() {
    let rows: workbook::Rows<'_> = &[
        &[],
        &[
            Text("Region"),
            Text("Variable"),
            Text("Unit"),
            Text("Year"),
            Text("Value"),
        ],
        &[Text("World"), Text("x"), Empty, Number(2030.5), Number(5.0)],
        &[
            Text("World"),
            Text("x"),
            Empty,
            Number(2031.0),
            Error("#N/A"),
        ],
        &[Text("World"), Text("x"), Empty, Number(2032.0), Bool(true)],
        &[
            Text("World"),
            Text("x"),
            Empty,
            Number(2033.0),
            Date(47651.5),
        ],
        &[Date(47651.5), Text("x"), Empty, Number(2034.0), Number(1.0)],
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.xlsx");
    workbook::xlsx(&path, &[("data", rows)]);
    assert_eq!(
        message(&path),
        "data.xlsx: Year is not a year in row 3 (2030.5); Value is not a number in rows 4 (#N/A), 5 (TRUE); \
         Value is a date where a number should be in row 6 (2030-06-17 12:00:00); \
         Region is a date where a name should be in row 7 (2030-06-17 12:00:00)"
    );
}

fn run(model: &str, scenario: &str, version: i32) -> RunInfo {
    RunInfo {
        id: RunId(1),
        model: model.into(),
        scenario: scenario.into(),
        version,
        is_default: false,
        cloned_from: None,
    }
}

const MIXED: &str = "region,variable,unit,subannual,time,value\n\
    World,\"GDP, \"\"PPP\"\"\",USD,,2030,0.1\n\
    World,\"GDP, \"\"PPP\"\"\",USD,,2050,-0.0\n\
    World,\"GDP, \"\"PPP\"\"\",USD,winter,2030,5e-324\n\
    World,\"GDP, \"\"PPP\"\"\",USD,,2030-06-17 12:00:00.000001,1.7976931348623157e308\n\
    Côte d'Ivoire,Share,,,2030,41.76300000000001\n";

#[test]
fn what_is_written_reads_back_exactly() {
    let folder = tempfile::tempdir().expect("a folder");
    let original = read_csv(MIXED);
    let batch = original[0].frame.batch().clone();
    for layout in [Layout::Long, Layout::Wide] {
        let path = folder.path().join("copy.csv");
        let runs = [
            (run("m", "s", 1), batch.clone()),
            (run("m", "t", 1), batch.clone()),
        ];
        write(&path, &runs, layout).expect("writing");
        let copy = read(&path).expect("reading back");
        assert_eq!(copy.len(), 2);
        for (copy, scenario) in copy.iter().zip(["s", "t"]) {
            assert_eq!(copy.scenario.as_deref(), Some(scenario));
            assert_eq!(copy.version, None);
            let mut found = points(copy.frame.batch());
            let mut expected = points(&batch);
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{layout:?}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("files").count(), 1);
    }
}

#[test]
fn files_are_written_as_others_read_them() {
    let yearly = read_csv(
        "region,variable,unit,year,value\nWorld,x,EJ,2030,1\nWorld,x,EJ,2050,2.5\nAsia,x,EJ,2050,3\n",
    );
    let batch = yearly[0].frame.batch().clone();
    let text = |runs: &[(RunInfo, RecordBatch)], layout| {
        let mut out = Vec::new();
        write_to(&mut out, runs, layout).expect("writing");
        String::from_utf8(out).expect("UTF-8")
    };
    assert_eq!(
        text(&[(run("m", "s", 1), batch.clone())], Layout::Long),
        "Model,Scenario,Region,Variable,Unit,Year,Value\n\
         m,s,World,x,EJ,2030,1\nm,s,World,x,EJ,2050,2.5\nm,s,Asia,x,EJ,2050,3\n"
    );
    assert_eq!(
        text(
            &[(run("m", "s", 1), batch.clone()), (run("m", "s", 2), batch)],
            Layout::Wide
        ),
        "Model,Scenario,Version,Region,Variable,Unit,2030,2050\n\
         m,s,1,World,x,EJ,1,2.5\nm,s,1,Asia,x,EJ,,3\nm,s,2,World,x,EJ,1,2.5\nm,s,2,Asia,x,EJ,,3\n"
    );
    let mixed = read_csv(MIXED)[0].frame.batch().clone();
    assert!(
        text(&[(run("m", "s", 1), mixed)], Layout::Long).starts_with(
            "Model,Scenario,Region,Variable,Unit,Subannual,Year,Datetime,Value\n\
         m,s,World,\"GDP, \"\"PPP\"\"\",USD,,2030,,0.1\n"
        )
    );
}

#[test]
fn only_csv_is_written_and_nothing_is_left_of_a_failure() {
    let batch = read_csv("region,variable,unit,year,value\nWorld,x,EJ,5,1\n")[0]
        .frame
        .batch()
        .clone();
    let folder = tempfile::tempdir().expect("a folder");
    let runs = [(run("m", "s", 1), batch)];
    let error = write(&folder.path().join("data.xlsx"), &runs, Layout::Long).expect_err("Excel");
    assert!(
        error
            .to_string()
            .ends_with("only CSV is written: let the name end in .csv"),
        "{error}"
    );
    let error = write(&folder.path().join("data.csv"), &runs, Layout::Wide).expect_err("year 5");
    assert!(
        error
            .to_string()
            .ends_with("data.csv: the year 5 cannot be a column: write it long"),
        "{error}"
    );
    assert_eq!(std::fs::read_dir(folder.path()).expect("files").count(), 0);
}
