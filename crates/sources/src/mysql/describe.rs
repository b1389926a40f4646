//! What is to be read: its columns, the key, and whether it has snapshots.

use std::collections::{BTreeMap, BTreeSet};

use mysql_async::consts::ColumnType;
use mysql_async::prelude::Queryable as _;
use sftpctl_accounts::import::row::RowsError;
use sftpctl_core::shown::visible;

use super::column::{Column, Kind};
use super::connection::{Connection, answered, quoted, unknown};
use super::errors::{failed, usage};
use super::key::{Key, Kind as KeyKind};
use super::options::Options;
use super::{collation, names};
use crate::mapping::{Mapping, Rule};

/// Engines whose tables have snapshots (MySQL reference manual, "Setting the Storage Engine"; MariaDB, "Storage
/// Engines").
const WITH_SNAPSHOTS: [&str; 3] = ["InnoDB", "ROCKSDB", "TokuDB"];

/// What is read, in SQL.
pub(super) struct Described {
    pub(super) columns: Vec<Column>,
    /// The columns of a table that the mapping does not name, and that are not read.
    pub(super) unread: Vec<String>,
    pub(super) key: Option<Key>,
    /// What is selected, without the key.
    pub(super) list: String,
    /// What it is selected from.
    pub(super) from: String,
    pub(super) filter: Option<String>,
    /// The whole statement, if there is no key.
    pub(super) whole: String,
    pub(super) remarks: Vec<String>,
}

/// A column as the server describes it.
struct Declared {
    name: String,
    kind: ColumnType,
    collation: u16,
    /// Its width in bytes.
    length: u32,
}

/// The name and the character set of each collation, by its number.
type Collations = BTreeMap<u16, (String, String)>;

/// What is read from: a table or view, or a query.
enum Origin<'a> {
    Table(&'a str),
    Query(&'a str),
}

impl Origin<'_> {
    fn shown(&self) -> String {
        match self {
            Self::Table(name) => format!("the table `{}`", visible(name)),
            Self::Query(_) => "the query".to_owned(),
        }
    }

    /// The name that qualifies its columns.
    fn qualifier(&self) -> String {
        match self {
            Self::Table(name) => quoted(name),
            Self::Query(_) => "`q`".to_owned(),
        }
    }

    fn from(&self) -> String {
        match self {
            Self::Table(name) => quoted(name),
            Self::Query(query) => format!("({query}\n) AS `q`"),
        }
    }
}

/// The origin that the options name.
async fn origin<'a>(connection: &mut Connection, options: &'a Options) -> Result<Origin<'a>, RowsError> {
    match (&options.table, &options.query) {
        (Some(table), None) => Ok(Origin::Table(table)),
        (None, Some(query)) => {
            let query = query.trim().trim_end_matches(';').trim_end();
            let first =
                query.split(|c: char| !c.is_ascii_alphabetic()).find(|word| !word.is_empty()).unwrap_or_default();
            if !["select", "with"].contains(&first.to_lowercase().as_str()) {
                return Err(usage("the query is not a SELECT", "write a query that begins with SELECT or WITH"));
            }
            if options.filter.is_some() {
                return Err(usage("a condition is for a table", "write it into the query, after WHERE"));
            }
            Ok(Origin::Query(query))
        }
        (Some(_), Some(_)) => Err(usage("both a table and a query are given", "give one of them")),
        (None, None) => {
            let all = tables(connection).await?;
            let all = all.iter().map(|name| visible(name).into_owned()).collect::<Vec<_>>();
            Err(usage("neither a table nor a query is given", format!("the database's tables are {}", all.join(", "))))
        }
    }
}

async fn tables(connection: &mut Connection) -> Result<Vec<String>, RowsError> {
    let statement = "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1";
    connection.rows(statement, ()).await
}

