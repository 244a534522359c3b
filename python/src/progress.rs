//! Telling the caller how far a write is: a bar, or a function of his.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::prelude::*;
use pyo3::types::PyBool;
use stratalog::progress::RowBar;
use stratalog::{ChangeCounts, Error};

use crate::error::{Failure, Result};
use crate::frame::Input;

pub(crate) struct Progress {
    bar: Option<RowBar>,
    function: Option<Py<PyAny>>,
    rows: AtomicUsize,
    /// What the function raised.
    failure: Mutex<Option<PyErr>>,
}

impl Progress {
    /// `wanted`: a bool, or a function of the number of rows. `word`: what is being done.
    pub(crate) fn new(
        wanted: Option<&Bound<'_, PyAny>>,
        input: &Input,
        word: &'static str,
    ) -> Result<Self> {
        let mut progress = Self {
            bar: None,
            function: None,
            rows: AtomicUsize::new(0),
            failure: Mutex::new(None),
        };
        match wanted {
            Some(wanted) if wanted.is_callable() => {
                progress.function = Some(wanted.clone().unbind());
            }
            Some(wanted) if wanted.is_none() => {}
            Some(wanted) => {
                let wanted = wanted.cast::<PyBool>().map_err(PyErr::from)?;
                progress.bar = wanted.is_true().then(|| match input {
                    Input::Table(frame) => RowBar::new(word, frame.num_rows()),
                    Input::Stream(_) => RowBar::without_end(word),
                });
            }
            None => {}
        }
        Ok(progress)
    }

    pub(crate) fn advance(&self, rows: usize) {
        let rows_so_far = self.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        if let Some(bar) = &self.bar {
            bar.advance(rows);
        }
        if let Some(function) = &self.function
            && let Err(error) = Python::attach(|py| function.call1(py, (rows_so_far,)).map(drop))
        {
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    }

    /// What ends the write, once the function has raised something.
    pub(crate) fn failed(&self) -> Option<Error> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.as_ref().map(|_| Error::Interrupted)
    }

    pub(crate) fn into_failure(self) -> Option<Failure> {
        let failure = self.failure.into_inner();
        failure
            .unwrap_or_else(PoisonError::into_inner)
            .map(Failure::Python)
    }

    pub(crate) fn finish(&self, result: &stratalog::Result<ChangeCounts>) {
        if let Some(bar) = &self.bar {
            match result {
                Ok(counts) => bar.finish(&counts.to_string()),
                Err(_) => bar.finish("nothing was written"),
            }
        }
    }
}
