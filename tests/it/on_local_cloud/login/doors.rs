//! Log-ins by key, with a logical home folder, with a duplicate name, and with guessed passwords.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::shared;
use crate::site::{Login, Site, shown, succeeded, tool};

const WEST: &str = "us-west-2";

#[test]
fn accounts_with_the_same_name_cannot_log_in() {
    let site = shared();
    let login = site.add(4801, "twofold", "correct horse");
    assert!(site.admits(site.port(WEST), &login));
    let item = r#"{"orgid": {"N": "4802"}, "username": {"S": "twofold"},
        "HomeDirectory": {"S": "/pl-pt99-5-uploads/4802"},
        "password": {"S": "lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg=="}}"#;
    site.oracle("door.py", &["item", item]);
    assert!(!site.admits(site.port(WEST), &login));
    assert!(!site.admits(site.port(WEST), &Login::new("twofold", "secret")));
    let (_, finding) = site.test_login(&login);
    assert!(finding.contains("two accounts have this name"), "{finding}");
    let output = site.users(&["passwd", "--username", "twofold", "--password-stdin"], "x");
    assert!(!output.status.success() && shown(&output).contains("4801, 4802"), "{}", shown(&output));
    succeeded("remove one", &site.users(&["remove", "--orgid", "4802", "--yes"], ""));
    assert!(site.admits(site.port(WEST), &login));
}

#[test]
fn empty_password_is_refused_where_only_passwords_are_taken() {
    let site = shared();
    create_keys(&site, &["unused"]);
    let public = site.dir.path().join("unused.pub");
    let which = ["add", "--orgid", "4803", "--username", "passworded", "--cluster", "99-5", "--password-stdin"];
    let arguments = [&which[..], &["--public-key", public.to_str().unwrap()]].concat();
    succeeded("add", &site.users(&arguments, "correct horse"));
    let answer = |password: &str| {
        let mut command = site.oracle_command("door.py");
        command.args(["test", WEST, "passworded", "192.0.2.1"]).env("SFTP_PASSWORD", password);
        succeeded(password, &command.output().unwrap())
    };
    assert!(answer("correct horse").contains("role/sftp-transfer"));
    let refused = answer("");
    assert!(
        refused.contains("Forbidden") && !refused.contains("role/") && !refused.contains("ssh-ed25519"),
        "{refused}"
    );
}

#[test]
fn keys_that_transfer_does_not_take_are_refused() {
    let site = shared();
    let file = site.dir.path().join("short");
    let created = tool("ssh-keygen", "openssh-client")
        .args(["-q", "-t", "rsa", "-b", "1024", "-N", "", "-f"])
        .arg(&file)
        .output();
    succeeded("ssh-keygen", &created.unwrap());
    let public = file.with_extension("pub");
    let which = ["add", "--orgid", "4804", "--username", "short.key", "--cluster", "99-5", "--public-key"];
    let output = site.users(&[&which[..], &[public.to_str().unwrap()]].concat(), "");
    assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
    assert!(shown(&output).contains("an RSA key must have 2,048 to 8,192 bits"), "{}", shown(&output));
}

fn create_keys(site: &Site, names: &[&str]) {
    for name in names {
        let file = site.dir.path().join(name);
        let created =
            tool("ssh-keygen", "openssh-client").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(file).output();
        succeeded(name, &created.unwrap());
    }
}

