//! `guard`: bans of addresses that try passwords. Pure.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use serde_saphyr::Spanned;

use crate::yaml::Checker;

/// The guard, with defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    pub window_minutes: u32,
    pub address_threshold: u32,
    pub login_threshold: u32,
    pub ban_minutes: u32,
    pub longest_ban_hours: u32,
    pub unknown_user: u32,
    pub wrong_password: u32,
    pub blocked_name: u32,
    pub lock_users: bool,
    /// Ranges that are neither counted nor banned, as they are written.
    pub allow: Vec<String>,
}

/// The guard as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Guard")]
pub(super) struct Setting {
    /// Minutes in which refusals are added up, 1 to 1440. Default 30.
    #[schemars(with = "Option<u32>")]
    window_minutes: Option<Spanned<u32>>,
    /// Points within a window that ban an address, 2 to 1000. Default 20.
    #[schemars(with = "Option<u32>")]
    address_threshold: Option<Spanned<u32>>,
    /// Points within a window that ban an address for one user name, at most half of `address_threshold`, so that one client
    /// with an old password never bans the others behind its address. Default 10.
    #[schemars(with = "Option<u32>")]
    login_threshold: Option<Spanned<u32>>,
    /// Minutes of the first ban, at least those of the window; each further ban is twice as long. Default 30.
    #[schemars(with = "Option<u32>")]
    ban_minutes: Option<Spanned<u32>>,
    /// Hours of the longest ban, 1 to 720; after as many, bans are forgotten. Default 24.
    #[schemars(with = "Option<u32>")]
    longest_ban_hours: Option<Spanned<u32>>,
    /// Points of a refusal.
    points: Option<PointsSetting>,
    /// Whether a user name is banned for all addresses once it has as many points as an address may have. Default false: whoever
    /// knows a customer's name could shut the customer out.
    lock_users: Option<bool>,
    /// Address ranges that are neither counted nor banned, such as an office with many customers: at most 30.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    allow: Vec<Spanned<String>>,
}

/// Points of a refusal, 0 to 100.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GuardPoints")]
struct PointsSetting {
    /// No account has the user name. Default 1. If it differs from `wrong_password`, bans tell which accounts exist.
    #[schemars(with = "Option<u32>")]
    unknown_user: Option<Spanned<u32>>,
    /// The password is wrong, or the account may not log in. Default 1.
    #[schemars(with = "Option<u32>")]
    wrong_password: Option<Spanned<u32>>,
    /// The user name is on `authorizer.block_list`. Default 4.
    #[schemars(with = "Option<u32>")]
    blocked_name: Option<Spanned<u32>>,
}

/// Ranges at most: they are a part of the function's environment variables, which share 4 KB (Lambda developer guide,
/// "Lambda quotas").
const RANGES: usize = 30;

/// Characters that the rules take of these 4 KB, at most, with the table's name.
pub(super) fn characters(setting: &Setting) -> usize {
    400 + setting.allow.iter().map(|range| range.value.len() + 3).sum::<usize>()
}

/// The guard with plain values.
pub(super) fn fill(setting: Setting) -> Guard {
    let points = setting.points.unwrap_or_default();
    let number = |value: Option<Spanned<u32>>, default| value.map_or(default, |value| value.value);
    Guard {
        window_minutes: number(setting.window_minutes, 30),
        address_threshold: number(setting.address_threshold, 20),
        login_threshold: number(setting.login_threshold, 10),
        ban_minutes: number(setting.ban_minutes, 30),
        longest_ban_hours: number(setting.longest_ban_hours, 24),
        unknown_user: number(points.unknown_user, 1),
        wrong_password: number(points.wrong_password, 1),
        blocked_name: number(points.blocked_name, 4),
        lock_users: setting.lock_users.unwrap_or_default(),
        allow: setting.allow.into_iter().map(|range| range.value).collect(),
    }
}

impl Guard {
    /// The rules as the function reads them.
    pub fn rules(&self) -> Value {
        json!({
            "window": self.window_minutes * 60,
            "addressThreshold": self.address_threshold,
            "loginThreshold": self.login_threshold,
            "ban": self.ban_minutes * 60,
            "longestBan": self.longest_ban_hours * 3600,
            "points": {
                "unknownUser": self.unknown_user,
                "wrongPassword": self.wrong_password,
                "blockedName": self.blocked_name,
            },
            "lockUsers": self.lock_users,
            "allow": self.allow,
        })
    }
}

