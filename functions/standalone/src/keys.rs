//! `callboard rotate-key`: makes a new key for stored credentials.

use std::process::ExitCode;

use crate::cli::{DataFolder, LogFormat};
use crate::{logging, parts, setup};

/// Makes the key and seals every credential with it.
pub(crate) async fn rotate(data: &DataFolder) -> anyhow::Result<ExitCode> {
    logging::start(LogFormat::Text, "warn");
    let data = setup::data_there(data)?;
    let store = parts::credentials(parts::database(&data)?, &data);
    let rotated = store.rotate_key().await?;
    println!(
        "{} credentials are sealed with the new key {}. The former keys stay in {} for copies of the database: delete \
         their lines when no copy needs them.",
        rotated.credentials,
        rotated.key_id,
        rotated.key_file.display()
    );
    Ok(ExitCode::SUCCESS)
}
