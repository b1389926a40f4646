//! Attacks and customers against a table in memory.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::by_hand::{Entry, Verb};
use super::*;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
/// 2026-11-29T10:36:07Z.
const NOW: i64 = 1_795_948_567;

/// The defaults of the environment file.
fn rules() -> Rules {
    Rules {
        window: 30 * MINUTE,
        address_threshold: 20,
        login_threshold: 10,
        ban: 30 * MINUTE,
        longest_ban: 24 * HOUR,
        points: Points { unknown_user: 1, wrong_password: 1, blocked_name: 4 },
        lock_users: false,
        allow: Vec::new(),
    }
}

fn asker(address: &str, name: &str) -> Asker {
    Asker { address: Address::parse(address).unwrap(), name: name.to_owned() }
}

/// The guard's table.
#[derive(Default)]
struct Table {
    items: BTreeMap<String, Record>,
    by_hand: ByHand,
}

impl Table {
    fn seen(&self, rules: &Rules, asker: &Asker) -> Seen {
        let found = |subject: &Subject| Some((*subject, *self.items.get(&asker.key(*subject))?));
        Seen { by_hand: self.by_hand.clone(), records: rules.subjects().iter().filter_map(found).collect() }
    }

    /// As DynamoDB does it: [`Change::condition`], then [`Change::expression`].
    fn write(&mut self, key: &str, change: Change) -> Result<Record, Record> {
        let found = self.items.get(key).copied();
        let mut record = found.unwrap_or_default();
        let holds = match change {
            Change::Add { now, .. } => record.window_end > now,
            Change::Start { now, .. } => record.window_end <= now && record.banned_until <= now,
            Change::Ban { before, .. } => record.bans == before,
        };
        if !holds {
            return Err(record);
        }
        match change {
            Change::Add { points, .. } => record.points += points,
            Change::Start { points, window_end, bans, .. } => record = Record { points, window_end, bans, ..record },
            Change::Ban { until, bans, .. } => record = Record { points: 0, window_end: 0, banned_until: until, bans },
        }
        self.items.insert(key.to_owned(), record);
        Ok(record)
    }

    /// A log-in with a password that would be refused in this way: whether it was checked, and not banned.
    fn tries(&mut self, rules: &Rules, asker: &Asker, refusal: Refusal, now: i64) -> bool {
        let seen = self.seen(rules, asker);
        self.tries_with(rules, asker, &seen, refusal, now)
    }

    /// The same, with what was seen of the table before.
    fn tries_with(&mut self, rules: &Rules, asker: &Asker, seen: &Seen, refusal: Refusal, now: i64) -> bool {
        match rules.standing(asker, seen, now) {
            Standing::Banned { .. } => return false,
            Standing::Exempt => return true,
            Standing::Watched => {}
        }
        let (points, subjects) = rules.scores(refusal, true);
        let mut counts = |subject: Subject| {
            !subjects.contains(&subject) || self.counts(rules, subject, &asker.key(subject), (seen, points, now))
        };
        if counts(Subject::Login) {
            counts(Subject::Address);
            counts(Subject::User);
        }
        true
    }

    /// Counts for one subject; false if it is banned, or about to be.
    fn counts(&mut self, rules: &Rules, subject: Subject, key: &str, (seen, points, now): (&Seen, u32, i64)) -> bool {
        let mut known = seen.record(subject).copied();
        while let Some(change) = next(rules, known.as_ref(), points, now) {
            match self.write(key, change) {
                Ok(record) => {
                    if let Some(ban) = ban(rules, subject, &record, now) {
                        let _ = self.write(key, ban);
                    }
                    return is_first(rules, subject, &record, points);
                }
                Err(found) => known = Some(found),
            }
        }
        false
    }

    fn is_banned(&self, rules: &Rules, asker: &Asker, now: i64) -> bool {
        matches!(rules.standing(asker, &self.seen(rules, asker), now), Standing::Banned { .. })
    }
}

