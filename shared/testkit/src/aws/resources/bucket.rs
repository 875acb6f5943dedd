//! Makes the buckets. Their policy, which requires TLS, is left out: the emulator has no TLS.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, DefaultRetention, ExpirationStatus,
    LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, ObjectLockConfiguration, ObjectLockEnabled,
    ObjectLockRetentionMode, ObjectLockRule, ObjectOwnership, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
};

use crate::aws::template::Part;

/// Makes a private, encrypted bucket whose objects expire.
pub(super) async fn create(client: &Client, properties: &Part<'_>, name: &str) -> anyhow::Result<()> {
    let ownership = ObjectOwnership::from(properties.text("/OwnershipControls/Rules/0/ObjectOwnership")?);
    let create = client.create_bucket().bucket(name).object_ownership(ownership);
    create.send().await?;
    let block = client.put_public_access_block().bucket(name);
    block
        .public_access_block_configuration(public_access(&properties.at("/PublicAccessBlockConfiguration")?)?)
        .send()
        .await?;
    let encrypt = client.put_bucket_encryption().bucket(name);
    encrypt
        .server_side_encryption_configuration(encryption(properties)?)
        .send()
        .await?;
    let rules = properties.list("/LifecycleConfiguration/Rules")?;
    let rules: anyhow::Result<Vec<_>> = rules.iter().map(lifecycle).collect();
    let lifecycle = BucketLifecycleConfiguration::builder()
        .set_rules(Some(rules?))
        .build()?;
    let expire = client.put_bucket_lifecycle_configuration().bucket(name);
    expire.lifecycle_configuration(lifecycle).send().await?;
    Ok(())
}

/// Makes a bucket whose objects cannot be deleted for a day.
pub(super) async fn create_locked(client: &Client, properties: &Part<'_>, name: &str) -> anyhow::Result<()> {
    let locked = properties.flag("/ObjectLockEnabled")?;
    let create = client
        .create_bucket()
        .bucket(name)
        .object_lock_enabled_for_bucket(locked);
    create.send().await?;
    let mode = properties.text("/ObjectLockConfiguration/Rule/DefaultRetention/Mode")?;
    let retention = DefaultRetention::builder()
        .mode(ObjectLockRetentionMode::from(mode))
        .days(1)
        .build();
    let lock = ObjectLockConfiguration::builder()
        .object_lock_enabled(ObjectLockEnabled::Enabled)
        .rule(ObjectLockRule::builder().default_retention(retention).build())
        .build();
    let put = client.put_object_lock_configuration().bucket(name);
    put.object_lock_configuration(lock).send().await?;
    Ok(())
}

fn public_access(part: &Part<'_>) -> anyhow::Result<PublicAccessBlockConfiguration> {
    Ok(PublicAccessBlockConfiguration::builder()
        .block_public_acls(part.flag("/BlockPublicAcls")?)
        .block_public_policy(part.flag("/BlockPublicPolicy")?)
        .ignore_public_acls(part.flag("/IgnorePublicAcls")?)
        .restrict_public_buckets(part.flag("/RestrictPublicBuckets")?)
        .build())
}

fn encryption(properties: &Part<'_>) -> anyhow::Result<ServerSideEncryptionConfiguration> {
    let rule = "/BucketEncryption/ServerSideEncryptionConfiguration/0/ServerSideEncryptionByDefault";
    let algorithm = ServerSideEncryption::from(properties.text(&format!("{rule}/SSEAlgorithm"))?);
    let by_default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(algorithm)
        .build()?;
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(by_default)
        .build();
    Ok(ServerSideEncryptionConfiguration::builder().rules(rule).build()?)
}

fn lifecycle(part: &Part<'_>) -> anyhow::Result<LifecycleRule> {
    let expiration = part.number("/ExpirationInDays").ok();
    let abort = part.number("/AbortIncompleteMultipartUpload/DaysAfterInitiation").ok();
    anyhow::ensure!(
        expiration.is_some() || abort.is_some(),
        "a rule of the bucket does nothing"
    );
    let expiration = expiration.map(|days| LifecycleExpiration::builder().days(days).build());
    let abort = abort.map(|days| {
        AbortIncompleteMultipartUpload::builder()
            .days_after_initiation(days)
            .build()
    });
    Ok(LifecycleRule::builder()
        .id(part.text("/Id")?)
        .status(ExpirationStatus::from(part.text("/Status")?))
        .filter(
            LifecycleRuleFilter::builder()
                .prefix(part.text("/Prefix").unwrap_or_default())
                .build(),
        )
        .set_expiration(expiration)
        .set_abort_incomplete_multipart_upload(abort)
        .build()?)
}
