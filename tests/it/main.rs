//! Behaviour of the library, on both engines.

mod files;
mod smoke;
mod support;
mod workbook;
