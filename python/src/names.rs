//! `Named`, `Names` and `Regions`.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use stratalog::Audit;

use crate::audit;
use crate::error::Result;
use crate::filter::filter;
use crate::frame::Columns;
use crate::input::{Text, repr};
use crate::session::Session;

type Choose = fn(&stratalog::Platform) -> stratalog::Names;

/// A region, unit, variable, model or scenario, as it was when it was looked up.
#[pyclass(frozen, eq, module = "stratalog")]
pub(crate) struct Named {
    named: stratalog::Named,
    of: Arc<Shared>,
}

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        self.named == other.named
    }
}

impl Named {
    fn audit(&self, py: Python<'_>) -> Result<Audit> {
        let names = self.of.names()?;
        Ok(py.detach(|| names.audit(self.named.id))?)
    }
}

#[pymethods]
impl Named {
    /// Its id.
    #[getter]
    fn id(&self) -> i64 {
        self.named.id
    }

    /// Its name, unique among its kind.
    #[getter]
    fn name(&self) -> &str {
        &self.named.name
    }

    /// A region's hierarchy; ``None`` for the others.
    #[getter]
    fn hierarchy(&self) -> Option<&str> {
        self.named.hierarchy.as_deref()
    }

    /// What is said of it; see ``set_docs``.
    #[getter]
    fn docs(&self) -> Option<&str> {
        self.named.docs.as_deref()
    }

    /// When it was made (UTC).
    #[getter]
    fn created_at(&self, py: Python<'_>) -> Result<Option<DateTime<Utc>>> {
        Ok(self.audit(py)?.created_at.map(|time| time.and_utc()))
    }

    /// Who made it.
    #[getter]
    fn created_by(&self, py: Python<'_>) -> Result<Option<String>> {
        Ok(self.audit(py)?.created_by)
    }

    /// When it was last changed (UTC); ``None``: not since it was made.
    #[getter]
    fn updated_at(&self, py: Python<'_>) -> Result<Option<DateTime<Utc>>> {
        Ok(self.audit(py)?.updated_at.map(|time| time.and_utc()))
    }

    /// Who changed it last.
    #[getter]
    fn updated_by(&self, py: Python<'_>) -> Result<Option<String>> {
        Ok(self.audit(py)?.updated_by)
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.named.id, &self.named.name).hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let hierarchy = match &self.named.hierarchy {
            Some(hierarchy) => format!(", hierarchy={}", repr(py, hierarchy)),
            None => String::new(),
        };
        format!(
            "Named(id={}, name={}{hierarchy})",
            self.named.id,
            repr(py, &self.named.name)
        )
    }
}

/// What `Names` and `Regions` have in common.
struct Shared {
    session: Arc<Session>,
    choose: Choose,
}

impl Shared {
    fn names(&self) -> Result<stratalog::Names> {
        Ok((self.choose)(self.session.platform()?))
    }

    fn named(self: &Arc<Self>, named: stratalog::Named) -> Named {
        Named {
            named,
            of: Arc::clone(self),
        }
    }

    fn get(self: &Arc<Self>, py: Python<'_>, name: &str) -> Result<Named> {
        let names = self.names()?;
        Ok(self.named(py.detach(|| names.get(name))?))
    }

    fn get_by_id(self: &Arc<Self>, py: Python<'_>, id: i64) -> Result<Named> {
        let names = self.names()?;
        Ok(self.named(py.detach(|| names.get_by_id(id))?))
    }

    fn find(
        &self,
        py: Python<'_>,
        filters: Option<&Bound<'_, PyDict>>,
    ) -> Result<Vec<stratalog::Named>> {
        let filter = filter(filters)?;
        let names = self.names()?;
        Ok(py.detach(|| names.list_with(&filter))?)
    }

    fn list(
        self: &Arc<Self>,
        py: Python<'_>,
        filters: Option<&Bound<'_, PyDict>>,
    ) -> Result<Vec<Named>> {
        let found = self.find(py, filters)?;
        Ok(found.into_iter().map(|named| self.named(named)).collect())
    }

    fn tabulate(
        &self,
        py: Python<'_>,
        with_hierarchy: bool,
        audit_info: bool,
        filters: Option<&Bound<'_, PyDict>>,
    ) -> Result<Py<PyAny>> {
        let rows = self.find(py, filters)?;
        let mut columns = Columns::default()
            .integers("id", rows.iter().map(|row| row.id))
            .text("name", rows.iter().map(|row| row.name.clone()));
        if with_hierarchy {
            columns = columns.text(
                "hierarchy",
                rows.iter()
                    .map(|row| row.hierarchy.clone().unwrap_or_default()),
            );
        }
        if audit_info {
            let names = self.names()?;
            let audits = py.detach(|| names.audits())?;
            let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
            columns = audit::columns(columns, &audits, &ids);
        }
        columns.into_pandas(py)
    }

    fn set_docs(&self, py: Python<'_>, name: &str, docs: Option<&Text>) -> Result<()> {
        let names = self.names()?;
        Ok(py.detach(|| names.set_docs(name, docs.map(|docs| docs.0.as_str())))?)
    }

