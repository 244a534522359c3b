//! Python bindings of stratalog.
