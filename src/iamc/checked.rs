//! Checked input on its way to the database: names by number, each distinct one once, and rows in chunks.
//!
//! Input is read and checked to its end before a transaction begins, because whoever makes it may take his time, and
//! a transaction may have to be repeated. So that a stream of any length needs no more memory than a part of it, what
//! is checked waits in memory up to a limit, and in a temporary file (Arrow IPC) from there on.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Seek, SeekFrom};

use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use crate::error::{Error, Result};
use crate::history::rows::Parts;
use crate::iamc::columns::Coded;

/// How many rows wait in memory, at 34 bytes each.
const ROWS_IN_MEMORY: usize = 1 << 20;

/// Distinct names, in the order in which they came.
#[derive(Default)]
pub(super) struct Names {
    pub(super) names: Vec<String>,
    code_of: HashMap<String, u32>,
}

impl Names {
    /// The codes here of a column's distinct values.
    pub(super) fn codes_of(&mut self, column: &Coded) -> Vec<u32> {
        column
            .names
            .iter()
            .map(|name| match self.code_of.get(name) {
                Some(code) => *code,
                None => {
                    let code = self.names.len() as u32;
                    self.names.push(name.clone());
                    self.code_of.insert(name.clone(), code);
                    code
                }
            })
            .collect()
    }
}

/// Batches of one schema that can be read again and again.
#[derive(Default)]
pub(crate) struct Chunks {
    rows: usize,
    memory: Vec<RecordBatch>,
    file: Option<StreamWriter<BufWriter<File>>>,
}

fn failed(source: std::io::Error) -> Error {
    Error::frame(format!(
        "it does not fit into memory, and a temporary file for it cannot be used ({source}): make room in {} or set TMPDIR",
        std::env::temp_dir().display()
    ))
}

impl Chunks {
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Each chunk is sorted, and has no key twice.
    pub(super) fn parts(&self) -> Parts {
        match &self.memory[..] {
            [_] if self.file.is_none() => Parts::One,
            _ => Parts::Many,
        }
    }

    pub(crate) fn push(&mut self, chunk: RecordBatch) -> Result<()> {
        // One that is larger than the limit is there already.
        let fits = self.memory.is_empty() || self.rows + chunk.num_rows() <= ROWS_IN_MEMORY;
        self.rows += chunk.num_rows();
        if fits && self.file.is_none() {
            self.memory.push(chunk);
            return Ok(());
        }
        let writer = match &mut self.file {
            Some(writer) => writer,
            none => {
                let file = tempfile::tempfile().map_err(failed)?;
                none.insert(StreamWriter::try_new(
                    BufWriter::new(file),
                    &chunk.schema(),
                )?)
            }
        };
        Ok(writer.write(&chunk)?)
    }

    /// All chunks, in the order in which they came.
    pub(crate) fn read(&mut self, mut each: impl FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
        for chunk in &self.memory {
            each(chunk)?;
        }
        let Some(writer) = &mut self.file else {
            return Ok(());
        };
        writer.flush()?;
        let mut file = writer.get_ref().get_ref().try_clone().map_err(failed)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        for chunk in StreamReader::try_new(BufReader::new(file), None)? {
            each(&chunk?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use arrow::datatypes::Int64Type;
    use std::sync::Arc;

    #[test]
    fn what_does_not_fit_into_memory_can_be_read_more_than_once() -> Result<()> {
        let mut chunks = Chunks::default();
        let size = ROWS_IN_MEMORY / 4 + 1;
        for begin in 0..10_i64 {
            let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(
                (0..size as i64).map(|row| begin * size as i64 + row),
            ));
            chunks.push(RecordBatch::try_from_iter([("n", numbers)])?)?;
        }
        assert_eq!((chunks.rows(), chunks.memory.len()), (10 * size, 3));
        for _ in 0..2 {
            let mut next = 0;
            chunks.read(|chunk| {
                for n in chunk.column(0).as_primitive::<Int64Type>().values() {
                    assert_eq!(*n, next);
                    next += 1;
                }
                Ok(())
            })?;
            assert_eq!(next, 10 * size as i64);
        }
        Ok(())
    }
}