    fn delete(&self, py: Python<'_>, name: &str) -> Result<()> {
        let names = self.names()?;
        Ok(py.detach(|| names.delete(name))?)
    }
}

/// All units, variables, models or scenarios of a platform.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct Names(Arc<Shared>);

impl Names {
    pub(crate) fn new(session: &Arc<Session>, choose: Choose) -> Self {
        Self(Arc::new(Shared {
            session: Arc::clone(session),
            choose,
        }))
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
        Ok(self.0.named(py.detach(|| names.create(&name.0))?))
    }

    /// The one of that name.
    ///
    /// Raises:
    ///     NotFound: of the kind in question (``UnitNotFound`` …), with a similar name if
    ///         there is one.
    fn get(&self, py: Python<'_>, name: Text) -> Result<Named> {
        self.0.get(py, &name.0)
    }

    /// The one of that id.
    ///
    /// Raises:
    ///     NotFound: of the kind in question.
    fn get_by_id(&self, py: Python<'_>, id: i64) -> Result<Named> {
        self.0.get_by_id(py, id)
    }

    /// All of them by name, or those that filters select: ``name``, ``id``, ``docs``,
    /// ``iamc``.
    ///
    /// Args:
    ///     name: a name or several; ``*`` stands for any text. Also ``name__in`` (letter by
    ///         letter), ``name__like``, ``name__notlike``, ``name__ilike`` (whatever the case).
    ///     iamc: ``True``: those that points have; or a dict of filters of such points.
    ///
    /// Raises:
    ///     InvalidFilter: an unknown filter, or a value that does not fit.
    #[pyo3(signature = (**filters))]
    #[pyo3(text_signature = "($self, *, name=None, **filters)")]
    fn list(&self, py: Python<'_>, filters: Option<&Bound<'_, PyDict>>) -> Result<Vec<Named>> {
        self.0.list(py, filters)
    }

    /// As ``list``: ``id`` (int64), ``name`` (text).
    ///
    /// Args:
    ///     audit_info: adds ``created_at``, ``created_by``, ``updated_at``, ``updated_by``
    ///         (datetime64[us, UTC], text).
    #[pyo3(signature = (*, audit_info = false, **filters))]
    #[pyo3(text_signature = "($self, *, name=None, audit_info=False, **filters)")]
    fn tabulate(
        &self,
        py: Python<'_>,
        audit_info: bool,
        filters: Option<&Bound<'_, PyDict>>,
    ) -> Result<Py<PyAny>> {
        self.0.tabulate(py, false, audit_info, filters)
    }

    /// Says something of the one of that name, for people to read; ``None`` takes it back.
    ///
    /// Raises:
    ///     NotFound: of the kind in question.
    fn set_docs(&self, py: Python<'_>, name: Text, docs: Option<Text>) -> Result<()> {
        self.0.set_docs(py, &name.0, docs.as_ref())
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
pub(crate) struct Regions(Arc<Shared>);

impl Regions {
    pub(crate) fn new(session: &Arc<Session>) -> Self {
        Self(Names::new(session, stratalog::Platform::regions).0)
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
        Ok(self.0.named(created))
    }

    /// The region of that name.
    ///
    /// Raises:
    ///     RegionNotFound: with a similar name if there is one.
    fn get(&self, py: Python<'_>, name: Text) -> Result<Named> {
        self.0.get(py, &name.0)
    }

    /// The region of that id.
    ///
    /// Raises:
    ///     RegionNotFound: there is none.
    fn get_by_id(&self, py: Python<'_>, id: i64) -> Result<Named> {
        self.0.get_by_id(py, id)
    }

    /// All regions by name, or those that filters select: ``name``, ``hierarchy``, ``id``,
    /// ``docs``, ``iamc``; as ``Names.list`` takes them.
    ///
    /// Raises:
    ///     InvalidFilter: an unknown filter, or a value that does not fit.
    #[pyo3(signature = (**filters))]
    #[pyo3(text_signature = "($self, *, name=None, hierarchy=None, **filters)")]
    fn list(&self, py: Python<'_>, filters: Option<&Bound<'_, PyDict>>) -> Result<Vec<Named>> {
        self.0.list(py, filters)
    }

    /// As ``list``: ``id`` (int64), ``name``, ``hierarchy`` (text).
    ///
    /// Args:
    ///     audit_info: adds ``created_at``, ``created_by``, ``updated_at``, ``updated_by``
    ///         (datetime64[us, UTC], text).
    #[pyo3(signature = (*, audit_info = false, **filters))]
    #[pyo3(text_signature = "($self, *, name=None, hierarchy=None, audit_info=False, **filters)")]
    fn tabulate(
        &self,
        py: Python<'_>,
        audit_info: bool,
        filters: Option<&Bound<'_, PyDict>>,
    ) -> Result<Py<PyAny>> {
        self.0.tabulate(py, true, audit_info, filters)
    }

    /// Says something of the region of that name, for people to read; ``None`` takes it back.
    ///
    /// Raises:
    ///     RegionNotFound: there is none.
    fn set_docs(&self, py: Python<'_>, name: Text, docs: Option<Text>) -> Result<()> {
        self.0.set_docs(py, &name.0, docs.as_ref())
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
