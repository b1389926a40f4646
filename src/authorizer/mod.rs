//! The decision on a log-in. Pure: no AWS, no clock.
//!
//! It refuses everyone: accounts are looked up from the next version on.

/// What the Lambda is told by its environment variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The one server that may ask; `unset` until there is one.
    pub server_id: String,
}

impl Config {
    /// Reads the variables through `get`.
    ///
    /// # Errors
    /// The name of the variable that is missing.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, &'static str> {
        Ok(Self { server_id: get("SERVER_ID").ok_or("SERVER_ID")? })
    }
}

/// Why a log-in is refused; the words that begin the error select the API's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another server asks.
    OtherServer,
    /// There are no accounts yet.
    NoAccounts,
}

impl Refusal {
    /// `401 …`, `403 …` or `404 …`.
    pub fn text(self) -> &'static str {
        match self {
            Self::OtherServer => "401 unauthorized",
            Self::NoAccounts => "404 unknown user",
        }
    }

    /// For the log.
    pub fn reason(self) -> &'static str {
        match self {
            Self::OtherServer => "other-server",
            Self::NoAccounts => "no-accounts",
        }
    }
}

/// Decides.
pub fn decide(config: &Config, server_id: &str) -> Refusal {
    if server_id == config.server_id { Refusal::NoAccounts } else { Refusal::OtherServer }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_variable_is_named() {
        assert_eq!(Config::read(|_| None), Err("SERVER_ID"));
    }

    #[test]
    fn everyone_is_refused() {
        let config = Config { server_id: "s-1".into() };
        assert_eq!(decide(&config, "s-2").text(), "401 unauthorized");
        assert_eq!(decide(&config, "s-1").text(), "404 unknown user");
    }
}