#[test]
fn bot_that_never_stops_gets_few_guesses() {
    let (rules, mut table) = (rules(), Table::default());
    // A name after the other, every ten seconds, for a week.
    let checked = |from: i64, to: i64, table: &mut Table| {
        let times = (from / 10..to / 10).map(|tenth| (tenth, asker("192.0.2.7", &format!("user{tenth}"))));
        times.filter(|(tenth, bot)| table.tries(&rules, bot, Refusal::UnknownUser, NOW + tenth * 10)).count()
    };
    // Twenty, then bans of 0.5, 1, 2, 4, 8 and 16 hours, and of a day from then on.
    assert_eq!(checked(0, 24 * HOUR, &mut table), 120);
    assert_eq!(checked(24 * HOUR, 7 * 24 * HOUR, &mut table), 120);
}

#[test]
fn blocked_names_ban_sooner() {
    let (rules, mut table) = (rules(), Table::default());
    let bot = asker("192.0.2.7", "root");
    for tries in 1..=5 {
        assert!(!table.is_banned(&rules, &bot, NOW), "after {tries}");
        table.tries(&rules, &bot, Refusal::BlockedName, NOW);
    }
    assert!(table.is_banned(&rules, &bot, NOW) && table.is_banned(&rules, &asker("192.0.2.7", "jan"), NOW));
    // It goes on, and its ban does not.
    let before = table.items.clone();
    table.tries(&rules, &bot, Refusal::BlockedName, NOW + 1);
    assert_eq!(table.items, before);
    assert!(!table.is_banned(&rules, &bot, NOW + 30 * MINUTE));
}

/// What an operator has allowed is not counted behind the entry, to be banned when it ends.
#[test]
fn an_allowed_address_has_no_points_of_blocked_names() {
    let (rules, mut table) = (rules(), Table::default());
    let entry = Entry { verb: Verb::Allow, range: "192.0.2.0/24".parse().unwrap(), until: NOW + HOUR };
    table.by_hand.set(entry);
    for _ in 0..10 {
        table.tries(&rules, &asker("192.0.2.7", "root"), Refusal::BlockedName, NOW);
    }
    assert_eq!(table.items, BTreeMap::new());
}

#[test]
fn bans_are_forgotten() {
    let (rules, mut table) = (rules(), Table::default());
    let bot = asker("192.0.2.7", "jan");
    let ban = |table: &mut Table, now: i64| {
        while table.tries(&rules, &bot, Refusal::WrongPassword, now) {}
        table.items[&bot.key(Subject::Login)].banned_until - now
    };
    let (mut now, mut lengths) = (NOW, Vec::new());
    for _ in 0..8 {
        let length = ban(&mut table, now);
        lengths.push(length / MINUTE);
        now += length;
    }
    assert_eq!(lengths, [30, 60, 120, 240, 480, 960, 1440, 1440]);
    // Also if DynamoDB has not deleted the item yet.
    assert_eq!(ban(&mut table, now + 24 * HOUR - 1), 24 * HOUR);
    assert_eq!(ban(&mut table, now + 100 * HOUR), 30 * MINUTE);
}

#[test]
fn a_ban_from_one_address_does_not_touch_another() {
    let (rules, mut table) = (rules(), Table::default());
    let customer = asker("198.51.100.1", "jan");
    for bot in 0..200 {
        let bot = asker(&format!("192.0.2.{bot}"), "jan");
        while table.tries(&rules, &bot, Refusal::WrongPassword, NOW) {}
        assert!(table.is_banned(&rules, &bot, NOW));
        assert!(!table.is_banned(&rules, &customer, NOW));
    }
    // With the setting they shut the customer out, which is why it is off.
    let (rules, mut table) = (Rules { lock_users: true, ..rules }, Table::default());
    for bot in 0..20 {
        table.tries(&rules, &asker(&format!("192.0.2.{bot}"), "jan"), Refusal::WrongPassword, NOW);
    }
    assert!(table.is_banned(&rules, &customer, NOW));
    assert!(!table.is_banned(&rules, &asker("198.51.100.1", "eva"), NOW));
}

