//! A stack update that fails after it has changed the authorizer, and is rolled back, must not lock customers out.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::site::{Login, Site};

const UPDATE: &str = "cloudformation.UpdateStack";

/// Logs in again and again while `during` runs. Returns how many log-ins there were, and fails if one was refused.
fn logging_in<T>(site: &Site, login: &Login, during: impl FnOnce() -> T) -> T {
    let (ended, port) = (AtomicBool::new(false), site.port("us-west-2"));
    std::thread::scope(|scope| {
        let customer = scope.spawn(|| {
            let mut attempts = Vec::new();
            // The last one begins after the deployment has ended.
            loop {
                let last = ended.load(Ordering::Relaxed);
                attempts.push(site.admits(port, login));
                if last {
                    return attempts;
                }
            }
        });
        let result = during();
        ended.store(true, Ordering::Relaxed);
        let attempts = customer.join().unwrap_or_else(|_| panic!("the customer's thread panicked"));
        assert!(attempts.len() > 1 && attempts.iter().all(|admitted| *admitted), "{attempts:?}");
        result
    })
}

fn failing_update(site: &Site, memory: u32, skip: &str) -> String {
    site.edit(|file| {
        let kept = file.split("\nauthorizer:").next().unwrap_or_default().to_owned();
        format!("{kept}\nauthorizer: {{ memory_mb: {memory} }}\n")
    });
    site.ok(&["local", "faults", "add", UPDATE, "roll-back", "--region", "us-west-2", "--skip", skip]);
    let output = site.ends_with(6, &["deploy", "--env", "99", "--local", "--yes"]);
    site.ok(&["local", "faults", "clear"]);
    assert!(output.contains("UPDATE_ROLLBACK_COMPLETE"), "{output}");
    output
}

#[test]
fn first_update_that_is_rolled_back_admits_customers_throughout() {
    let site = Site::deployed("");
    assert_eq!(site.aws(&["server-parameter"]), "live", "the deployment that creates the server sets the parameter");
    let login = site.add(1757, "a@b.c", "Sesame-12-open");
    let output = logging_in(&site, &login, || failing_update(&site, 1024, "0"));
    assert!(output.contains("fails-on-purpose"), "the cause is reported: {output}");
    logging_in(&site, &login, || failing_update(&site, 768, "0"));
    site.deploy();
    assert_eq!(site.planned(), Vec::<String>::new());
}

/// Deployments of earlier versions left the parameter `unset`.
#[test]
fn deployment_without_the_server_parameter_is_repaired_first() {
    let site = Site::deployed("");
    let login = site.add(1757, "a@b.c", "Sesame-12-open");
    site.aws(&["forget-server-parameter"]);
    assert_eq!(site.planned(), ["us-west-2/server-id"]);
    // The parameter is set first, by an update of its own.
    logging_in(&site, &login, || failing_update(&site, 1024, "1"));
    assert_eq!(site.aws(&["server-parameter"]), "live");

    // If that update fails too, the rollback removes the ID, and the same run sets it again.
    site.deploy();
    site.aws(&["forget-server-parameter"]);
    failing_update(&site, 768, "0");
    assert!(site.admits(site.port("us-west-2"), &login));
    site.deploy();
    assert_eq!(site.planned(), Vec::<String>::new());
    assert_eq!(site.aws(&["server-parameter"]), "live");
}
