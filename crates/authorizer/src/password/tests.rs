use std::cell::Cell;
use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

thread_local! {
    static SPENT: Cell<u64> = const { Cell::new(0) };
}

pub(super) fn count(cost: u64) {
    SPENT.set(SPENT.get() + cost);
}

/// The cost of all hashes of this thread.
pub(crate) fn spent() -> u64 {
    SPENT.get()
}

/// `printf %s secret | openssl dgst -sha224 -binary | base64`.
const SECRET: &str = "lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg==";
const SALT: [u8; SALT_BYTES] = [7; SALT_BYTES];

/// The password and the stored string of each line of `vectors.txt`.
pub(crate) fn vectors() -> Vec<(&'static str, &'static str)> {
    let lines = include_str!("vectors.txt").lines().filter(|line| !line.starts_with('#'));
    let password = |name| match name {
        "secret" => "secret",
        "odd" => "pä ss→🔑'\"$",
        "empty" => "",
        // 81 characters, of which bcrypt takes 72.
        "long" => "01234567890123456789012345678901234567890123456789012345678901234567890123456789!",
        other => panic!("{other}"),
    };
    lines.map(|line| line.split_once(' ').unwrap()).map(|(name, stored)| (password(name), stored)).collect()
}

/// What becomes of a stored password, which its form alone foretells.
fn outcome(stored: &str, cost: Cost) -> Hardened {
    let hardened = harden(stored, &SALT, cost).unwrap();
    let expected = match hardened {
        Hardened::Replaced(_) => None,
        Hardened::Kept(kept) => Some(kept),
    };
    assert_eq!(kept(stored, cost), Ok(expected), "{stored}");
    hardened
}

fn hardened(stored: &str) -> String {
    match outcome(stored, Cost::DEFAULT) {
        Hardened::Replaced(hardened) => hardened,
        Hardened::Kept(kept) => panic!("{stored} is kept: {kept:?}"),
    }
}

#[test]
fn old_hash_is_openssls() {
    assert_eq!(legacy("secret"), SECRET);
}

#[test]
fn hashes_of_other_programs_admit_their_password_alone() {
    let mut forms = BTreeSet::from([Form::Argon2id]);
    for (password, stored) in vectors() {
        let scheme = Scheme::of(stored).unwrap_or_else(|| panic!("{stored}: {:?}", problem(stored)));
        assert!(!scheme.hardened);
        forms.insert(scheme.form);
        assert_eq!(problem(stored), None, "{stored}");
        assert_eq!(verify(password, stored), Verdict::Right, "{password:?} for {stored}");
        for wrong in ["Secret", "secret ", "secret\0", "\0", stored, &password[1.min(password.len())..]] {
            assert!(wrong == password || verify(wrong, stored) == Verdict::Wrong, "{wrong:?} for {stored}");
        }
    }
    for (_, stored) in vectors() {
        let before = spent();
        verify("x", stored);
        assert_eq!(spent() - before, work::REFUSAL, "{stored} is refused at the cost of an unknown user");
    }
    assert_eq!(forms, Form::ALL.iter().copied().collect(), "every form has a hash of another program");
}

#[test]
fn our_own_forms_admit_their_password_alone() {
    let over = |form| Scheme { form, hardened: true };
    let forms = [
        (hash("secret", &SALT).unwrap(), Scheme { form: Form::Argon2id, hardened: false }),
        (hash_random("secret", &SALT).unwrap(), Scheme { form: Form::Argon2id, hardened: false }),
        (hardened(SECRET), over(Form::Sha224)),
        (hardened(&hash_random("secret", &SALT).unwrap()), over(Form::Argon2id)),
    ];
    for (stored, scheme) in forms {
        assert_eq!(Scheme::of(&stored), Some(scheme), "{stored}");
        assert_eq!(verify("secret", &stored), Verdict::Right, "{stored}");
        for wrong in ["", "Secret", "secret ", SECRET, &stored] {
            assert_eq!(verify(wrong, &stored), Verdict::Wrong, "{wrong} for {stored}");
        }
    }
}

