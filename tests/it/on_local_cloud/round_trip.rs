//! `users export` and `users import` of it: the table as it was.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use sftp_authorizer::password::legacy;
use sftp_authorizer::{Attribute, Item};
use sftpctl_aws::Write;

use super::users_import::{import, imported, table};
use crate::site::{Site, succeeded};

/// What an import writes anew, by design.
const NEW: [&str; 5] = ["createdAt", "updatedAt", "importedAt", "importDigest", "importSource"];

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
const OTHER_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBuLdKkW2CBpcDkLN6PpHLkFKKEl2iI8JcYH3eOkfyAH";

/// Texts that spreadsheets, terminals and the rules for other sources would change.
const NOTES: [&str; 16] = [
    "pays late",
    "'",
    "''s Heerenberg'",
    "=HYPERLINK(\"x\"; 1)",
    " -2+3",
    "  blanks around  ",
    "\tone\tand\t",
    "two\nlines\r\nand three\rlines\n",
    "NULL",
    "\\N",
    r"C:\u{a}\users",
    "MÃ¼ller, not Müller",
    "\u{feff}\u{a0}\u{202e}\u{1b}[31m\u{7f}",
    "::error::x\n##[group]y",
    "\"quoted\", and; separated",
    "日本 ❤\u{fe0f} 😀",
];

fn text(text: &str) -> Attribute {
    Attribute::Text(text.to_owned())
}

/// Accounts with every note, and between them every other attribute in its forms.
fn accounts() -> Vec<Item> {
    let texts = |texts: &[&str]| Attribute::Texts(texts.iter().map(|text| (*text).to_owned()).collect());
    let mut items = Vec::new();
    for (note, number) in NOTES.iter().zip(17_500_u32..) {
        let mut put = Item::from([
            ("orgid".to_owned(), Attribute::Number(number.to_string())),
            (
                "username".to_owned(),
                text(&format!("{}customer.{number}@example.com", if number % 2 == 0 { "_" } else { "" })),
            ),
            ("HomeDirectory".to_owned(), text(&format!("/pl-pt99-0-uploads/{number}/Ü '={note}", note = number % 3))),
            ("status".to_owned(), text(if number % 3 == 0 { "disabled" } else { "active" })),
            ("note".to_owned(), text(note)),
            ("createdAt".to_owned(), text("2026-01-01T00:00:00Z")),
        ]);
        let hash = legacy(format!("Fake-Password-{number}"));
        let more = [
            (number % 4 != 1, "password", text(&hash)),
            (number % 4 < 2, "publicKeys", texts(if number % 8 < 4 { &[KEY, OTHER_KEY] } else { &[OTHER_KEY] })),
            (number % 5 < 2, "allowedSources", texts(&["192.0.2.0/24", "2001:db8::/32", "198.51.100.7/32"])),
            (
                number % 5 > 2,
                "regions",
                texts(if number % 2 == 0 { &["us-west-2"] } else { &["us-east-2", "us-west-2"] }),
            ),
            (
                number % 7 < 2,
                "expiresAt",
                text(if number % 2 == 0 { "2031-12-31" } else { "2031-12-31T18:00:00+01:00" }),
            ),
        ];
        put.extend(more.into_iter().filter(|(has, ..)| *has).map(|(_, name, value)| (name.to_owned(), value)));
        items.push(put);
    }
    items
}

fn write(site: &Site, writes: &[Write]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let home = site.aws_of("111111111111").await.dynamodb("us-west-2");
        home.write_items("dydb-99-uploads", writes).await.unwrap();
    });
}

fn put(site: &Site, items: &[Item]) {
    let puts = items.iter().map(|item| Write::Put { item: item.clone(), condition: None, values: Vec::new() });
    write(site, &puts.collect::<Vec<_>>());
}

/// Removes all accounts, with their reservations.
fn empty(site: &Site) {
    for username in table(site).0.into_values().map(|item| item["username"].clone()) {
        let Attribute::Text(name) = username else { panic!("{username:?}") };
        site.ok(&["users", "remove", "--env", "99", "--local", "--username", &name, "--yes"]);
    }
}

/// The accounts without what an import writes anew.
fn lasting(site: &Site) -> BTreeMap<String, Item> {
    let (mut accounts, _) = table(site);
    accounts.values_mut().for_each(|item| item.retain(|name, _| !NEW.contains(&&**name)));
    accounts
}

#[test]
fn an_export_that_is_imported_into_an_empty_table_is_the_table() {
    let site = Site::deployed("server: { authentication: PUBLIC_KEY_OR_PASSWORD }");
    put(&site, &accounts());
    let before = lasting(&site);
    assert_eq!(before.len(), NOTES.len());
    for (form, from) in [("csv", "csv:out.csv"), ("json", "json:out.json")] {
        let out = from.split_once(':').unwrap().1;
        site.ok(&["users", "export", "--env", "99", "--local", "--format", form, "--with-hashes", "--out", out]);
        empty(&site);
        assert!(table(&site).0.is_empty());
        let result = imported(&site, from, &["--overwrite", "--report", "report.json"]);
        let report = std::fs::read_to_string(site.dir.path().join("report.json")).unwrap();
        assert_eq!(result["written"]["new"], NOTES.len(), "{result} {report}");
        assert_eq!(report, "", "no value was taken in another form");
        assert_eq!(
            result["remarks"],
            serde_json::json!(["these columns are not imported: created, updated"]),
            "{form}"
        );
        let after = lasting(&site);
        for (org_id, item) in &before {
            assert_eq!(after.get(org_id), Some(item), "{form}");
        }
        assert_eq!(after.len(), before.len());
        assert_eq!(table(&site).1.len(), NOTES.len(), "a name is reserved for each");
        assert_eq!(imported(&site, from, &[])["counts"]["same"], NOTES.len());
    }
}

/// A Unix server has fewer attributes: what it has comes back.
#[test]
fn a_shadow_export_comes_back_with_what_a_unix_server_has() {
    let site = Site::deployed("");
    let hash = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";
    let account = |org_id: &str, status: &str, more: &[(&str, &str)]| {
        let mut item = Item::from([
            ("orgid".to_owned(), Attribute::Number(org_id.to_owned())),
            ("username".to_owned(), text(&format!("customer{org_id}"))),
            ("password".to_owned(), text(hash)),
            ("HomeDirectory".to_owned(), text(&format!("/pl-pt99-0-uploads/{org_id}"))),
            ("status".to_owned(), text(status)),
        ]);
        item.extend(more.iter().map(|(name, value)| ((*name).to_owned(), text(value))));
        item
    };
    put(&site, &[account("17578", "active", &[]), account("175781", "disabled", &[("expiresAt", "2031-12-31")])]);
    let before = lasting(&site);
    site.ok(&["users", "export", "--env", "99", "--local", "--format", "shadow", "--with-hashes", "--out", "old"]);
    empty(&site);
    // Organisation IDs are user IDs, and those above UID_MAX are not customers of a Unix server.
    std::fs::write(site.dir.path().join("old/login.defs"), "UID_MAX 4294967294\n").unwrap();
    let output = site.run(&import("shadow:old", &["--cluster", "99-0", "--overwrite"]));
    succeeded("import", &output);
    let mut after = lasting(&site);
    let end = after.get_mut("175781").unwrap().insert("expiresAt".to_owned(), text("2031-12-31"));
    assert_eq!(end, Some(text("2032-01-01T00:00:00Z")), "the same moment");
    assert_eq!(after, before);
}