/// Describes what the options name.
pub(super) async fn describe(connection: &mut Connection, options: &Options) -> Result<Described, RowsError> {
    let origin = origin(connection, options).await?;
    let mut remarks = Vec::new();
    match &origin {
        Origin::Table(table) => remarks.extend(engine(connection, table).await?),
        Origin::Query(query) => remarks.extend(engines_behind(connection, "the query", words(query)).await?),
    }
    let from = origin.from();
    let declared = declared(connection, &from, &origin.shown()).await?;
    let collations = collations(connection, &declared).await?;

    let named = declared.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    let mapping = options.mapping.clone().or_else(|| names::mapping(&named));
    let wanted = mapping.as_ref().map(wanted).unwrap_or_default();
    if let (Some(_), Some(missing)) = (&options.mapping, wanted.iter().find(|name| !named.contains(name))) {
        return Err(unknown(&origin.shown(), "column", missing, &named));
    }
    let key = key(connection, options, &origin, &declared, &collations).await?;

    let column_of = |rule: Option<&Rule>| rule.and_then(|rule| rule.column.clone());
    let secret = column_of(mapping.as_ref().and_then(|mapping| mapping.password.as_ref()));
    let username = column_of(mapping.as_ref().and_then(|mapping| mapping.username.as_ref()));
    let is_table = matches!(origin, Origin::Table(_));
    let (mut columns, mut unread, mut list) = (Vec::new(), Vec::new(), Vec::new());
    for column in &declared {
        let is_wanted = wanted.contains(&column.name);
        if is_table && options.mapping.is_some() && !is_wanted {
            unread.push(column.name.clone());
            continue;
        }
        let (collation, charset) = collations.get(&column.collation).cloned().unwrap_or_default();
        let mut selected = format!("{}.{}", origin.qualifier(), quoted(&column.name));
        let mut kind = Kind::of(column.kind, &charset);
        if matches!(kind, Kind::Text { .. }) && !is_read_as_it_is(&charset) {
            if !is_table && is_wanted {
                let name = visible(&column.name);
                return Err(usage(
                    format!("the query's column `{name}` has the character set {charset}"),
                    format!("select CONVERT({name} USING utf8mb4) AS {name} instead"),
                ));
            }
            selected = format!("CONVERT({selected} USING utf8mb4)");
            kind = Kind::Text { is_latin1: false };
        }
        let is_secret = secret.as_ref() == Some(&column.name);
        if username.as_ref() == Some(&column.name) && matches!(kind, Kind::Text { .. }) {
            remarks.extend(collation::remarks(&visible(&column.name), &collation));
        }
        list.push(selected);
        columns.push(Column {
            name: column.name.clone(),
            kind,
            is_wanted,
            is_secret,
            width: width(column, &charset),
            latin1: options.latin1,
            digests: 0,
            cut: 0,
            hexadecimal: 0,
            others: 0,
            zoneless: 0,
        });
    }
    let filter = options.filter.clone();
    let list = list.join(", ");
    let whole = match &origin {
        Origin::Query(query) => (*query).to_owned(),
        Origin::Table(_) => {
            let condition = filter.as_ref().map(|filter| format!(" WHERE ({filter}\n)")).unwrap_or_default();
            format!("SELECT {list} FROM {from}{condition}")
        }
    };
    Ok(Described { columns, unread, key, list, from, filter, whole, remarks })
}

/// The columns that a mapping names.
fn wanted(mapping: &Mapping) -> BTreeSet<String> {
    mapping.rules().filter_map(|(_, rule)| rule.column.clone()).collect()
}

/// Whether text of this character set is decoded here. All others the server converts.
fn is_read_as_it_is(charset: &str) -> bool {
    ["utf8mb4", "utf8mb3", "utf8", "ascii", "latin1", "binary", ""].contains(&charset)
}

/// The characters that fit into a CHAR or VARCHAR.
fn width(column: &Declared, charset: &str) -> Option<usize> {
    use ColumnType::{MYSQL_TYPE_STRING, MYSQL_TYPE_VAR_STRING, MYSQL_TYPE_VARCHAR};
    let each = match charset {
        "utf8mb4" => 4,
        "utf8mb3" | "utf8" => 3,
        "latin1" | "ascii" => 1,
        _ => return None,
    };
    let is_bounded = matches!(column.kind, MYSQL_TYPE_STRING | MYSQL_TYPE_VAR_STRING | MYSQL_TYPE_VARCHAR);
    is_bounded.then(|| usize::try_from(column.length / each).unwrap_or(usize::MAX))
}