/// The contract of `harden`: other programs write these forms, too.
#[test]
fn hardened_forms_are_these() {
    let mysql = "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7";
    for (stored, start, over) in [
        (SECRET, "{sha224}", SECRET),
        (mysql, "{*}", mysql),
        (&mysql.to_lowercase(), "{*}", mysql),
        ("{md5}5EBE2294ECD0E0F08EAB7690D2A6EE69", "{{MD5}}", "{MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ=="),
        ("$1$$ysVNzQc4CTMkp5daOdZ.3/", "{$1$}", "$1$$ysVNzQc4CTMkp5daOdZ.3/"),
    ] {
        let hardened = hardened(stored);
        assert_eq!(hardened, format!("{start}{}", hash(over, &SALT).unwrap()));
        assert_eq!(verify("secret", &hardened), Verdict::Right, "{hardened}");
    }
    // The setting of each other vector, which ends where the hash begins.
    for (password, stored) in vectors() {
        let Hardened::Replaced(hardened) = outcome(stored, Cost::DEFAULT) else { continue };
        let (setting, phc) = hardened[1..].rsplit_once('}').unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hardened}");
        let scheme = Scheme::of(stored).unwrap();
        assert_eq!(Scheme::of(&hardened), Some(Scheme { hardened: true, ..scheme }), "{hardened}");
        if stored.starts_with('$') && !stored.starts_with("$pbkdf2") {
            assert!(stored.starts_with(setting), "{hardened} of {stored}");
        }
        // Two of each form, for the time.
        if ["secret", ""].contains(&password) {
            assert_eq!(verify(password, &hardened), Verdict::Right, "{hardened}");
            assert_eq!(verify("another", &hardened), Verdict::Wrong, "{hardened}");
        }
    }
}

#[test]
fn documented_hashes_are_ours() {
    let document = include_str!("../../../../docs/passwords.md");
    let rows = document.split_once("| stored | hardened |\n|---|---|\n").unwrap().1.split_once("\n\n").unwrap().0;
    assert!(rows.lines().count() > 5, "{rows}");
    for row in rows.lines() {
        let cells: Vec<&str> = row.split('`').collect();
        let [_, stored, _, documented, _] = cells[..] else { panic!("{row}") };
        assert_eq!(verify("secret", stored), Verdict::Right, "{row}");
        assert_eq!(hardened(stored), documented, "{row}");
    }
    for name in Form::ALL.iter().map(|form| form.as_str()).filter(|name| !name.starts_with("salted")) {
        assert!(document.contains(&format!("`{name}`")), "{name} is not documented");
    }
}

#[test]
fn strong_forms_are_kept() {
    let ours = hash("secret", &SALT).unwrap();
    let pbkdf2 = |count: u32| format!("$pbkdf2-sha256${count}$salt${}", "A".repeat(43) + "=");
    for stored in [
        &ours,
        &hardened(SECRET),
        "$y$j75$5YYsalts......$TpqX1zDT1amjl9GRrjwCBb37GAlOlo6xpOxhAI7EWR5",
        "$2b$10$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
        &pbkdf2(600_000),
    ] {
        assert_eq!(outcome(stored, Cost::DEFAULT), Hardened::Kept(Kept::Strong), "{stored}");
    }
    for weak in ["$2b$09$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a", &pbkdf2(599_999)] {
        assert!(matches!(outcome(weak, Cost::DEFAULT), Hardened::Replaced(_)), "{weak}");
    }
    assert!(matches!(harden("plain", &SALT, Cost::DEFAULT), Err(HardenError::Problem(HashProblem::Unknown))));
}

#[test]
fn hardened_form_gets_another_layer_for_a_higher_cost() {
    let raised = Cost::new(20 * 1024, 2).unwrap();
    let higher = Cost::new(21 * 1024, 2).unwrap();
    let once = hardened(SECRET);
    let Hardened::Replaced(twice) = outcome(&once, raised) else { panic!() };
    assert!(twice.starts_with("{{sha224}$argon2id$v=19$m=19456,t=2,p=1$BwcHBwcHBwcHBwcHBwcHBw}$argon2id$v=19$m=20480"));
    assert_eq!(outcome(&twice, raised), Hardened::Kept(Kept::Strong));
    let Hardened::Replaced(thrice) = outcome(&twice, higher) else { panic!() };
    for stored in [&twice, &thrice] {
        assert_eq!(Scheme::of(stored), Some(Scheme { form: Form::Sha224, hardened: true }));
        assert_eq!(verify("secret", stored), Verdict::Right, "{stored}");
        assert_eq!(verify("Secret", stored), Verdict::Wrong, "{stored}");
    }
    let highest = Cost::new(22 * 1024, 2).unwrap();
    assert_eq!(outcome(&thrice, highest), Hardened::Kept(Kept::Full), "three layers at most");
    let (setting, phc) = thrice.rsplit_once('$').unwrap();
    assert_eq!(problem(&format!("{{{setting}}}{}${phc}", &phc[..0])), Some(HashProblem::Unknown));
    // 19 MiB passed over twice below are too much together with the highest cost.
    let most = Cost::new(64 * 1024, 10).unwrap();
    assert_eq!(outcome(&once, most), Hardened::Kept(Kept::Full));
    // A setting does not say that a hash below is longer than ours.
    let long = "$argon2id$v=19$m=8,t=1,p=1$BwcHBwcHBwcHBwcHBwcHBw$AAAAAAAAAAAAAAAAAAAAAA";
    assert_eq!(outcome(long, Cost::DEFAULT), Hardened::Kept(Kept::Full));
    for (memory, passes) in [(19 * 1024 - 1, 2), (64 * 1024 + 1, 2), (19 * 1024, 1), (19 * 1024, 11)] {
        assert_eq!(Cost::new(memory, passes), Err(CostError));
    }
    assert!(CostError.to_string().contains("19456 to 65536 KiB of memory and 2 to 10 passes"), "{CostError}");
}

