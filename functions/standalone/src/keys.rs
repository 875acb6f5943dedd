//! `callboard rotate-key`: a new key for stored credentials.

use std::process::ExitCode;

use crate::cli::Common;
use crate::{logging, parts, setup};

/// Makes the key and seals every credential with it.
pub(crate) async fn rotate(common: &Common) -> anyhow::Result<ExitCode> {
    logging::start(common.log_format, "warn");
    let data = setup::data(common)?;
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
