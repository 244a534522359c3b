//! What records writes to a versioned table as version rows: one statement trigger with transition tables per event
//! (one upsert fires two of them).
//!
//! A statement ends the rows' open versions and adds new ones. A later one of the same transaction may meet rows that it
//! wrote before: what it wrote is dropped, and the difference to the state before the transaction is recorded. Whatever is
//! looked for is the last version row of its key. For few rows plans are kept, which find each row by an index; for many
//! they are made anew each time, for the rows at hand: one kept from a statement of few would search row by row.

use crate::schema::{END_TRANSACTION_ID, OPERATION_TYPE, RUN_ID, TRANSACTION_ID, TableDescription};
use crate::store::postgres::ddl::always;
use crate::store::postgres::parents::{self, Lookup};
use crate::store::postgres::sql::last_version;
use crate::store::postgres::{JOIN_IN_ORDER, each_setting};
use crate::store::rows::Plan;
use crate::store::{Engine, column_list, keys_equal, quote};

/// How many version rows for each changed row are read, rather than to look for each by its key.
const HISTORY_READ: u8 = 4;

/// More rows are many: plans are made for them, and the version rows of so many updated ones are not looked for one by one,
/// if they are most of what the run has.
const FEW: usize = Plan::FEW;

/// More are joined in the order of their keys.
const HASHED: usize = Plan::HASHED;

/// `stratalog_notes_unchanged` sets it to `on`, until the end of a transaction in which an `UPDATE` left a row of a run as it
/// was.
const UNCHANGED: &str = "stratalog.unchanged";

#[derive(Clone, Copy, PartialEq)]
enum Event {
    Insert,
    Update,
    Delete,
}

impl Event {
    /// Its word in SQL.
    fn word(self) -> &'static str {
        match self {
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }

    /// The transition table with the rows that it is about.
    fn rows(self) -> &'static str {
        match self {
            Self::Insert | Self::Update => "new_rows",
            Self::Delete => "old_rows",
        }
    }

    fn transition(self) -> &'static str {
        match self {
            Self::Insert | Self::Update => "NEW TABLE AS new_rows",
            Self::Delete => "OLD TABLE AS old_rows",
        }
    }

    fn operation_type(self) -> i16 {
        match self {
            Self::Insert => 0,
            Self::Update => 1,
            Self::Delete => 2,
        }
    }
}

pub(super) fn triggers(table: &TableDescription) -> String {
    let mut all = notes_unchanged(table);
    all.extend([Event::Insert, Event::Update, Event::Delete].map(|event| {
        let function = format!("{}_record_{}", table.name, event.word().to_lowercase());
        let mut ddl = Recording { table, event }.function(&function);
        ddl += &always(
            &table.name,
            &function,
            &format!(
                "AFTER {} ON {} REFERENCING {}\n  FOR EACH STATEMENT EXECUTE FUNCTION {}()",
                event.word(),
                quote(&table.name),
                event.transition(),
                quote(&function)
            ),
        );
        ddl
    }));
    all
}

/// A trigger for the rows that an UPDATE leaves as they are; it fires before the one that records the statement. If this
/// library writes there are no such rows, and it costs its condition only.
fn notes_unchanged(table: &TableDescription) -> String {
    if !table.is_run_scoped() {
        return String::new();
    }
    let differs = Engine::Postgres.any_differs(table.value_columns(), "OLD", "NEW");
    always(
        &table.name,
        &format!("{}_notes_unchanged", table.name),
        &format!(
            "AFTER UPDATE ON {} FOR EACH ROW WHEN (NOT {differs}) EXECUTE FUNCTION stratalog_notes_unchanged()",
            quote(&table.name)
        ),
    )
}

/// Version rows of rows that are there.
fn live(alias: &str) -> String {
    format!("{alias}.\"{END_TRANSACTION_ID}\" IS NULL AND {alias}.\"{OPERATION_TYPE}\" <> 2")
}

/// The statements that record an event. Aliases: `n` a row of the statement, `v` the version row that is written.
struct Recording<'a> {
    table: &'a TableDescription,
    event: Event,
}