/// Finds the faults of the guard.
pub(super) fn check(checker: &mut Checker<'_>, setting: Option<&Spanned<Setting>>) {
    let Some(place) = setting else { return };
    let setting = &place.value;
    let points = setting.points.as_ref();
    checker.between(setting.window_minutes.as_ref(), "`guard.window_minutes`", 1, 1440);
    checker.between(setting.address_threshold.as_ref(), "`guard.address_threshold`", 2, 1000);
    checker.between(setting.login_threshold.as_ref(), "`guard.login_threshold`", 1, 500);
    checker.between(setting.ban_minutes.as_ref(), "`guard.ban_minutes`", 1, 1440);
    checker.between(setting.longest_ban_hours.as_ref(), "`guard.longest_ban_hours`", 1, 720);
    for (value, name) in [
        (points.and_then(|points| points.unknown_user.as_ref()), "`guard.points.unknown_user`"),
        (points.and_then(|points| points.wrong_password.as_ref()), "`guard.points.wrong_password`"),
        (points.and_then(|points| points.blocked_name.as_ref()), "`guard.points.blocked_name`"),
    ] {
        checker.between(value, name, 0, 100);
    }
    let number = |value: Option<&Spanned<u32>>, default| value.map_or(default, |value| value.value);
    let (address, login) =
        (number(setting.address_threshold.as_ref(), 20), number(setting.login_threshold.as_ref(), 10));
    let of_one = |value: Option<&Spanned<u32>>| number(value, 1);
    let points = points
        .map_or(1, |points| of_one(points.unknown_user.as_ref()).max(of_one(points.wrong_password.as_ref())).max(1));
    // A client has up to a window's points before a window with which it is banned (`sftp_authorizer::guard`).
    let least = login.saturating_mul(2).saturating_add(points - 1);
    if address < least {
        let message = format!(
            "one client with an old password would ban its address: `address_threshold` is {address}, and must be at least \
             {least} with a `login_threshold` of {login}"
        );
        checker.fault(place, message).hint = Some("raise `address_threshold`, or lower `login_threshold`".into());
    }
    let (window, ban) = (number(setting.window_minutes.as_ref(), 30), number(setting.ban_minutes.as_ref(), 30));
    if ban < window {
        checker.fault(place, format!("a ban of {ban} minutes is shorter than the window of {window} minutes")).hint =
            Some("lengthen `ban_minutes`, or shorten `window_minutes`".into());
    }
    if ban > number(setting.longest_ban_hours.as_ref(), 24).saturating_mul(60) {
        checker.fault(place, "`ban_minutes` is longer than `longest_ban_hours`");
    }
    if let Some(range) = setting.allow.get(RANGES) {
        checker.fault(range, format!("{} ranges are too many: {RANGES} are possible", setting.allow.len()));
    }
    for range in &setting.allow {
        check_range(checker, range);
    }
}

/// A fault unless a text is a range of addresses. Returns whether it is one.
pub(super) fn check_range(checker: &mut Checker<'_>, range: &Spanned<String>) -> bool {
    let is_one = is_range(&range.value);
    if !is_one {
        checker.fault(range, format!("`{}` is not a range of addresses", range.value)).hint =
            Some("for example 203.0.113.0/24, or 203.0.113.7/32 for one address".into());
    }
    is_one
}

/// Whether a text is a range of addresses without bits after its prefix, as the authorizer reads it.
pub(super) fn is_range(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    // The function reads no other form of a number, and addresses of IPv4 in no other.
    if bits.is_empty() || !bits.bytes().all(|byte| byte.is_ascii_digit()) || (bits.len() > 1 && bits.starts_with('0')) {
        return false;
    }
    let (Ok(address), Ok(bits)) = (address.parse::<std::net::IpAddr>(), bits.parse::<u32>()) else { return false };
    match address {
        std::net::IpAddr::V4(address) => {
            bits <= 32 && u32::from(address).checked_shl(bits).is_none_or(|rest| rest == 0)
        }
        std::net::IpAddr::V6(address) => {
            address.to_ipv4_mapped().is_none()
                && bits <= 128
                && u128::from(address).checked_shl(bits).is_none_or(|rest| rest == 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec;

    fn load(guard: &str) -> Result<Option<Guard>, String> {
        let source = format!(
            "version: 1\nenvironment: \"9\"\naccount: \"111111111111\"\nhome_region: us-west-2\n\
             regions: {{ us-west-2: {{ server: true }} }}\nclusters: {{ 9-5: us-west-2 }}\n{guard}\n"
        );
        let loaded = spec::load(&source, "x.yaml");
        loaded
            .map(|environment| environment.guard)
            .map_err(|faults| faults.list().iter().map(|fault| fault.message.clone()).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn there_is_none_without_the_setting() {
        assert_eq!(load(""), Ok(None));
        let guard = load("guard: {}").unwrap().unwrap();
        assert_eq!((guard.address_threshold, guard.login_threshold, guard.lock_users), (20, 10, false));
        assert_eq!(guard.rules()["longestBan"], 86_400);
        let guard = load("guard: { allow: [203.0.113.0/24, 2001:db8::/32], points: { blocked_name: 7 } }").unwrap();
        assert_eq!(guard.as_ref().unwrap().rules()["points"]["blockedName"], 7);
        assert_eq!(guard.unwrap().allow, ["203.0.113.0/24", "2001:db8::/32"]);
    }

    #[test]
    fn faults_say_what_would_happen() {
        for (setting, message) in [
            ("{ address_threshold: 19 }", "must be at least 20 with a `login_threshold` of 10"),
            ("{ points: { wrong_password: 3 } }", "must be at least 22"),
            ("{ window_minutes: 31 }", "a ban of 30 minutes is shorter than the window of 31 minutes"),
            ("{ ban_minutes: 61, longest_ban_hours: 1 }", "`ban_minutes` is longer than `longest_ban_hours`"),
            ("{ allow: [203.0.113.1/24] }", "`203.0.113.1/24` is not a range"),
            ("{ allow: [203.0.113.1] }", "`203.0.113.1` is not a range"),
            ("{ allow: [203.0.113.0/33] }", "is not a range"),
            ("{ allow: [\"2001:db8::1/64\"] }", "is not a range"),
            ("{ allow: [office] }", "`office` is not a range"),
            ("{ window_minutes: 0 }", "`guard.window_minutes`"),
            ("{ points: { blocked_name: 101 } }", "`guard.points.blocked_name`"),
        ] {
            let faults = load(&format!("guard: {setting}")).unwrap_err();
            assert!(faults.contains(message), "{setting}: {faults}");
        }
        for range in ["0.0.0.0/0", "203.0.113.7/32", "2001:db8::/32", "::1/128", "::/0"] {
            assert!(load(&format!("guard: {{ allow: [\"{range}\"] }}")).is_ok(), "{range}");
        }
        let many: Vec<String> = (0..31).map(|number| format!("192.0.2.{number}/32")).collect();
        assert!(load(&format!("guard: {{ allow: [{}] }}", many.join(", "))).unwrap_err().contains("31 ranges"));
    }
}
