//! `Named`, `Names` and `Regions`.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use pyo3::prelude::*;

use crate::error::Result;
use crate::frame::Columns;
use crate::input::{Text, repr};
use crate::session::Session;

/// A region, unit, variable, model or scenario.
#[pyclass(frozen, eq, module = "stratalog")]
#[derive(PartialEq, Eq)]
pub(crate) struct Named(stratalog::Named);

#[pymethods]
impl Named {
    /// Its id.
    #[getter]
    fn id(&self) -> i64 {
        self.0.id
    }

    /// Its name, unique among its kind.
    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// A region's hierarchy; ``None`` for the others.
    #[getter]
    fn hierarchy(&self) -> Option<&str> {
        self.0.hierarchy.as_deref()
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.0.id, &self.0.name).hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let hierarchy = match &self.0.hierarchy {
            Some(hierarchy) => format!(", hierarchy={}", repr(py, hierarchy)),
            None => String::new(),
        };
        format!(
            "Named(id={}, name={}{hierarchy})",
            self.0.id,
            repr(py, &self.0.name)
        )
    }
}

type Choose = fn(&stratalog::Platform) -> stratalog::Names;

/// What `Names` and `Regions` have in common.
struct Shared {
    session: Arc<Session>,
    choose: Choose,
}

impl Shared {
    fn names(&self) -> Result<stratalog::Names> {
        Ok((self.choose)(self.session.platform()?))
    }

    fn get(&self, py: Python<'_>, name: &str) -> Result<Named> {
        let names = self.names()?;
        Ok(Named(py.detach(|| names.get(name))?))
    }

    fn list(&self, py: Python<'_>) -> Result<Vec<Named>> {
        let names = self.names()?;
        Ok(py.detach(|| names.list())?.into_iter().map(Named).collect())
    }

    fn tabulate(&self, py: Python<'_>, with_hierarchy: bool) -> Result<Py<PyAny>> {
        let rows = self.list(py)?;
        let mut columns = Columns::default()
            .integers("id", rows.iter().map(|row| row.0.id))
            .text("name", rows.iter().map(|row| row.0.name.clone()));
        if with_hierarchy {
            columns = columns.text(
                "hierarchy",
                rows.iter()
                    .map(|row| row.0.hierarchy.clone().unwrap_or_default()),
            );
        }
        columns.into_pandas(py)
    }

    fn delete(&self, py: Python<'_>, name: &str) -> Result<()> {
        let names = self.names()?;
        Ok(py.detach(|| names.delete(name))?)
    }
}

/// All units, variables, models or scenarios of a platform.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct Names(Shared);

impl Names {
    pub(crate) fn new(session: &Arc<Session>, choose: Choose) -> Self {
        Self(Shared {
            session: Arc::clone(session),
            choose,
        })
    }
}

#[pymethods]
impl Names {
    /// Makes a new one. A name that was deleted before gets its old id back.
    ///
    /// Raises:
    ///     AlreadyExists: the name is taken.
    ///     InvalidName: it is empty (units may be), begins or ends with a blank, or holds
    ///         a NUL.
    fn create(&self, py: Python<'_>, name: Text) -> Result<Named> {
        let names = self.0.names()?;
        Ok(Named(py.detach(|| names.create(&name.0))?))
    }

    /// The one of that name.
    ///
    /// Raises:
    ///     NotFound: of the kind in question (``UnitNotFound`` …), with a similar name if
    ///         there is one.
    fn get(&self, py: Python<'_>, name: Text) -> Result<Named> {
        self.0.get(py, &name.0)
    }

    /// All of them by name.
    fn list(&self, py: Python<'_>) -> Result<Vec<Named>> {
        self.0.list(py)
    }

    /// All of them by name: ``id`` (int64), ``name`` (text).
    fn tabulate(&self, py: Python<'_>) -> Result<Py<PyAny>> {
        self.0.tabulate(py, false)
    }

    /// Deletes the one of that name. The history that refers to it stays.
    ///
    /// Raises:
    ///     NotFound: of the kind in question.
    ///     InUse: something refers to it; says what.
    fn delete(&self, py: Python<'_>, name: Text) -> Result<()> {
        self.0.delete(py, &name.0)
    }
}

/// All regions of a platform.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct Regions(Shared);

impl Regions {
    pub(crate) fn new(session: &Arc<Session>) -> Self {
        Self(Shared {
            session: Arc::clone(session),
            choose: stratalog::Platform::regions,
        })
    }
}

#[pymethods]
impl Regions {
    /// Makes a new region. A name that was deleted before gets its old id back.
    ///
    /// Raises:
    ///     AlreadyExists: the name is taken, in whatever hierarchy.
    ///     InvalidName: it is empty, begins or ends with a blank, or holds a NUL.
    #[pyo3(signature = (name, hierarchy = None))]
    #[pyo3(text_signature = "($self, name, hierarchy='common')")]
    fn create(&self, py: Python<'_>, name: Text, hierarchy: Option<Text>) -> Result<Named> {
        let names = self.0.names()?;
        let created = py.detach(|| match &hierarchy {
            Some(hierarchy) => names.create_in(&name.0, &hierarchy.0),
            None => names.create(&name.0),
        })?;
        Ok(Named(created))
    }

    /// The region of that name.
    ///
    /// Raises:
    ///     RegionNotFound: with a similar name if there is one.
    fn get(&self, py: Python<'_>, name: Text) -> Result<Named> {
        self.0.get(py, &name.0)
    }

    /// All regions by name.
    fn list(&self, py: Python<'_>) -> Result<Vec<Named>> {
        self.0.list(py)
    }

    /// All regions by name: ``id`` (int64), ``name``, ``hierarchy`` (text).
    fn tabulate(&self, py: Python<'_>) -> Result<Py<PyAny>> {
        self.0.tabulate(py, true)
    }

    /// Deletes the region of that name. The history that refers to it stays.
    ///
    /// Raises:
    ///     RegionNotFound: there is none.
    ///     InUse: runs have points in it; says which.
    fn delete(&self, py: Python<'_>, name: Text) -> Result<()> {
        self.0.delete(py, &name.0)
    }
}
