//! Services that ask for a client's certificate.

use std::sync::Arc;

use anyhow::ensure;
use callboard_core::base::secret::Secret;
use callboard_core::credential::{ClientCertificate, Credential};
use callboard_runner_http::HttpRunner;
use callboard_testkit::calls::{
    Authority, Issued, JSON, Keeper, Run, Server, in_a_process_that_trusts, job, never, run,
};
use serde_json::json;

use crate::world::{PRIVATE, logs, registry};

async fn call(address: &str, shown: Issued, hosts: &[&str]) -> anyhow::Result<Run> {
    let config = format!("base_url: 'https://{address}', auth: {{type: mtls, credential: c}}");
    let request = job(&registry(PRIVATE, &config, "timeout: 30"), &json!({}))?;
    let keeper = Keeper::of(Credential::ClientCertificate(ClientCertificate {
        certificate: shown.certificate,
        private_key: Secret::new(shown.key),
        hosts: hosts.iter().map(ToString::to_string).collect(),
    }));
    run(&HttpRunner::new(Arc::new(keeper)), request, logs, never()).await
}

#[tokio::test]
async fn a_certificate_is_shown_to_the_service_that_asks_for_it() -> anyhow::Result<()> {
    let test = "mtls::a_certificate_is_shown_to_the_service_that_asks_for_it";
    let Some(servers) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let clients = Authority::new()?;
    let listener = servers.listen(Some(&clients)).await?;
    let address = listener.address()?;
    let server = Server::on(listener, &[(200, JSON, "{}")]);
    let result = call(&address, clients.issue("client")?, &[]).await?.result()?;
    ensure!(result["status"] == "successful" && server.asked() == 1, "{result}");
    // what another authority has issued is refused; so is whoever shows nothing
    let result = call(&address, servers.issue("client")?, &[]).await?.result()?;
    ensure!(result["reason"] == "service_unreachable", "{result}");
    let config = format!("base_url: 'https://{address}'");
    let request = job(&registry(PRIVATE, &config, "timeout: 30"), &json!({}))?;
    let none = HttpRunner::new(Arc::new(Keeper::default()));
    let result = run(&none, request, logs, never()).await?.result()?;
    ensure!(result["reason"] == "service_unreachable", "{result}");
    // a certificate for another host is shown to nobody
    let result = call(&address, clients.issue("client")?, &["api.example.com"])
        .await?
        .result()?;
    ensure!(result["reason"] == "credential_unavailable", "{result}");
    ensure!(server.asked() == 1, "{:?}", server.seen());
    Ok(())
}

#[tokio::test]
async fn two_clients_of_one_worker_do_not_share_a_connection() -> anyhow::Result<()> {
    let test = "mtls::two_clients_of_one_worker_do_not_share_a_connection";
    let Some(servers) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let clients = Authority::new()?;
    let listener = servers.listen(Some(&clients)).await?;
    let address = listener.address()?;
    let server = Server::on(listener, &[(200, JSON, "{}")]);
    let config = |auth: &str| format!("base_url: 'https://{address}', auth: {{{auth}}}");
    let shown = clients.issue("client")?;
    let runner = HttpRunner::new(Arc::new(Keeper::of(Credential::ClientCertificate(ClientCertificate {
        certificate: shown.certificate,
        private_key: Secret::new(shown.key),
        hosts: Vec::new(),
    }))));
    for (auth, reason) in [
        ("type: mtls, credential: c", json!(null)),
        ("type: none", json!("service_unreachable")),
    ] {
        let request = job(&registry(PRIVATE, &config(auth), "timeout: 30"), &json!({}))?;
        let result = run(&runner, request, logs, never()).await?.result()?;
        ensure!(result["reason"] == reason, "{auth}: {result}");
    }
    ensure!(server.asked() == 1, "{:?}", server.seen());
    Ok(())
}
