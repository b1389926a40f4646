use std::collections::BTreeSet;

use super::*;
use crate::clients::policies;

#[test]
fn the_table_is_complete() {
    toml::from_str::<Table>(BUILT_IN).map(|_| ()).unwrap_or_else(|error| panic!("{error}"));
    assert!(all().len() > 15);
    let names: BTreeSet<&str> = all().iter().map(|program| program.name.as_str()).collect();
    assert_eq!(names.len(), all().len());
    for program in all() {
        let Program { name, of, source, versions, .. } = program;
        assert!(!source.is_empty() && !program.idents.is_empty(), "{name}");
        assert_eq!(of.is_some(), versions.is_empty(), "{name}");
        assert!(of.as_deref().is_none_or(|of| names.contains(of)), "{name}");
        if program.numbered {
            assert!(versions.is_sorted_by(|a, b| numbers(&a.from) < numbers(&b.from)), "{name}");
        }
        for version in versions {
            for part in Part::ALL {
                let list = version.offer.of(part);
                let distinct = list.iter().collect::<BTreeSet<_>>().len();
                assert!(distinct == list.len() && distinct > 0, "{name} {} {part:?}", version.from);
            }
        }
    }
}

#[test]
fn identifications_are_understood() {
    for (text, name, version) in [
        ("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u6", "OpenSSH", Some("9.2p1")),
        ("OpenSSH_7.4", "OpenSSH", Some("7.4")),
        ("SSH-2.0-OpenSSH_for_Windows_8.6", "OpenSSH", Some("8.6")),
        ("SSH-2.0-PuTTY_Release_0.78", "PuTTY", Some("0.78")),
        ("SSH-2.0-WinSCP_release_6.1.2", "WinSCP", Some("6.1.2")),
        ("SSH-2.0-libssh2_1.10.0", "libssh2", Some("1.10.0")),
        ("SSH-2.0-libssh_0.9.6", "libssh", Some("0.9.6")),
        ("SSH-2.0-JSCH-0.1.54", "JSch", Some("0.1.54")),
        ("SSH-2.0-JSCH_0.2.8", "JSch", Some("0.2.8")),
        ("SSH-2.0-paramiko_2.11.0", "Paramiko", Some("2.11.0")),
        ("SSH-2.0-Renci.SshNet.SshClient.0.0.1", "SSH.NET", None),
        ("SSH-2.0-APACHE-SSHD-2.8.0", "Apache MINA SSHD", Some("2.8.0")),
        ("SSH-2.0-SSHD-CORE-1.2.0", "Apache MINA SSHD", Some("1.2.0")),
        ("SSH-2.0-Go", "Go x/crypto/ssh", None),
        ("SSH-2.0-GoodFTP_3", "GoodFTP", Some("3")),
        ("SSH-2.0-rclone/v1.62.2", "rclone", Some("1.62.2")),
        ("SSH-2.0-SSHJ_0_14_0", "sshj", Some("0.14.0")),
        ("SSH-2.0-Ruby/Net::SSH_6.1.0 x86_64-linux", "Net::SSH (Ruby)", Some("6.1.0")),
        ("SSH-2.0-FileZilla_3.60.2", "FileZilla", Some("3.60.2")),
        ("SSH-2.0-RebexSSH_6.0.8372.0", "RebexSSH", Some("6.0.8372.0")),
        ("SSH-2.0-9.31 FlowSsh: Bitvise SSH Client (Tunnelier) 9.31", "FlowSsh", Some("9.31")),
        ("SSH-2.0-MyClient", "MyClient", None),
        ("SSH-2.0-", "unnamed", None),
        ("", "unnamed", None),
        ("SSH-2.0-é", "é", None),
    ] {
        let found = client(text);
        assert_eq!((found.name.as_str(), found.version.as_deref()), (name, version), "{text}");
    }
    let long = client(&format!("SSH-2.0-{}", "a".repeat(10_000)));
    assert_eq!(long.name.len(), LONGEST);
}

#[test]
fn older_libraries_are_shut_out_of_the_recommended_policy() {
    let policy = policies::policy("TransferSecurityPolicy-2025-03").unwrap();
    let of = |text: &str| verdict(&client(text), policy);
    let no_mac = Verdict::ShutOut(vec![Part::Mac]);
    for text in ["SSH-2.0-libssh2_1.10.0", "SSH-2.0-JSCH-0.1.54", "SSH-2.0-paramiko_2.4.2", "SSH-2.0-OpenSSH_6.1"] {
        assert_eq!(of(text), no_mac, "{text}");
    }
    for text in ["SSH-2.0-libssh2_1.11.0", "SSH-2.0-JSCH_0.2.8", "SSH-2.0-OpenSSH_6.2p2", "SSH-2.0-OpenSSH_99.0"] {
        assert_eq!(of(text), Verdict::Fits, "{text}");
    }
    // The version is not told; the program is not known; it is older than the table.
    assert_eq!(of("SSH-2.0-Renci.SshNet.SshClient.0.0.1"), Verdict::Depends);
    assert_eq!(of("SSH-2.0-Go"), Verdict::Fits);
    assert_eq!(of("SSH-2.0-rclone/v1.62.2"), Verdict::Fits);
    assert_eq!(of("SSH-2.0-FileZilla_3.60.2"), Verdict::Unknown);
    assert_eq!(of("SSH-2.0-OpenSSH_3.8"), Verdict::Unknown);
    // An older policy admits them.
    let older = policies::policy("TransferSecurityPolicy-2020-06").unwrap();
    assert_eq!(verdict(&client("SSH-2.0-libssh2_1.10.0"), older), Verdict::Fits);
}

#[test]
fn who_is_shut_out_is_said_by_ranges_of_versions() {
    let said = |name: &str| {
        let ranges = shut_out(policies::policy(&format!("TransferSecurityPolicy-{name}")).unwrap(), None);
        ranges.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let strict = said("2025-03");
    for range in ["OpenSSH before 6.2", "libssh2 before 1.11", "JSch before 0.1.58", "SSH.NET before 2024.0"] {
        assert!(strict.iter().any(|said| said == range), "{range}: {strict:?}");
    }
    assert!(said("FIPS-2023-05").iter().any(|said| said == "Go x/crypto/ssh"), "all versions");
    assert_eq!(said("2018-11"), ["libssh before 0.6"]);
}

#[test]
fn lists_betray_the_program() {
    let offered = algorithms("hmac-md5,hmac-sha1,hmac-sha2-256,hmac-sha1-96,hmac-md5-96");
    assert_eq!(like(Part::Mac, &offered).iter().map(ToString::to_string).collect::<Vec<_>>(), ["JSch before 0.1.58"]);
    let libssh2 = all().iter().find(|program| program.name == "libssh2").unwrap();
    let middle = &libssh2.versions[2].offer.macs;
    assert_eq!(like(Part::Mac, middle)[0].to_string(), "libssh2 from 1.7 before 1.11");
    assert!(like(Part::Mac, &algorithms("hmac-none")).is_empty());
}
