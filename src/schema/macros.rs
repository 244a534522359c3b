//! `versioned_table!`: the one place where a table's columns are named.

/// Describes a table whose every change is logged.
///
/// The macro makes diesel's `table!` for the table and for its version table (`flows` and
/// `flows_version`), and implements [`VersionedTable`](crate::VersionedTable) for `flows::table`,
/// from which all SQL is generated.
///
/// - `run_scoped`: the rows belong to runs. The key starts with `run_id`; rows are written under the
///   run's lock and go back with the run. `platform`: rows of the whole database.
/// - `(…)` after the name: the primary key. A key of just `(id)` is given by the database.
/// - `rank N`: parents first. Stratalog's own tables have ranks below 100.
/// - `unique (a, b)`: further unique combinations; `when flag`: only among rows where that Bool is true.
/// - `column -> Type => parents`: the column holds an `id` of the table `parents`.
/// - `column -> Type as ordinal`: the column says in which order rows were made, and is not compared with other states.
///
/// Types: `BigInt`, `Integer`, `SmallInt`, `Double`, `Text`, `Bool`, `Timestamp`, each also `Nullable<…>`.
///
/// ```
/// stratalog::versioned_table! {
///     /// Flows of energy into a node.
///     run_scoped flows (run_id, node, year) rank 100 {
///         run_id -> BigInt,
///         node -> Text,
///         year -> Integer,
///         value -> Double,
///     }
/// }
/// use stratalog::VersionedTable;
/// assert_eq!(flows::table::description().version_name(), "flows_version");
/// ```
#[macro_export]
macro_rules! versioned_table {
    (
        $(#[$meta:meta])*
        $scope:ident $name:ident ($($key:ident),+ $(,)?) rank $rank:literal
        $(unique ($($unique:ident),+) $(when $when:ident)?)*
        { $( $(#[$column_meta:meta])* $column:ident -> $type:ident $(<$inner:ident>)? $(=> $parent:ident)? $(as $role:ident)?, )+ }
    ) => {
        $crate::__described_table! {
            $(#[$meta])* $scope $name ($($key),+) rank $rank $(unique ($($unique),+) $(when $when)?)*
            { $( $(#[$column_meta])* $column -> $type $(<$inner>)? $(=> $parent)? $(as $role)?, )+ }
        }
        $crate::__private::paste! {
            $crate::__private::diesel::table! {
                /// The version rows: each state a row has had, valid from `transaction_id` up to, not
                /// including, `end_transaction_id`.
                [<$name _version>] ($($key,)+ transaction_id) {
                    $(
                        #[doc = concat!("The column `", stringify!($column), "`.")]
                        $column -> $type $(<$inner>)?,
                    )+
                    /// The transaction that made this state.
                    transaction_id -> BigInt,
                    /// The transaction that ended it; NULL while it is the newest.
                    end_transaction_id -> Nullable<BigInt>,
                    /// insert 0, update 1, delete 2.
                    operation_type -> SmallInt,
                }
            }
        }
    };
}

/// Diesel's `table!` and the description, without a version table.
#[doc(hidden)]
#[macro_export]
macro_rules! __described_table {
    (
        $(#[$meta:meta])*
        $scope:ident $name:ident ($($key:ident),+ $(,)?) rank $rank:literal
        $(unique ($($unique:ident),+) $(when $when:ident)?)*
        { $( $(#[$column_meta:meta])* $column:ident -> $type:ident $(<$inner:ident>)? $(=> $parent:ident)? $(as $role:ident)?, )+ }
    ) => {
        $crate::__private::diesel::table! {
            $(#[$meta])*
            $name ($($key),+) {
                $(
                    $(#[$column_meta])*
                    #[doc = concat!("The column `", stringify!($column), "`.")]
                    $column -> $type $(<$inner>)?,
                )+
            }
        }

        impl $crate::VersionedTable for $name::table {
            fn description() -> $crate::TableDescription {
                #[allow(unused_imports)]
                use $crate::__private::diesel::sql_types::*;
                fn column<T: $crate::schema::DescribedType>(
                    name: &str,
                    references: Option<&str>,
                    role: Option<&str>,
                ) -> $crate::schema::Column {
                    $crate::schema::Column {
                        name: name.into(),
                        column_type: T::COLUMN_TYPE,
                        nullable: T::NULLABLE,
                        references: references.map(|parent: &str| parent.into()),
                        ordinal: role == Some("ordinal"),
                    }
                }
                $crate::TableDescription {
                    name: stringify!($name).into(),
                    scope: $crate::__scope!($scope),
                    rank: $rank,
                    key: vec![$(stringify!($key).into()),+],
                    unique: vec![$($crate::schema::Unique {
                        columns: vec![$(stringify!($unique).into()),+],
                        when: $crate::__parent!($($when)?).map(|column: &str| column.into()),
                    }),*],
                    columns: vec![$(
                        column::<$type $(<$inner>)?>(
                            stringify!($column),
                            $crate::__parent!($($parent)?),
                            $crate::__parent!($($role)?),
                        )
                    ),+],
                }
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __scope {
    (platform) => {
        $crate::schema::Scope::Platform
    };
    (run_scoped) => {
        $crate::schema::Scope::Run
    };
    (bookkeeping) => {
        $crate::schema::Scope::Bookkeeping
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __parent {
    () => {
        None
    };
    ($parent:ident) => {
        Some(stringify!($parent))
    };
}
