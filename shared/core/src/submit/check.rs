//! Checks that the credentials that a request names exist and are of the right kind.

use crate::base::fields::{Faults, FieldError};
use crate::base::id::Tenant;
use crate::base::store_error::StoreError;
use crate::credential::{CredentialStore, CredentialUse};

/// Finds the credentials that do not exist or are of another kind.
///
/// # Errors
/// The credential store is unavailable.
pub(super) async fn check_credentials(
    store: &dyn CredentialStore,
    tenant: &Tenant,
    uses: &[CredentialUse],
) -> Result<Vec<FieldError>, StoreError> {
    let mut faults = Faults::default();
    for named in uses {
        match store.describe(tenant, &named.name).await {
            Ok(found) if named.kinds.contains(&found.kind) => {}
            Ok(found) => {
                let wanted: Vec<&str> = named.kinds.iter().map(|kind| kind.as_str()).collect();
                let (is, wanted) = (found.kind, wanted.join(" or "));
                let detail = format!("is a credential of kind {is}; here one of kind {wanted} is needed");
                faults.add(named.pointer.as_str(), detail);
            }
            Err(StoreError::NotFound) => {
                let how = "POST it to /api/v1/credentials first";
                let detail = format!("names a credential that does not exist ({:?}); {how}", named.name);
                faults.add(named.pointer.as_str(), detail);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(faults.into_inner())
}
