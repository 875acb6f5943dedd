//! S3 as an archive cache.

use callboard_aws::S3ArchiveCache;
use callboard_testkit::aws::Resources;

pub(crate) async fn make() -> anyhow::Result<(S3ArchiveCache, Resources)> {
    let resources = Resources::create().await?;
    let cache = S3ArchiveCache::new(&resources.config, resources.bucket.clone());
    Ok((cache, resources))
}