/// The columns of a table or query, which is not run.
async fn declared(connection: &mut Connection, from: &str, shown: &str) -> Result<Vec<Declared>, RowsError> {
    let doing = format!("{shown} could not be read");
    let statement = format!("SELECT * FROM {from} LIMIT 0");
    let conn = &mut connection.conn;
    let columns = answered(connection.timeout, &doing, async {
        let result = conn.query_iter(statement).await?;
        let columns = result.columns();
        result.drop_result().await?;
        Ok(columns)
    })
    .await?;
    let columns =
        columns.ok_or_else(|| failed(format!("{doing}: the server described no columns"), "check the query"))?;
    let declared = columns.iter().map(|column| Declared {
        name: column.name_str().into_owned(),
        kind: column.column_type(),
        collation: column.character_set(),
        length: column.column_length(),
    });
    Ok(declared.collect())
}

async fn collations(connection: &mut Connection, columns: &[Declared]) -> Result<Collations, RowsError> {
    let numbers: BTreeSet<String> = columns.iter().map(|column| column.collation.to_string()).collect();
    let numbers = numbers.into_iter().collect::<Vec<_>>().join(", ");
    let statement = format!(
        "SELECT ID, COLLATION_NAME, CHARACTER_SET_NAME FROM information_schema.COLLATIONS WHERE ID IN ({numbers})"
    );
    let rows: Vec<(u16, String, Option<String>)> = connection.rows(&statement, ()).await?;
    Ok(rows.into_iter().map(|(id, name, charset)| (id, (name, charset.unwrap_or_default()))).collect())
}

/// The kind of key that a column can be. `is_unique`: an index says that no two rows have the same value.
fn kind_of_key(column: &Declared, collations: &Collations, is_unique: bool) -> Option<KeyKind> {
    use ColumnType as T;
    let charset = collations.get(&column.collation).map(|(_, charset)| charset.clone()).unwrap_or_default();
    match (column.kind, Kind::of(column.kind, &charset)) {
        (T::MYSQL_TYPE_TINY | T::MYSQL_TYPE_SHORT | T::MYSQL_TYPE_INT24, _)
        | (T::MYSQL_TYPE_LONG | T::MYSQL_TYPE_LONGLONG, _) => Some(KeyKind::Integer),
        (_, Kind::Bytes { .. }) => Some(KeyKind::Binary),
        (_, Kind::Text { .. }) if is_unique => Some(KeyKind::Text { charset }),
        (_, Kind::Text { .. }) => Some(KeyKind::Cast),
        _ => None,
    }
}

/// The key to page by: the one that the options name, or the best that the table has.
async fn key(
    connection: &mut Connection,
    options: &Options,
    origin: &Origin<'_>,
    columns: &[Declared],
    collations: &Collations,
) -> Result<Option<Key>, RowsError> {
    let unique = match origin {
        Origin::Table(table) => unique(connection, table).await?,
        Origin::Query(_) => Vec::new(),
    };
    let made = |column: &Declared, kind| Key {
        name: column.name.clone(),
        column: format!("{}.{}", origin.qualifier(), quoted(&column.name)),
        kind,
    };
    let Some(name) = &options.key else {
        let found = unique.iter().filter_map(|name| columns.iter().find(|column| column.name == *name));
        let keys = found.filter_map(|column| Some(made(column, kind_of_key(column, collations, true)?)));
        // The first of the best, since the primary key is the first.
        return Ok(keys.min_by_key(|key| !matches!(key.kind, KeyKind::Integer | KeyKind::Binary)));
    };
    let Some(column) = columns.iter().find(|column| column.name.eq_ignore_ascii_case(name)) else {
        let all = columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
        return Err(unknown(&origin.shown(), "column", name, &all));
    };
    let is_unique = unique.contains(&column.name);
    let kind = kind_of_key(column, collations, is_unique).ok_or_else(|| {
        usage(
            format!("`{}` is neither an integer, binary nor a text, and cannot be paged by", visible(name)),
            "name another key, or none",
        )
    })?;
    Ok(Some(made(column, kind)))
}