#[test]
fn a_hardened_form_is_over_its_old_hash_alone() {
    for (_, stored) in vectors() {
        let Hardened::Replaced(once) = outcome(stored, Cost::LOWEST) else { continue };
        let Hardened::Replaced(twice) = harden(&once, &SALT, Cost::DEFAULT).unwrap() else { continue };
        for hardened in [&once, &twice] {
            assert!(is_over(hardened, stored), "{hardened} of {stored}");
            assert!(!is_over(stored, hardened), "{stored} is not over {hardened}");
        }
        assert!(is_over(&twice, &once) && is_over(stored, stored), "{twice}");
    }
    let (of_secret, of_another) = (legacy("secret"), legacy("another"));
    assert!(is_over(&hardened(&of_secret), &of_secret));
    assert!(!is_over(&hardened(&of_another), &of_secret), "another password");
    assert!(!is_over(&hardened(&of_secret), "$1$salt$x") && !is_over("plain", "plain"));
}

#[test]
fn other_forms_are_unknown() {
    let weak = hash("secret", &SALT).unwrap();
    for stored in [
        "secret".to_owned(),
        "{sha1}".to_owned() + &weak,
        format!("{{SHA256}}{weak}"),
        format!("{{sha225}}{weak}"),
        format!("{{}}{weak}"),
        format!("{weak}{weak}"),
        format!("{{sha224}} {weak}"),
        format!("{{{{SSHA}}}}{weak}"),
        weak.replace("argon2id", "argon2i"),
        weak.replace("v=19", "v=18"),
        weak.replace("$v=19$", "$v=19$$"),
        "lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg".to_owned(),
    ] {
        assert_eq!(verify("secret", &stored), Verdict::UnknownScheme, "{stored}");
        assert!(problem(&stored).is_some() && Scheme::of(&stored).is_none(), "{stored}");
    }
}

#[test]
fn what_costs_more_than_is_allowed_is_not_computed() {
    let hash = hash("secret", &SALT).unwrap();
    let digest = |length: usize| "a".repeat(length - 1) + ".";
    let pbkdf2 = |count: &str| format!("$pbkdf2-sha1${count}$salt$X6ydQZdyMeOvpgND2nqGR/0GGic=");
    let cases = [
        (hash.replace("m=19456", "m=65537"), "argon2id of at most 64 MiB of memory"),
        (hash.replace("m=19456", "m=99999999"), "argon2id of at most 64 MiB of memory"),
        (hash.replace("t=2", "t=11"), "argon2id of at most 10 passes"),
        (hash.replace("p=1", "p=5"), "argon2id of at most 4 lanes"),
        (format!("{{sha224}}{}", hash.replace("t=2", "t=11")), "argon2id of at most 10 passes"),
        (format!("$6$rounds=1000001$salt${}", digest(86)), "sha512-crypt of at most 1,000,000 rounds"),
        (format!("$5$rounds=99999999999$salt${}", digest(43)), "sha256-crypt of at most 1,000,000 rounds"),
        (format!("{{$6$rounds=1000001$salt}}{hash}"), "sha512-crypt of at most 1,000,000 rounds"),
        (format!("$y$jBT$saltsalt${}", digest(43)), ""),
        (format!("$y$jCT$saltsalt${}", digest(43)), "yescrypt of at most 64 MiB of memory"),
        (format!("$y$jFT$saltsalt${}", digest(43)), "yescrypt of at most 64 MiB of memory"),
        (format!("$y$jzzzzzz$saltsalt${}", digest(43)), "yescrypt"),
        (format!("$y$j95.0$saltsalt${}", digest(43)), "yescrypt of at most one lane"),
        (format!("$y$j9T/.$saltsalt${}", digest(43)), "yescrypt of at most one lane"),
        (format!("$2b$13$abcdefghijklmnopqrstuu{}", digest(31)), "bcrypt of at most cost 12"),
        (format!("$2y$31$abcdefghijklmnopqrstuu{}", digest(31)), "bcrypt of at most cost 12"),
        (pbkdf2("1000001"), "pbkdf2-sha1 of at most 1,000,000 iterations"),
        (
            format!("{{$6$rounds=1000000$salt}}{}", hash.replace("m=19456,t=2", "m=65536,t=10")),
            "sha512-crypt of at most 64 MiB passed over 10 times",
        ),
    ];
    for (stored, said) in cases {
        let Some(problem) = problem(&stored) else {
            assert_eq!(said, "", "{stored}");
            continue;
        };
        assert!(matches!(problem, HashProblem::Costly { .. } | HashProblem::Malformed { .. }), "{stored}: {problem}");
        assert!(problem.to_string().contains(said), "{stored}: {problem}");
        let before = spent();
        assert_eq!(verify("secret", &stored), Verdict::UnknownScheme);
        assert_eq!(spent() - before, work::REFUSAL, "{stored}");
    }
    // The bounds themselves are allowed. They are not computed here: they take seconds without optimisation.
    for stored in [
        format!("$6$rounds=1000000$salt${}", digest(86)),
        format!("$2b$12$abcdefghijklmnopqrstuu{}", digest(31)),
        pbkdf2("1000000"),
        hash.replace("m=19456,t=2,p=1", "m=65536,t=10,p=4"),
    ] {
        assert_eq!(problem(&stored), None, "{stored}");
    }
    // Such a password costs more than its hash may.
    let dear = format!("$6$rounds=1000000$salt${}", digest(86));
    let before = spent();
    assert_eq!(verify("x".repeat(511), &dear), Verdict::Wrong);
    assert_eq!(spent() - before, work::REFUSAL);
}

