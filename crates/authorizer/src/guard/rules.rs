//! The settings, as `guard` in the environment file gives them to the function.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Subject;

/// The settings of the guard. Times are in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rules {
    /// How long refusals are added up.
    pub window: i64,
    /// Points within a window that ban an address.
    pub address_threshold: u32,
    /// Points within a window that ban an address with one user name.
    pub login_threshold: u32,
    /// The first ban; each further one is twice as long as the last.
    pub ban: i64,
    /// The longest ban, and how long after a ban another counts as a repetition.
    pub longest_ban: i64,
    pub points: Points,
    /// Whether a user name is banned everywhere, with the threshold of an address.
    #[serde(default)]
    pub lock_users: bool,
    /// Ranges that are neither counted nor banned.
    #[serde(default)]
    pub allow: Vec<IpNet>,
}

/// The points of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Points {
    pub unknown_user: u32,
    /// Also for an account that is disabled, has expired, or may not log in from there.
    pub wrong_password: u32,
    pub blocked_name: u32,
}

impl Rules {
    pub fn threshold(&self, subject: Subject) -> u32 {
        match subject {
            Subject::Address | Subject::User => self.address_threshold,
            Subject::Login => self.login_threshold,
        }
    }

    /// The length of a ban after so many others.
    pub fn length(&self, bans: u32) -> i64 {
        let factor = 1_i64.checked_shl(bans.min(40)).unwrap_or(i64::MAX);
        self.ban.saturating_mul(factor).min(self.longest_ban.max(self.ban))
    }
}
