//! The smallest workbooks that are some: written here, so that tests show what is in them.

use std::io::Write;
use std::path::Path;

use zip::CompressionMethod::Stored;
use zip::write::{SimpleFileOptions, ZipWriter};

/// What a cell is written as.
#[derive(Clone, Copy)]
pub enum Cell<'a> {
    Empty,
    Text(&'a str),
    Number(f64),
    /// Days since 1899-12-30, shown as a date.
    Date(f64),
    /// `#N/A` and the like.
    Error(&'a str),
    Bool(bool),
}
pub use Cell::{Bool, Date, Empty, Error, Number, Text};

/// Rows of a sheet.
pub type Rows<'a> = &'a [&'a [Cell<'a>]];

/// Writes an Excel file (ECMA-376) with these sheets.
pub fn xlsx(path: &Path, sheets: &[(&str, Rows<'_>)]) {
    let numbers = 1..=sheets.len();
    let overrides: String = numbers
        .clone()
        .map(|n| format!(r#"<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>"#))
        .collect();
    let names: String = sheets
        .iter()
        .zip(numbers.clone())
        .map(|((name, _), n)| format!(r#"<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>"#))
        .collect();
    let relations: String = numbers
        .map(|n| format!(r#"<Relationship Id="rId{n}" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet{n}.xml"/>"#))
        .collect();
    let mut parts = vec![
        ("[Content_Types].xml".to_owned(), format!(r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/>{overrides}</Types>"#)),
        ("_rels/.rels".to_owned(), r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#.to_owned()),
        ("xl/workbook.xml".to_owned(), format!(r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>{names}</sheets></workbook>"#)),
        ("xl/_rels/workbook.xml.rels".to_owned(), format!(r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{relations}<Relationship Id="rIdS" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>"#)),
        // Style 1 is number format 22: a date and time.
        ("xl/styles.xml".to_owned(), r#"<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs></styleSheet>"#.to_owned()),
    ];
    for ((_, rows), n) in sheets.iter().zip(1..) {
        let rows: String = rows
            .iter()
            .zip(1..)
            .map(|(cells, row)| {
                let cells: String = cells
                    .iter()
                    .zip('A'..='Z')
                    .map(|(cell, column)| xlsx_cell(*cell, column, row))
                    .collect();
                format!(r#"<row r="{row}">{cells}</row>"#)
            })
            .collect();
        parts.push((format!("xl/worksheets/sheet{n}.xml"), format!(r#"<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{rows}</sheetData></worksheet>"#)));
    }
    write(path, &parts);
}

fn xlsx_cell(cell: Cell<'_>, column: char, row: usize) -> String {
    let at = format!(r#"r="{column}{row}""#);
    match cell {
        Empty => String::new(),
        Text(text) => {
            format!(r#"<c {at} t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>"#)
        }
        Number(number) => format!("<c {at}><v>{number:?}</v></c>"),
        Date(days) => format!(r#"<c {at} s="1"><v>{days:?}</v></c>"#),
        Error(error) => format!(r#"<c {at} t="e"><v>{error}</v></c>"#),
        Bool(truth) => format!(r#"<c {at} t="b"><v>{}</v></c>"#, u8::from(truth)),
    }
}

/// Writes an OpenDocument spreadsheet of one sheet, of text and numbers.
pub fn ods(path: &Path, name: &str, rows: Rows<'_>) {
    let rows: String = rows
        .iter()
        .map(|cells| {
            let cells: String = cells.iter().map(|cell| ods_cell(*cell)).collect();
            format!("<table:table-row>{cells}</table:table-row>")
        })
        .collect();
    write(path, &[
        ("mimetype".to_owned(), "application/vnd.oasis.opendocument.spreadsheet".to_owned()),
        ("META-INF/manifest.xml".to_owned(), r#"<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>"#.to_owned()),
        ("content.xml".to_owned(), format!(r#"<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet><table:table table:name="{name}">{rows}</table:table></office:spreadsheet></office:body></office:document-content>"#)),
    ]);
}

fn ods_cell(cell: Cell<'_>) -> String {
    match cell {
        Text(text) => format!(
            r#"<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>"#
        ),
        Number(number) => {
            format!(r#"<table:table-cell office:value-type="float" office:value="{number:?}"/>"#)
        }
        _ => "<table:table-cell/>".to_owned(),
    }
}

fn write(path: &Path, parts: &[(String, String)]) {
    let file = std::fs::File::create(path).expect("creating a workbook");
    let mut zip = ZipWriter::new(file);
    for (name, text) in parts {
        zip.start_file(
            name.as_str(),
            SimpleFileOptions::default().compression_method(Stored),
        )
        .expect("a part");
        zip.write_all(text.as_bytes()).expect("writing a part");
    }
    zip.finish().expect("the end");
}