#[test]
fn cut_hashes_are_recognised() {
    for (_, stored) in vectors() {
        let scheme = Scheme::of(stored).unwrap();
        for cut in 1..stored.len() {
            let cut = &stored[..cut];
            let Some(problem) = problem(cut) else {
                // A salted digest's salt may be shorter, and PBKDF2's hash: base64 shows neither.
                let ends = ["salted", "pbkdf2"].iter().any(|name| scheme.as_str().contains(name));
                assert!(ends, "{cut} of {stored} is {:?}", Scheme::of(cut));
                continue;
            };
            // As columns cut: a few characters.
            let short = stored.len() - cut.len();
            if (1..=8).contains(&short) && scheme.form != Form::Sha224 {
                let known = matches!(problem, HashProblem::CutShort { .. } | HashProblem::Malformed { .. });
                assert!(known || problem.kind() == "PBKDF2 of passlib", "{cut} of {stored}: {problem}");
            }
        }
    }
    for (stored, said) in [
        (&SECRET[..32], "is cut short: 32 characters of sha224, which has 40; widen the column and read it again"),
        (&SECRET[..38], "is cut short: 38 characters of sha224, which has 40"),
        (&hash("secret", &SALT).unwrap()[..80], "is cut short: 26 characters of argon2id, which has 32"),
        (
            "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H",
            "is cut short: 78 characters of sha512-crypt, which has 86",
        ),
        ("*14E65567ABDB5135", "is cut short: 16 characters of mysql, which has 40"),
        ("$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeu", "is cut short: 42 characters of bcrypt, which has 60"),
    ] {
        let problem = problem(stored).unwrap().to_string();
        assert!(problem.contains(said), "{stored}: {problem}");
        assert_eq!(verify("secret", stored), Verdict::UnknownScheme);
    }
}