#[test]
fn unknown_and_known_names_are_counted_alike() {
    let rules = rules();
    let known = rules.scores(Refusal::WrongPassword, true);
    for refusal in [
        Refusal::UnknownUser,
        Refusal::Disabled,
        Refusal::Expired,
        Refusal::Region,
        Refusal::Source,
        Refusal::NoSuchMethod,
    ] {
        assert_eq!(rules.scores(refusal, true), known, "{refusal:?}");
    }
    assert_eq!(known, (1, &[Subject::Address, Subject::Login][..]));
}

#[test]
fn faults_of_ours_and_log_ins_by_key_are_not_counted() {
    let rules = Rules { lock_users: true, ..rules() };
    for refusal in Refusal::ALL {
        assert_eq!(rules.scores(refusal, false).0, 0, "{refusal:?}");
        let counted = rules.scores(refusal, true).0 > 0;
        assert!(!(counted && refusal.needs_operator()), "{refusal:?}");
    }
    assert_eq!(rules.scores(Refusal::Banned, true).0, 0);
}

#[test]
fn an_ipv6_customer_is_a_network() {
    let key = |address: &str| asker(address, "jan").key(Subject::Login);
    assert_eq!(key("2001:db8:1:2:3:4:5:6"), "login#2001:db8:1:2::/64#jan");
    assert_eq!(key("2001:db8:1:2:ffff::1"), key("2001:db8:1:2:3:4:5:6"));
    assert_ne!(key("2001:db8:1:3::1"), key("2001:db8:1:2::1"));
    // As a dual-stack server may report it.
    assert_eq!(key("::ffff:192.0.2.1"), "login#192.0.2.1#jan");
    assert_eq!(asker("192.0.2.1", "jan").key(Subject::Address), "address#192.0.2.1");
    for text in ["", "192.0.2", "192.0.2.1/24", "localhost", "192.0.2.1 "] {
        assert_eq!(Address::parse(text), None, "{text:?}");
    }
}

#[test]
fn what_an_operator_said_counts_most() {
    let mut rules = rules();
    let mut table = Table::default();
    let jan = |address: &str| asker(address, "jan");
    while table.tries(&rules, &jan("192.0.2.7"), Refusal::WrongPassword, NOW) {}
    let standing = |rules: &Rules, table: &Table, address: &str, now: i64| {
        rules.standing(&jan(address), &table.seen(rules, &jan(address)), now)
    };
    let entry = |verb, range: &str, until| Entry { verb, range: range.parse().unwrap(), until };
    table.by_hand.set(entry(Verb::Ban, "198.51.100.0/24", NOW + HOUR));
    table.by_hand.set(entry(Verb::Ban, "2001:db8::/32", NOW + 2 * HOUR));
    table.by_hand.set(entry(Verb::Ban, "2001:db8::/48", NOW + HOUR));
    for (address, expected) in [
        ("198.51.100.200", Standing::Banned { until: NOW + HOUR }),
        ("198.51.101.1", Standing::Watched),
        ("2001:db8:7::1", Standing::Banned { until: NOW + 2 * HOUR }),
        ("2001:db8::1", Standing::Banned { until: NOW + 2 * HOUR }),
        ("192.0.2.7", Standing::Banned { until: NOW + 30 * MINUTE }),
    ] {
        assert_eq!(standing(&rules, &table, address, NOW), expected, "{address}");
    }
    assert_eq!(standing(&rules, &table, "198.51.100.200", NOW + HOUR), Standing::Watched);
    // One that allows counts more, narrower than an IPv6 network or not.
    table.by_hand.set(entry(Verb::Allow, "192.0.2.0/24", NOW + MINUTE));
    table.by_hand.set(entry(Verb::Allow, "198.51.100.200/32", NOW + MINUTE));
    table.by_hand.set(entry(Verb::Allow, "2001:db8::1/128", NOW + MINUTE));
    for (address, then) in [
        ("192.0.2.7", Standing::Banned { until: NOW + 30 * MINUTE }),
        ("198.51.100.200", Standing::Banned { until: NOW + HOUR }),
        ("2001:db8::1", Standing::Banned { until: NOW + 2 * HOUR }),
    ] {
        assert_eq!(standing(&rules, &table, address, NOW), Standing::Exempt, "{address}");
        assert_eq!(standing(&rules, &table, address, NOW + MINUTE), then, "{address}");
    }
    assert!(table.by_hand.remove("198.51.100.0/24".parse().unwrap()));
    assert!(!table.by_hand.remove("198.51.100.0/24".parse().unwrap()));
    assert_eq!(standing(&rules, &table, "198.51.100.201", NOW), Standing::Watched);
    // And the environment file most.
    rules.allow = vec!["192.0.2.7/32".parse().unwrap()];
    assert_eq!(standing(&rules, &Table::default(), "192.0.2.7", NOW), Standing::Exempt);
    assert_eq!(standing(&rules, &table, "192.0.2.7", NOW + MINUTE), Standing::Exempt);
    // Test log-ins are exempt, and other addresses of the machine are not.
    table.by_hand.set(entry(Verb::Ban, "127.0.0.0/8", NOW + HOUR));
    assert_eq!(standing(&rules, &table, "127.0.0.1", NOW), Standing::Exempt);
    assert_eq!(standing(&rules, &table, "127.0.0.2", NOW), Standing::Banned { until: NOW + HOUR });
}

