//! A PostgreSQL database with an owner role, an app role, and a login role that is a member of the app
//! role only.

use diesel::prelude::*;
use stratalog::{MigrateOptions, Platform};

use crate::support::{Database, Plain, uuid};

/// Everything is dropped at the end: roles belong to the whole server.
pub struct WithRoles {
    /// As the superuser of the test server.
    pub admin: Database,
    pub owner: String,
    pub app: String,
    pub login: String,
    /// As the login role.
    pub user: Database,
    extra: Vec<String>,
}

/// The URL for another role. Its password is its name, if the server asks for one.
pub fn url_as(url: &str, role: &str) -> String {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    format!("{scheme}://{role}:{role}@{host}{path}")
}

impl WithRoles {
    /// A migrated database whose roles are made as a user makes them.
    pub fn new() -> Self {
        Self::on(Database::postgres())
    }

    pub fn on(admin: Database) -> Self {
        let mut fixture = Self::without(admin);
        fixture.migrate().expect("making the roles");
        fixture.add_login();
        fixture
    }

    /// The names only: no role is there yet.
    pub fn without(admin: Database) -> Self {
        let unique = uuid();
        let login = format!("login_{unique}");
        Self {
            user: admin.at(url_as(&admin.url, &login)),
            admin,
            owner: format!("owner_{unique}"),
            app: format!("app_{unique}"),
            login,
            extra: Vec::new(),
        }
    }

    pub fn options(&self) -> MigrateOptions {
        MigrateOptions::default().roles(&self.owner, &self.app)
    }

    pub fn migrate(&self) -> stratalog::Result<Vec<String>> {
        Platform::migrate_with(&self.admin.url, &self.options())
    }

    pub fn add_login(&mut self) {
        let (login, app) = (self.login.clone(), self.app.clone());
        self.sql(&format!(
            "CREATE ROLE {login} LOGIN PASSWORD '{login}' IN ROLE {app}"
        ));
    }

    /// One more role, with a database handle for it if it can log in.
    pub fn add_role(&mut self, kind: &str, attributes: &str) -> (String, Database) {
        let name = format!("{kind}_{}", uuid());
        self.sql(&format!(
            "CREATE ROLE {name} {attributes} PASSWORD '{name}'"
        ));
        self.extra.push(name.clone());
        let database = self.admin.at(url_as(&self.admin.url, &name));
        (name, database)
    }

    /// As the superuser.
    pub fn sql(&self, sql: &str) {
        let mut plain = self.admin.plain();
        plain
            .run("SET client_min_messages = error")
            .expect("quiet please");
        plain
            .run(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    pub fn schema(&self) -> String {
        let mut schema = self
            .admin
            .plain()
            .texts("SELECT current_schema()::text AS text");
        schema.remove(0)
    }
}

impl Drop for WithRoles {
    fn drop(&mut self) {
        let Ok(connection) = PgConnection::establish(&self.admin.url) else {
            return;
        };
        let mut plain = Plain::Postgres(connection);
        let _ = plain.run("SET client_min_messages = error");
        for role in [&self.login, &self.app, &self.owner]
            .into_iter()
            .chain(&self.extra)
        {
            // A failure must not hide the one that the test is about.
            let _ = plain.run(&format!("DROP OWNED BY {role} CASCADE"));
            let _ = plain.run(&format!("DROP ROLE {role}"));
        }
    }
}
