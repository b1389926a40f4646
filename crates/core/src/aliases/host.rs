//! The hosts of an environment, and the one that aliases get.

use crate::spec::model::Environment;
use crate::spec::names;

/// Why an environment has no host for an alias.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    #[error("environment {0} has no `dns:` in its file, and so no hosts")]
    NoDns(String),
    #[error("environment {environment} has no server in {region}")]
    NoServer { environment: String, region: String },
    #[error("environment {environment} has several hosts; choose one with --region: {}", .regions.join(", "))]
    Several { environment: String, regions: Vec<String> },
    #[error("environment {0} has no server in any region")]
    None(String),
}

/// The regions with a server.
fn regions(environment: &Environment) -> Vec<&String> {
    environment.regions.iter().filter(|(_, region)| region.server).map(|(name, _)| name).collect()
}

/// Every host of the environment: an alias that points to one of them is ours.
pub fn all(environment: &Environment) -> Vec<String> {
    let Some(dns) = &environment.dns else { return Vec::new() };
    let mut hosts: Vec<String> =
        environment.regions.keys().map(|region| names::host(environment, region, &dns.zone)).collect();
    hosts.push(names::latency_host(environment, &dns.zone));
    hosts
}

/// The host that aliases get: that of the region; without one, the host with latency routing, or that of the only
/// region with a server.
///
/// # Errors
/// There is none, or there are several.
pub fn choose(environment: &Environment, region: Option<&str>) -> Result<String, HostError> {
    let name = || environment.name.clone();
    let dns = environment.dns.as_ref().ok_or_else(|| HostError::NoDns(name()))?;
    let regions = regions(environment);
    if let Some(region) = region {
        return match regions.iter().any(|known| *known == region) {
            true => Ok(names::host(environment, region, &dns.zone)),
            false => Err(HostError::NoServer { environment: name(), region: region.to_owned() }),
        };
    }
    match regions.as_slice() {
        [] => Err(HostError::None(name())),
        _ if dns.latency => Ok(names::latency_host(environment, &dns.zone)),
        [only] => Ok(names::host(environment, only, &dns.zone)),
        several => Err(HostError::Several {
            environment: name(),
            regions: several.iter().map(|region| (*region).clone()).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_is_chosen_unless_there_are_several() {
        let mut environment = crate::spec::load(include_str!("../../../../environments/99.yaml"), "99.yaml").unwrap();
        assert_eq!(choose(&environment, Some("us-east-2")).unwrap(), "99-uploads-us-east-2.xx.net");
        assert!(choose(&environment, None).unwrap_err().to_string().ends_with("us-east-2, us-west-2"));
        assert!(choose(&environment, Some("us-east-1")).is_err(), "it has no server");
        environment.dns.as_mut().unwrap().latency = true;
        assert_eq!(choose(&environment, None).unwrap(), "99-uploads.xx.net");
        environment.dns.as_mut().unwrap().latency = false;
        environment.regions.remove("us-east-2");
        assert_eq!(choose(&environment, None).unwrap(), "99-uploads-us-west-2.xx.net");
        assert_eq!(all(&environment).len(), 3, "a region without a server had one before, perhaps");
        environment.dns = None;
        assert!(choose(&environment, None).is_err() && all(&environment).is_empty());
    }
}