#[test]
fn entries_survive_their_item_until_they_are_over() {
    let entry = |verb, range: &str, until| Entry { verb, range: range.parse().unwrap(), until };
    let mut by_hand = ByHand { entries: Vec::new(), version: 6 };
    by_hand.set(entry(Verb::Ban, "198.51.100.0/24", NOW + HOUR));
    by_hand.set(entry(Verb::Allow, "2001:db8::/32", NOW + 2 * HOUR));
    by_hand.set(entry(Verb::Ban, "192.0.2.1/32", NOW));
    let item = by_hand.item(NOW);
    let read = ByHand::from_item(&item);
    assert_eq!((read.version, read.entries.len()), (7, 2));
    assert_eq!(read.entries, by_hand.entries[..2]);
    assert_eq!(item[EXPIRES], Attribute::Number((NOW + 2 * HOUR).to_string()));
    // Others' texts are no entries.
    let odd = ["", "ban", "ban x 1", "ban 192.0.2.1/32 soon", "forgive 192.0.2.1/32 1"].map(str::to_owned);
    let item = Item::from([(by_hand::ENTRIES.to_owned(), Attribute::Texts(odd.to_vec()))]);
    assert_eq!(ByHand::from_item(&item), ByHand::default());
}

#[test]
fn items_are_told_apart_by_their_keys() {
    let jan = asker("192.0.2.1", "jan");
    let item = |key: &str, points: &str| {
        Item::from([
            (KEY.to_owned(), Attribute::Text(key.to_owned())),
            (POINTS.to_owned(), Attribute::Number(points.to_owned())),
            (BANNED_UNTIL.to_owned(), Attribute::Number("x".to_owned())),
            (BANS.to_owned(), Attribute::Text("7".to_owned())),
        ])
    };
    let items = [item("login#192.0.2.1#jan", "3"), item("address#192.0.2.1", "5"), item("address#192.0.2.2", "9")];
    let seen = Seen::from_items(&jan, &items);
    let points = |subject| seen.record(subject).map(|record| (record.points, record.banned_until, record.bans));
    assert_eq!((points(Subject::Address), points(Subject::Login)), (Some((5, 0, 0)), Some((3, 0, 0))));
    assert_eq!(points(Subject::User), None);
    assert_eq!(rules().keys(&jan), ["address#192.0.2.1", "login#192.0.2.1#jan", "by-hand"]);
    assert_eq!(Subject::of_key("login#192.0.2.1#jan"), Some((Subject::Login, "192.0.2.1#jan")));
    assert_eq!(Subject::of_key("by-hand"), None);
}

