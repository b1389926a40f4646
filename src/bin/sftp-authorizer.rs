//! The Lambda: maps events to the decision in `sftpctl::authorizer`, and the decision to Lambda's answer.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;
use sftpctl::authorizer::{Config, decide};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing_subscriber::fmt().json().without_time().with_writer(std::io::stderr).init();
    let config = Config::read(|name| std::env::var(name).ok())
        .map_err(|name| format!("the environment variable {name} is missing"))?;
    run(service_fn(|event: LambdaEvent<Value>| {
        let config = config.clone();
        async move {
            let refusal = decide(&config, event.payload["serverId"].as_str().unwrap_or_default());
            tracing::info!(outcome = "refused", reason = refusal.reason());
            Err::<Value, Error>(refusal.text().into())
        }
    }))
    .await
}
