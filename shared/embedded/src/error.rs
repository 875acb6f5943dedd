//! Translates SQLite's errors into the errors of the ports.

use std::path::PathBuf;

use callboard_core::base::store_error::{BoxError, StoreError};

use crate::schema::SCHEMA_VERSION;

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// SQLite could not open or set up the file.
    #[error("the database {path} could not be opened")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rusqlite::Error,
    },
    /// The file was written by a newer release.
    #[error(
        "the database {path} has schema version {found}; this release knows {SCHEMA_VERSION}: use the newer release"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The folder could not be synchronized to the disk.
    #[error("the folder of the database could not be synchronized")]
    Folder(#[source] std::io::Error),
    /// The writer could not be started.
    #[error("the writer thread could not be started")]
    Thread(#[source] std::io::Error),
}

/// Translates SQLite's errors; no other code does.
pub(crate) fn sqlite(error: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode;
    match &error {
        rusqlite::Error::QueryReturnedNoRows => StoreError::NotFound,
        rusqlite::Error::SqliteFailure(failure, _) if failure.code == ErrorCode::ConstraintViolation => {
            StoreError::Conflict
        }
        rusqlite::Error::SqliteFailure(failure, _)
            if matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) =>
        {
            StoreError::Corrupt(Box::new(error))
        }
        rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::InvalidColumnType(..) => {
            StoreError::Corrupt(Box::new(error))
        }
        _ => StoreError::Unavailable(Box::new(error)),
    }
}

pub(crate) fn unavailable(message: &'static str) -> StoreError {
    StoreError::Unavailable(BoxError::from(message))
}