impl Recording<'_> {
    fn function(&self, name: &str) -> String {
        let lookup = self.parents();
        let scoped = self.table.is_run_scoped();
        format!(
            "CREATE FUNCTION {function}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
  {for_few}{settings} AS $$
DECLARE
  tx \"transactions\";
  dropped bigint := 0;
  given bigint;
{of_runs}{recorded}{declarations}BEGIN
  {look} FROM {rows} n;
  IF given = 0 THEN
    RETURN NULL;
  ELSIF given > {FEW} THEN
    PERFORM {for_many};
    IF given > {HASHED} THEN
      PERFORM {JOIN_IN_ORDER};
    END IF;
  END IF;
  tx := stratalog_current('{table}');
{own_run}{parents}  IF EXISTS (SELECT 1 FROM {version} v WHERE v.\"{TRANSACTION_ID}\" = tx.\"id\"{of_run}) THEN
    DELETE FROM {version} v USING {own};
    GET DIAGNOSTICS dropped = ROW_COUNT;
  END IF;
  IF dropped = 0 THEN
{first}  ELSE
{again}  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION {function} FROM PUBLIC;
",
            function = quote(name),
            for_few = each_setting(|(name, few, _)| format!("SET {name} = {few}"), " "),
            for_many = each_setting(
                |(name, _, many)| format!("set_config('{name}', '{many}', true)"),
                ", "
            ),
            // Whatever is set within is undone at the end.
            settings = match self.event {
                Event::Update => " SET enable_nestloop = on",
                Event::Insert | Event::Delete => "",
            },
            of_runs = match scoped {
                true => "  first_run bigint;\n  last_run bigint;\n",
                false => "",
            },
            // Many rows wait in a file, which takes time to read: once for all that is to be known of them.
            look = if scoped {
                format!(
                    "SELECT count(*), min(n.\"{RUN_ID}\"), max(n.\"{RUN_ID}\") INTO given, first_run, last_run"
                )
            } else {
                "SELECT count(*) INTO given".to_owned()
            },
            recorded = match self.event {
                Event::Update if scoped => "  recorded bigint;\n  short boolean;\n  whole boolean;\n",
                Event::Update => "  recorded bigint;\n",
                Event::Delete if scoped => "  short boolean;\n  whole boolean;\n",
                Event::Insert | Event::Delete => "",
            },
            declarations = lookup.declarations,
            rows = self.event.rows(),
            table = self.table.name,
            own_run = self.refuse_other_runs(),
            parents = lookup.statements,
            version = self.version(),
            of_run = self.of_run("v"),
            own = self.of_rows(&format!("w.\"{TRANSACTION_ID}\" = tx.\"id\"")),
            first = self.first(),
            again = self.again(),
        )
    }

    fn version(&self) -> String {
        quote(&self.table.version_name())
    }

    fn of_run(&self, alias: &str) -> String {
        if self.table.is_run_scoped() {
            format!(" AND {alias}.\"{RUN_ID}\" = tx.\"run_id\"")
        } else {
            String::new()
        }
    }

    fn refuse_other_runs(&self) -> String {
        if !self.table.is_run_scoped() {
            return String::new();
        }
        format!(
            "  IF first_run IS DISTINCT FROM tx.\"run_id\" OR last_run <> tx.\"run_id\" THEN
    RAISE EXCEPTION 'stratalog:outside_transaction: {}: a run is written to in a stratalog transaction that holds its lock';
  END IF;\n",
            self.table.name
        )
    }

    /// References that the event may have changed: those in the key are written once.
    fn parents(&self) -> Lookup {
        let mut columns = parents::checked(self.table);
        match self.event {
            Event::Insert => {}
            Event::Update => columns.retain(|(column, _)| !self.table.key.contains(&column.name)),
            Event::Delete => columns.clear(),
        }
        Lookup::of(self.table, &columns, self.event.rows())
    }

    /// The last version row (`w`) of a row of the statement, if the condition holds for it.
    fn last(&self, columns: &str, condition: &str) -> String {
        last_version(self.table, "n", None, columns, condition)
    }

    fn of_rows(&self, condition: &str) -> String {
        format!(
            "{} n CROSS JOIN {} f WHERE v.ctid = f.stratalog_place",
            self.event.rows(),
            self.last("w.stratalog_place", condition)
        )
    }

    fn set_end(&self) -> String {
        format!(
            "UPDATE {} v SET \"{END_TRANSACTION_ID}\" =
        CASE WHEN v.\"{TRANSACTION_ID}\" < tx.\"id\" THEN tx.\"id\" ELSE stratalog_out_of_order() END",
            self.version()
        )
    }

    fn end(&self) -> String {
        format!(
            "{}
      FROM {};\n",
            self.set_end(),
            self.of_rows(&format!("w.\"{END_TRANSACTION_ID}\" IS NULL"))
        )
    }

    fn add(&self, select: &str) -> String {
        format!(
            "INSERT INTO {} ({}, \"{TRANSACTION_ID}\", \"{OPERATION_TYPE}\")
      SELECT {}, tx.\"id\", {select}",
            self.version(),
            column_list("", self.table.columns.iter()),
            column_list("n", self.table.columns.iter()),
        )
    }

    fn differs(&self, a: &str, b: &str) -> String {
        Engine::Postgres.any_differs(self.table.value_columns(), a, b)
    }

    /// Of rows that this transaction has not written before.
    fn first(&self) -> String {
        let rows = self.event.rows();
        let operation = self.event.operation_type();
        let add = self.add(&format!("{operation} FROM {rows} n;\n"));
        match self.event {
            // A run without history has no version rows to end.
            Event::Insert if self.table.is_run_scoped() => format!(
                "    IF EXISTS (SELECT 1 FROM {} v WHERE v.\"{RUN_ID}\" = tx.\"run_id\") THEN
    {}    END IF;
    {add}",
                self.version(),
                self.end()
            ),
            Event::Delete if self.table.is_run_scoped() => self.first_deletions(&add),
            Event::Insert | Event::Delete => format!("    {}    {add}", self.end()),
            Event::Update => self.first_updates(),
        }
    }

    /// Whether the run's history is short enough to be read, and whether all of the run's rows are those of the statement:
    /// then there are as many of them as open version rows. To find that out no more is read than some times the
    /// statement's rows: a long history is not worth reading.
    fn look_at_history(&self) -> String {
        format!(
            "SELECT count(*) <= {HISTORY_READ} * given, count(*) FILTER (WHERE {open}) = given INTO short, whole
        FROM (SELECT * FROM {version} w WHERE w.\"{RUN_ID}\" = tx.\"run_id\" LIMIT {HISTORY_READ} * given + 1) w;",
            open = live("w"),
            version = self.version(),
        )
    }

    /// All open version rows of the run end, and none has to be looked for by its key, which takes most of the time.
    fn end_all(&self) -> String {
        format!(
            "{}
      WHERE v.\"{RUN_ID}\" = tx.\"run_id\" AND {};",
            self.set_end(),
            live("v")
        )
    }

    fn first_deletions(&self, add: &str) -> String {
        format!(
            "    {look}
    IF short AND whole THEN
      {end_all}
    ELSE
  {end}    END IF;
    {add}",
            look = self.look_at_history(),
            end_all = self.end_all(),
            end = self.end(),
        )
    }

    /// A row whose values stay is no change. Its values before are those of its open version row; one that the log does
    /// not have, because somebody got round it, has none, and is recorded all the same: what has no open version row by
    /// then gets one.
    fn first_updates(&self) -> String {
        let rows = self.event.rows();
        let before: Vec<_> = self
            .table
            .value_columns()
            .map(|column| format!(", w.{}", quote(&column.name)))
            .collect();
        let open = |row: &str| format!("{row}.\"{END_TRANSACTION_ID}\" IS NULL");
        let end_by_key = format!(
            "{end}
      FROM {rows} n CROSS JOIN {last} f WHERE v.ctid = f.stratalog_place AND {differs};\n",
            end = self.set_end(),
            last = self.last(&format!("w.stratalog_place{}", before.concat()), &open("w")),
            differs = self.differs("f", "n"),
        );
        let ended = if self.table.is_run_scoped() {
            format!(
                "    IF given > {FEW} THEN
      {look}
    END IF;
    IF short AND whole AND current_setting('{UNCHANGED}', true) IS DISTINCT FROM 'on' THEN
      {end_all}
      GET DIAGNOSTICS recorded = ROW_COUNT;
    ELSIF short THEN
      PERFORM set_config('enable_nestloop', 'off', true);
      {end}
      FROM {rows} n WHERE v.\"{RUN_ID}\" = tx.\"run_id\" AND {same_key} AND {open} AND {differs};
      GET DIAGNOSTICS recorded = ROW_COUNT;
    ELSE
      {end_by_key}      GET DIAGNOSTICS recorded = ROW_COUNT;
    END IF;\n",
                look = self.look_at_history(),
                end_all = self.end_all(),
                end = self.set_end(),
                same_key = keys_equal(self.table, "v", "n"),
                open = open("v"),
                differs = self.differs("v", "n"),
            )
        } else {
            format!("    {end_by_key}    GET DIAGNOSTICS recorded = ROW_COUNT;\n")
        };
        format!(
            "{ended}    IF recorded = given THEN
      {add} FROM {rows} n;
    ELSE
      {add} FROM {rows} n LEFT JOIN {still_open} f ON true WHERE f.stratalog_place IS NULL;
    END IF;\n",
            add = self.add(&self.event.operation_type().to_string()),
            still_open = self.last("w.stratalog_place", &open("w")),
        )
    }

    /// Of rows of which this transaction has written some before. "before" is the state before this transaction: ended
    /// by it and not a deletion. What it ended and has no row for after all is as it was.
    fn again(&self) -> String {
        let rows = self.event.rows();
        let ended = format!("w.\"{END_TRANSACTION_ID}\" = tx.\"id\"");
        let before = self.last("w.*", &format!("{ended} AND w.\"{OPERATION_TYPE}\" <> 2"));
        let first_key = quote(&self.table.key[0]);
        let select = match self.event {
            Event::Delete => format!("2 FROM {rows} n CROSS JOIN {before} b"),
            Event::Insert | Event::Update => format!(
                "CASE WHEN b.{first_key} IS NULL THEN 0 ELSE 1 END
      FROM {rows} n LEFT JOIN {before} b ON true
      WHERE b.{first_key} IS NULL OR {}",
                self.differs("b", "n")
            ),
        };
        format!(
            "    {end}    {add};
    UPDATE {version} v SET \"{END_TRANSACTION_ID}\" = NULL FROM {ended};\n",
            end = self.end(),
            add = self.add(&select),
            version = self.version(),
            ended = self.of_rows(&ended),
        )
    }
}