#[test]
fn public_keys_work_and_a_logical_home_hides_the_bucket() {
    let site = Site::deployed("server: { authentication: PUBLIC_KEY_OR_PASSWORD }\nauthorizer: { home: logical }\n");
    let port = site.port(WEST);
    create_keys(&site, &["mine", "other"]);
    let public = site.dir.path().join("mine.pub");
    let which = ["add", "--orgid", "1", "--username", "keyed", "--cluster", "99-5", "--public-key"];
    succeeded("key", &site.users(&[&which[..], &[public.to_str().unwrap()]].concat(), ""));
    let which = ["add", "--orgid", "2", "--username", "both", "--cluster", "99-5", "--password-stdin", "--public-key"];
    succeeded("both", &site.users(&[&which[..], &[public.to_str().unwrap()]].concat(), "correct horse"));
    let by_key = |name: &str, key: &str| {
        let output = site.paramiko(port, &Login::new(name, "")).arg("log-in").env("SFTP_KEY", key).output().unwrap();
        succeeded(name, &output)
    };
    for name in ["keyed", "both"] {
        assert_eq!(by_key(name, "mine").trim(), "admitted", "{name}");
        assert!(by_key(name, "other").starts_with("refused"), "{name}");
    }
    assert!(by_key("unknown", "mine").starts_with("refused"));
    let both = Login::new("both", "correct horse");
    assert!(site.admits(port, &both));
    // Without a password the identity provider returns the public keys, which alone do not admit a customer.
    for name in ["keyed", "both"] {
        assert!(!site.admits(port, &Login::new(name, "")), "{name} with an empty password");
    }
    assert!(!site.admits(port, &Login::new("keyed", "correct horse")));

    std::fs::write(site.dir.path().join("f"), "logical").unwrap();
    let output = succeeded("logical", &site.sftp(port, &both, "pwd\nput f\nls /\nget /f g\nls ..\n"));
    assert!(output.contains("Remote working directory: /\n") && !output.contains("pl-pt99"), "{output}");
    assert!(site.oracle("door.py", &["object", "pl-pt99-5-uploads", "2/f"]).starts_with("7 "));
    for outside in ["ls /pl-pt99-5-uploads", "get /pl-pt99-5-uploads/1/x", "get ../../1/x"] {
        assert_eq!(site.sftp(port, &both, &format!("{outside}\n")).status.code(), Some(1), "{outside}");
    }
    let (good, finding) = site.test_login(&both);
    assert!(good, "{finding}");
}

#[test]
fn key_and_password_must_belong_to_one_user() {
    let site = Site::deployed("server: { authentication: PUBLIC_KEY_AND_PASSWORD }\n");
    let port = site.port(WEST);
    create_keys(&site, &["mine", "other"]);
    let public = site.dir.path().join("mine.pub");
    let which = ["add", "--orgid", "1", "--username", "owner", "--cluster", "99-5", "--password-stdin", "--public-key"];
    succeeded("owner", &site.users(&[&which[..], &[public.to_str().unwrap()]].concat(), "correct horse"));
    let owner = Login::new("owner", "correct horse");
    let victim = site.add(2, "victim", "battery staple");
    let steps = |key: &str, then: &Login| {
        let arguments = ["two-steps", &then.username, &then.password];
        let output = site.paramiko(port, &owner).args(arguments).env("SFTP_KEY", key).output().unwrap();
        succeeded("two steps", &output)
    };
    assert_eq!(steps("mine", &owner).trim(), "admitted");
    for (key, then) in [
        ("mine", &victim),
        ("mine", &Login::new("owner", "wrong")),
        ("mine", &Login::new("owner", "")),
        ("other", &owner),
    ] {
        assert!(steps(key, then).starts_with("refused"), "{key}, then {then:?}");
    }
    for login in [&owner, &victim] {
        assert!(!site.admits(port, login), "{login:?} with only a password");
    }

    site.edit(|file| file.replace("PUBLIC_KEY_AND_PASSWORD", "PUBLIC_KEY"));
    site.deploy();
    let port = site.port(WEST);
    let by_key = |key: &str| {
        let output = site.paramiko(port, &owner).arg("log-in").env("SFTP_KEY", key).output().unwrap();
        succeeded(key, &output)
    };
    assert_eq!(by_key("mine").trim(), "admitted");
    assert!(by_key("other").starts_with("refused"));
    for login in [&owner, &victim] {
        assert!(!site.admits(port, login), "{login:?} with a password where only keys are accepted");
    }
}

#[test]
fn wrong_passwords_end_the_connection() {
    let site = shared();
    let login = crate::site::Login::new("guesser", "wrong");
    let mut command = site.openssh("ssh", &login);
    command.args(["-v", "-o", "LogLevel=VERBOSE", "-o", "NumberOfPasswordPrompts=30", "-p"]);
    command.args([&site.port(WEST).to_string(), "guesser@127.0.0.1"]);
    let output = crate::site::with_input(&mut command, b"");
    assert!(!output.status.success());
    let refusals = shown(&output).matches("Permission denied").count();
    assert!((3..10).contains(&refusals), "{refusals}: {}", shown(&output));
}
