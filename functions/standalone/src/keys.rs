//! `callboard rotate-key`: makes a new key for stored credentials.

use std::process::ExitCode;

use callboard_core::audit::{Deed, NewEntry, note};

use crate::cli::{DataFolder, LogFormat};
use crate::own::own;
use crate::{logging, parts, setup};

/// Makes the key and seals every credential with it.
pub(crate) async fn rotate(data: &DataFolder) -> anyhow::Result<ExitCode> {
    logging::start(LogFormat::Text, "warn");
    let data = setup::data_there(data)?;
    let database = parts::database(&data)?;
    let store = parts::credentials(database.clone(), &data);
    let rotated = store.rotate_key().await?;
    let entry = NewEntry::of(&own(), Deed::EncryptionKeyRotate, Some(rotated.key_id.to_string()));
    note(&parts::audit(database), entry).await;
    println!(
        "{} credentials are sealed with the new key {}. The former keys stay in {} for copies of the database: delete \
         their lines when no copy needs them.",
        rotated.credentials,
        rotated.key_id,
        rotated.key_file.display()
    );
    Ok(ExitCode::SUCCESS)
}
