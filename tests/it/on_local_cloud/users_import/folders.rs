//! Folders that outlive their accounts, and what the report says of accounts that change.

use sftp_authorizer::password::legacy;

use crate::site::{Site, shown};

const BUCKET: &str = "pl-pt99-0-uploads";

/// Saves accounts with folders of their own in one bucket.
fn save(site: &Site, accounts: &[(u32, &str, &str)]) {
    let hash = legacy("Fake-Password-1");
    let rows = accounts.iter().map(|(id, name, folder)| format!("{id},{name},{hash},/{BUCKET}/{folder}\n"));
    let csv = "orgid,username,password,home\n".to_owned() + &rows.collect::<String>();
    std::fs::write(site.dir.path().join("a.csv"), csv).unwrap();
}

fn put(site: &Site, key: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let s3 = site.aws_of("111111111111").await.s3("us-west-2");
        s3.put_object(BUCKET, key, b"invoice".to_vec(), "111111111111").await.unwrap();
    });
}

/// The command of users with this source.
fn with<'a>(command: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["users", command, "--env", "99", "--local", "--from", "csv:a.csv"][..], more].concat()
}

#[test]
fn a_departed_organisations_folder_is_told_and_reported() {
    let site = Site::deployed("");
    save(&site, &[(400_001, "jan", "jan"), (400_002, "acme", "acme")]);
    site.ok(&with("import", &["--yes"]));
    put(&site, "acme/invoice.pdf");

    // The report has who goes, and whose files are to be copied from where: before the writes, and after them.
    save(&site, &[(400_001, "jan", "new")]);
    let sync = ["--delete", "--max-delete", "100%", "--report", "r.csv"];
    let report = || std::fs::read_to_string(site.dir.path().join("r.csv")).unwrap();
    let expected = [
        format!("0,,deleted,HomeDirectory,/{BUCKET}/acme,,"),
        format!("1,line 2,folder-changed,HomeDirectory,/{BUCKET}/jan,/{BUCKET}/new,"),
        "1,line 2,changed,HomeDirectory,,,".to_owned(),
    ];
    site.ends_with(4, &with("sync", &sync));
    assert!(expected.iter().all(|line| report().contains(line)), "{}", report());
    site.ok(&with("sync", &[&["--apply"], &sync[..]].concat()));
    assert!(expected.iter().all(|line| report().contains(line)), "{}", report());
    assert!(report().contains(",400002,acme"), "{}", report());
    assert!(!report().contains(&legacy("Fake-Password-1")), "{}", report());

    // Its folder is given to another one with its files, which is said.
    save(&site, &[(400_001, "jan", "new"), (400_003, "bach", "acme")]);
    let imported = shown(&site.run(&with("import", &["--yes", "--report", "r.csv"])));
    assert!(imported.contains("1 new account gets a folder that has files already"), "{imported}");
    assert!(report().contains("the folder has files already"), "{}", report());

    // A folder of a customer, or one inside it, is nobody else's.
    let add = |org_id: &str, folder: &str| {
        let home = format!("/{BUCKET}/{folder}");
        let name = format!("user{org_id}");
        let which = ["add", "--orgid", org_id, "--username", &name, "--home", &home, "--password-stdin"];
        site.users(&which, "Fake-Password-1")
    };
    for folder in ["acme", "acme/in"] {
        let output = add("400006", folder);
        assert_eq!(output.status.code(), Some(3), "{}", shown(&output));
        assert!(shown(&output).contains("organisation 400003"), "{}", shown(&output));
    }
    site.ok(&["users", "remove", "--env", "99", "--local", "--orgid", "400003", "--yes"]);
    let output = add("400006", "acme");
    assert!(output.status.success(), "{}", shown(&output));
    assert!(shown(&output).contains("has files already"), "{}", shown(&output));
    // The marker of an account that was removed is no file.
    let output = add("400007", "jan");
    assert!(output.status.success() && !shown(&output).contains("files already"), "{}", shown(&output));
}
