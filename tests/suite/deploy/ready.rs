//! `berth ready`, the health check of containers without a shell.

use std::sync::Arc;

use anyhow::Result;

use super::free_port;
use crate::harness::{Authority, Home, Setup, berth};

#[tokio::test]
async fn knows_a_server_that_answers_from_one_that_does_not() -> Result<()> {
    let home = Home::new()?;
    let mut server = Setup::default().on_port(free_port()?).start().await?;
    let berth = berth()?.display().to_string();
    let listen = server.host().to_owned();
    let ready = ["ready", "--listen", &listen];
    home.run(&berth, &ready).await?;
    server.kill()?;
    home.fails(&berth, &ready, &["refused"]).await
}

#[tokio::test]
async fn believes_the_configured_certificate_and_no_other() -> Result<()> {
    let (own, other) = (Arc::new(Authority::new(&[])?), Authority::new(&[])?);
    let server = Setup::default().with_tls(&own).on_port(free_port()?).start().await?;
    let berth = berth()?.display().to_string();
    let ready = ["ready", "--listen", server.host()];
    let with = |authority: &Authority| -> Result<Home> {
        let mut home = Home::new()?;
        home.set("BERTH_HTTP__TLS__CERTIFICATE", authority.certificate().display().to_string());
        home.set("BERTH_HTTP__TLS__KEY", authority.key().display().to_string());
        Ok(home)
    };
    with(&own)?.run(&berth, &ready).await?;
    with(&other)?.fails(&berth, &ready, &["certificate"]).await?;
    // Plain HTTP is no answer of a server with TLS.
    let plain = Home::new()?;
    let outcome = plain.outcome(&berth, &ready).await?;
    anyhow::ensure!(!outcome.success, "a server with TLS is ready over HTTP: {}", outcome.text());
    Ok(())
}
