//! Behaviour of the library, on both engines.

mod smoke;
mod support;