#[test]
fn forms_that_are_not_verified_have_a_name_and_advice() {
    let cases = [
        ("", Unverified::Empty),
        ("!", Unverified::Locked),
        ("!!", Unverified::Locked),
        ("*", Unverified::Locked),
        ("x", Unverified::Locked),
        ("*LK*", Unverified::Locked),
        ("!$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77", Unverified::Locked),
        ("abNANd1rDfiNc", Unverified::DesCrypt),
        ("_J9..CCCCXBrJUJV154M", Unverified::BsdiCrypt),
        ("$7$CU..../....SCd8dVDbXx3S7/0V2zDoT/$7FmOMgJbJRsMRaUTzzQb8eaBHQqJGb3aa9xpQmQGxh6", Unverified::Scrypt),
        ("$gy$j9T$abc$def", Unverified::GostYescrypt),
        ("$md5,rounds=5000$GUBv0xjJ$$mSwgIswdjlTY0YxV7HBVm0", Unverified::SunMd5),
        ("$sha1$40000$jtNX3nZ2$hBNaIXkt4wBI2o5rsi8KejSjNqIq", Unverified::Sha1Crypt),
        ("$3$$8846f7eaee8fb117ad06bdd830b7586c", Unverified::Nt),
        ("$2x$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a", Unverified::OldBcrypt),
        ("$argon2i$v=19$m=8,t=1,p=1$BwcHBwcHBwcHBwcHBwcHBw$AAAAAAAAAAAAAAAAAAAAAA", Unverified::OtherArgon2),
        ("$P$B12345678Q7hFYaVnUVUBQsnVDvTAI/", Unverified::Phpass),
        (
            "$pbkdf2-sha256$29000$N2YMIWQsBWBMae09x1jrPQ$1t8iyB2A.WF/Z5JZv.lfCIhXXN33N23OSgQYThBYRfk",
            Unverified::PasslibPbkdf2,
        ),
        ("$A$005$saltsaltsaltsaltsalthash", Unverified::CachingSha2),
        ("5d2e19393cc5ef67", Unverified::OldMysql),
        ("{CLEARTEXT}secret", Unverified::PlainText),
        ("5ebe2294ecd0e0f08eab7690d2a6ee69", Unverified::BareDigest),
        ("e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4", Unverified::BareDigest),
    ];
    let seen: BTreeSet<Unverified> = cases.iter().map(|(_, kind)| *kind).collect();
    assert_eq!(seen, Unverified::ALL.iter().copied().collect());
    for (stored, kind) in cases {
        assert_eq!(problem(stored), Some(HashProblem::Unverified(kind)), "{stored}");
        assert_eq!(verify("secret", stored), Verdict::UnknownScheme);
        let said = HashProblem::Unverified(kind).to_string();
        assert!(said.contains(kind.as_str()) && said.contains(kind.advice()) && !said.contains("5ebe"), "{said}");
    }
}

#[test]
fn every_scheme_has_a_name_of_its_own() {
    let names: BTreeSet<&str> = Scheme::all().map(Scheme::as_str).collect();
    assert_eq!(names.len(), 2 * Form::ALL.len());
    assert!(names.contains("argon2id over sha224") && names.contains("sha512-crypt"), "{names:?}");
}

/// Anything that looks like a hash: a piece of one, with something else in it.
fn any_stored() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vectors().into_iter().map(|(_, stored)| stored).collect::<Vec<_>>());
    let piece = prop_oneof![
        3 => "[./0-9A-Za-z$]{0,12}",
        2 => prop::sample::select(vec![
            "$", "{", "}", "$argon2id$v=19$", "m=8,t=1,p=1", "m=65536,t=10,p=1", "$y$j", "$y$jB", "rounds=", "rounds=1000$",
            "$2b$04$", "$pbkdf2-sha1$", "{SSHA}", "{sha224}", "*", "9", "0", "é", "🔑",
        ]).prop_map(str::to_owned),
        1 => ".{0,6}",
    ];
    prop_oneof![
        1 => ".{0,120}",
        2 => prop::collection::vec(piece.clone(), 0..8).prop_map(|pieces| pieces.concat()),
        4 => (known, any::<prop::sample::Index>(), 0..6_usize, piece).prop_map(|(known, at, removed, piece)| {
            let characters: Vec<char> = known.chars().collect();
            let at = at.index(characters.len());
            let end = (at + removed).min(characters.len());
            let text = |part: &[char]| part.iter().collect::<String>();
            text(&characters[..at]) + &piece + &text(&characters[end..])
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is stored, it is read without a panic, at a cost within the bound for any password.
    #[test]
    fn every_stored_string_is_judged_within_the_bound(stored in any_stored(), length in 0..5000_usize) {
        let problem = problem(&stored);
        prop_assert_eq!(problem.is_none(), Scheme::of(&stored).is_some());
        if let Ok(read) = stored::read(&stored) {
            let work = read.function.work(length);
            // What takes long is left to the other tests.
            if work < 3000 {
                let before = spent();
                let verdict = read.compare("x".repeat(length).as_bytes());
                prop_assert_eq!(verdict, (Verdict::Wrong, work));
                prop_assert_eq!(spent() - before, work);
            }
            prop_assert!(read.function.work(32) <= work::MAX);
            // Its setting is read as the same function.
            if let Some(setting) = read.function.setting() {
                let again = stored::function(&setting, 2);
                prop_assert_eq!(again.ok().and_then(|again| again.setting()), Some(setting));
            }
        }
        let said = problem.map(|problem| problem.to_string()).unwrap_or_default();
        prop_assert!(stored.len() < 30 || !said.contains(&stored));
    }
}