/// The columns that a unique index is of, each as a whole and never NULL; the primary key first.
async fn unique(connection: &mut Connection, table: &str) -> Result<Vec<String>, RowsError> {
    let statement = "SELECT INDEX_NAME, COLUMN_NAME, SUB_PART, NULLABLE FROM information_schema.STATISTICS \
                     WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND NON_UNIQUE = 0 \
                     ORDER BY INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX";
    type Part = (String, Option<String>, Option<u64>, Option<String>);
    let parts: Vec<Part> = connection.rows(statement, (table,)).await?;
    let single = |index: &str| parts.iter().filter(|(other, ..)| other == index).count() == 1;
    let parts = parts.iter().filter(|(index, _, cut, nullable)| {
        single(index) && cut.is_none() && nullable.as_deref().unwrap_or_default().is_empty()
    });
    Ok(parts.filter_map(|(_, column, ..)| column.clone()).collect())
}

/// What a table's engine means for a read while others write.
async fn engine(connection: &mut Connection, table: &str) -> Result<Option<String>, RowsError> {
    let statement = "SELECT TABLE_TYPE, ENGINE FROM information_schema.TABLES \
                     WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?";
    let rows: Vec<(String, Option<String>)> = connection.rows(statement, (table,)).await?;
    match rows.into_iter().next() {
        None => Err(unknown("the database", "table", table, &tables(connection).await?)),
        Some((kind, _)) if kind.contains("VIEW") => {
            let words = BTreeSet::from([table.to_lowercase()]);
            engines_behind(connection, &format!("the view `{}`", visible(table)), words).await
        }
        Some((_, Some(engine))) if !WITH_SNAPSHOTS.iter().any(|known| known.eq_ignore_ascii_case(&engine)) => {
            let engine = visible(&engine);
            Ok(Some(without_snapshot(&format!("the table `{}` is of the engine {engine}, which has", visible(table)))))
        }
        Some(_) => Ok(None),
    }
}

fn without_snapshot(subject: &str) -> String {
    format!(
        "{subject} no snapshots: rows that are changed while it is read may be read as before, as after, or in part; stop \
         the application for the last run"
    )
}

/// The names in a piece of SQL, and its other words.
fn words(sql: &str) -> BTreeSet<String> {
    let words = sql.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '$'));
    words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// The tables without snapshots whose names are among `words`, or among those of the views that are.
async fn engines_behind(
    connection: &mut Connection,
    subject: &str,
    mut words_read: BTreeSet<String>,
) -> Result<Option<String>, RowsError> {
    let system = "('information_schema', 'mysql', 'performance_schema', 'sys')";
    let statement =
        format!("SELECT TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS WHERE TABLE_SCHEMA NOT IN {system}");
    let mut views: BTreeMap<String, Option<String>> = connection
        .rows::<(String, Option<String>)>(&statement, ())
        .await?
        .into_iter()
        .map(|(name, definition)| (name.to_lowercase(), definition))
        .collect();
    while let Some(name) = views.keys().find(|name| words_read.contains(*name)).cloned() {
        match views.remove(&name).flatten().filter(|definition| !definition.is_empty()) {
            Some(definition) => words_read.extend(words(&definition)),
            None => {
                return Ok(Some(format!(
                    "this account may not see what the view `{}` reads from: if that has an engine without snapshots, such \
                     as MyISAM, rows may change while they are read",
                    visible(&name)
                )));
            }
        }
    }
    let statement = format!(
        "SELECT TABLE_NAME, ENGINE FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA NOT IN {system} AND ENGINE IS NOT NULL AND ENGINE NOT IN ('{}') ORDER BY 1",
        WITH_SNAPSHOTS.join("', '")
    );
    let rows: Vec<(String, String)> = connection.rows(&statement, ()).await?;
    let found = rows.iter().filter(|(name, _)| words_read.contains(&name.to_lowercase()));
    let found = found.map(|(name, engine)| format!("`{}` ({})", visible(name), visible(engine))).collect::<Vec<_>>();
    let subject = format!("{subject} reads {}, which has", found.join(", "));
    Ok((!found.is_empty()).then(|| without_snapshot(&subject)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_sql_are_words() {
        let found = words("select `shop`.`Kunden`.`id` from shop.`Kunden` join b$2 on (1=1)");
        assert!(["shop", "kunden", "b$2"].iter().all(|name| found.contains(*name)), "{found:?}");
    }
}
