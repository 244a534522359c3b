//! `make migrations`: writes the SQL of a new platform, generated from the table descriptions.
//!
//! Until a release there is one migration, and it is written anew. After a release it is immutable, and a
//! change of the descriptions goes into a new folder of the same name for both engines.

use std::path::Path;

use stratalog::{Engine, Platform};

const REVISION: &str = "2026-11-21-000000_initial";

fn main() -> std::io::Result<()> {
    for (engine, folder) in [(Engine::Sqlite, "sqlite"), (Engine::Postgres, "postgres")] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("migrations")
            .join(folder)
            .join(REVISION)
            .join("up.sql");
        let sql = format!(
            "-- Generated from src/schema/tables.rs by `make migrations`. Not to be edited.\n{}",
            Platform::initial_schema(engine)
        );
        std::fs::write(&path, sql)?;
        println!("wrote {}", path.display());
    }
    Ok(())
}
