//! Keys for a cloud: the keys of a credential, or the keys of a role that is assumed.

use callboard_core::base::id::Tenant;
use callboard_core::credential::{AwsAccess, AwsKeys, CloudRef, Credential, CredentialKind};

use crate::aws::{DEFAULT_REGION, Role};
use crate::external::not_listed;
use crate::fault::Fault;
use crate::resolver::Resolver;

impl Resolver {
    pub(crate) async fn keys_for(&self, tenant: &Tenant, cloud: &CloudRef, session: &str) -> Result<AwsKeys, Fault> {
        let keys = match cloud {
            CloudRef::Stored(name) => self.keys_of_stored(tenant, name, session).await?,
            CloudRef::Aws(aws) => {
                let credential = match &aws.credential {
                    Some(reference) => Some(self.find(tenant, reference, &[CredentialKind::Cloud]).await?),
                    None => None,
                };
                match (credential, aws.role_arn.as_deref()) {
                    (Some(credential), None) => self.keys_of(&access(credential)?, session).await?,
                    (Some(credential), Some(role)) => self.keys_of_role(&access(credential)?, role, session).await?,
                    (None, Some(role)) => self.assume_as_worker(role, None, None, session).await?,
                    (None, None) => return Err(Fault::new("access to AWS needs a credential or a role_arn")),
                }
            }
        };
        let region = keys.region.clone().or_else(|| self.own.region());
        Ok(AwsKeys { region, ..keys })
    }

    pub(crate) async fn keys_of_stored(&self, tenant: &Tenant, name: &str, session: &str) -> Result<AwsKeys, Fault> {
        let credential = self.stored(tenant, name, &[CredentialKind::Cloud]).await?;
        self.keys_of(&access(credential)?, session).await
    }

    /// Returns the keys of a credential, or of its role.
    async fn keys_of(&self, access: &AwsAccess, session: &str) -> Result<AwsKeys, Fault> {
        let (external_id, region) = (access.external_id.as_deref(), access.region.as_deref());
        match (keys_in(access), access.role_arn.as_deref()) {
            (Some(keys), None) => Ok(keys),
            (Some(keys), Some(role)) => self.assume(&keys, role, external_id, session).await,
            (None, Some(role)) => self.assume_as_worker(role, external_id, region, session).await,
            (None, None) => Err(Fault::new("the credential holds neither keys nor a role")),
        }
    }

    /// Returns the keys of a role that a request names, assumed with a credential.
    async fn keys_of_role(&self, access: &AwsAccess, role: &str, session: &str) -> Result<AwsKeys, Fault> {
        let external_id = access.external_id.as_deref().filter(|_| access.role_arn.is_none());
        let keys = self.keys_of(access, session).await?;
        self.assume(&keys, role, external_id, session).await
    }

    async fn assume_as_worker(
        &self,
        role: &str,
        external_id: Option<&str>,
        region: Option<&str>,
        session: &str,
    ) -> Result<AwsKeys, Fault> {
        if !self.policy.allows_role(role) {
            return Err(not_listed(role, "roles").about(&unassumed(role)));
        }
        let own = self.own_keys().await?;
        let region = region.map(str::to_owned).or(own.region.clone());
        self.assume(&AwsKeys { region, ..own }, role, external_id, session)
            .await
    }

    async fn assume(
        &self,
        keys: &AwsKeys,
        role: &str,
        external_id: Option<&str>,
        session: &str,
    ) -> Result<AwsKeys, Fault> {
        let region = keys.region.clone().or_else(|| self.own.region());
        let role_to_assume = Role {
            arn: role,
            external_id,
            session: &session_name(session),
        };
        let assumed = self
            .aws
            .assume(&role_to_assume, region.as_deref().unwrap_or(DEFAULT_REGION), keys);
        let assumed = assumed.await.map_err(|fault| fault.about(&unassumed(role)))?;
        Ok(AwsKeys {
            region: keys.region.clone(),
            ..assumed
        })
    }

    pub(crate) async fn own_keys(&self) -> Result<AwsKeys, Fault> {
        let keys = self.own.keys().await;
        keys.map_err(|error| Fault::caused("the worker's own identity in AWS cannot be obtained", error))
    }
}

fn unassumed(role: &str) -> String {
    format!("the role {role:?} could not be assumed")
}

fn access(credential: Credential) -> Result<AwsAccess, Fault> {
    match credential {
        Credential::Cloud(access) => Ok(access),
        other => Err(Fault::new(format!(
            "a credential of kind {} is none for a cloud",
            other.kind()
        ))),
    }
}

fn keys_in(access: &AwsAccess) -> Option<AwsKeys> {
    Some(AwsKeys {
        access_key_id: access.access_key_id.clone()?,
        secret_access_key: access.secret_access_key.clone()?,
        session_token: access.session_token.clone(),
        region: access.region.clone(),
    })
}

/// Makes a valid AWS session name: 2 to 64 characters of `[A-Za-z0-9_+=,.@-]`.
fn session_name(text: &str) -> String {
    let good = |letter: char| letter.is_ascii_alphanumeric() || "_+=,.@-".contains(letter);
    let name: String = text
        .chars()
        .map(|letter| if good(letter) { letter } else { '-' })
        .take(64)
        .collect();
    if name.len() < 2 {
        format!("callboard{name}")
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::session_name;

    #[test]
    fn a_session_has_a_name_that_aws_takes() {
        assert_eq!(session_name("callboard-0197,a=b@c.d+e_f"), "callboard-0197,a=b@c.d+e_f");
        assert_eq!(session_name("größe 1/2:\n"), "gr--e-1-2--");
        assert_eq!(session_name(&"x".repeat(65)).len(), 64);
        assert_eq!(
            (session_name("").as_str(), session_name("a").as_str()),
            ("callboard", "callboarda")
        );
    }
}