#[test]
fn the_guard_is_off_without_its_variables() {
    let json = serde_json::to_string(&rules()).unwrap();
    let read = |table: &'static str, rules: &str| {
        let rules = rules.to_owned();
        Settings::read(move |name| match name {
            "GUARD_TABLE" => Some(table.to_owned()),
            "GUARD_RULES" => Some(rules.clone()),
            _ => None,
        })
    };
    assert_eq!(read("t", &json), Ok(Some(Settings { table: "t".into(), rules: rules() })));
    assert_eq!((read("", &json), read("t", "")), (Ok(None), Ok(None)));
    assert_eq!(Settings::read(|_| None), Ok(None));
    assert!(matches!(read("t", "{}"), Err(ConfigError::Invalid { name: "GUARD_RULES", .. })));
}

proptest! {
    /// One client with an old password, or with a name that no account has, at any pace.
    #[test]
    fn one_client_never_bans_its_address(
        pauses in prop::collection::vec(0..2 * HOUR, 1..200),
        login in 1_u32..12,
        points in 1_u32..4,
        ban in 30 * MINUTE..2 * HOUR,
        known: bool,
    ) {
        let points = Points { unknown_user: points, wrong_password: points, blocked_name: 9 };
        let address = 2 * login + points.unknown_user - 1;
        let rules = Rules { login_threshold: login, address_threshold: address, ban, points, ..rules() };
        let (mut table, mut now) = (Table::default(), NOW);
        let (client, neighbour) = (asker("192.0.2.1", "jan"), asker("192.0.2.1", "eva"));
        let refusal = if known { Refusal::WrongPassword } else { Refusal::UnknownUser };
        for pause in pauses {
            // As many as it gets, or one.
            for _ in 0..if pause % 3 == 0 { 50 } else { 1 } {
                table.tries(&rules, &client, refusal, now);
            }
            // At once: all have read the table before the first of them writes.
            let seen = table.seen(&rules, &client);
            for _ in 0..if pause % 2 == 0 { 30 } else { 0 } {
                table.tries_with(&rules, &client, &seen, refusal, now);
            }
            prop_assert!(!table.is_banned(&rules, &neighbour, now));
            now += pause / 7;
        }
    }

    /// However an attacker divides names and times, and however old what a function has read is.
    #[test]
    fn an_address_gets_few_guesses(tries in prop::collection::vec((0..40_i64, 0..30_u8, 0..5_usize), 1..400)) {
        let (rules, mut table) = (rules(), Table::default());
        let (mut now, mut checked, mut last) = (NOW, Vec::new(), Vec::new());
        for (pause, name, age) in tries {
            now += pause;
            let bot = asker("192.0.2.1", &format!("user{name}"));
            last.push(table.seen(&rules, &asker("192.0.2.1", "x")));
            // Only the address: what was read of the name would be that of another.
            let seen = last[last.len().saturating_sub(1 + age)].clone();
            if table.tries_with(&rules, &bot, &seen, Refusal::UnknownUser, now) {
                checked.push(now);
            }
        }
        // Two windows overlap any half an hour, and up to four more are let through by what was read too early.
        let most = 2 * 20 + 4;
        for (at, first) in checked.iter().enumerate() {
            let within = checked[at..].iter().take_while(|time| **time < first + rules.window).count();
            prop_assert!(within <= most, "{within}");
        }
    }

    #[test]
    fn bans_grow_and_end(bans in 0_u32..100) {
        let rules = rules();
        prop_assert!(rules.length(bans) >= rules.ban && rules.length(bans) <= rules.longest_ban);
        prop_assert!(rules.length(bans + 1) >= rules.length(bans));
    }
}
