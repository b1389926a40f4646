//! Keeps `updatedb` out of mounts: it would list the whole bucket every night (updatedb.conf(5)). Pure.

/// Where the file is.
pub const FILE: &str = "/etc/updatedb.conf";

/// The text with these paths among those that are pruned.
pub fn with(text: &str, paths: &[&str]) -> String {
    changed(text, |all| all.extend(paths.iter().map(|path| (*path).to_owned())), paths)
}

/// The text without these paths.
pub fn without(text: &str, paths: &[&str]) -> String {
    changed(text, |_| {}, paths)
}

/// The paths are taken out before `add` may add them, so that none is there twice.
fn changed(text: &str, add: impl Fn(&mut Vec<String>), paths: &[&str]) -> String {
    let mut out = String::new();
    let mut is_set = false;
    let rewrite = |list: &str| {
        let mut all: Vec<String> = list.split_whitespace().map(str::to_owned).collect();
        all.retain(|path| !paths.contains(&path.as_str()));
        add(&mut all);
        format!("PRUNEPATHS=\"{}\"\n", all.join(" "))
    };
    for line in text.split_inclusive('\n') {
        match line.split_once('=') {
            Some((name, list)) if name.trim() == "PRUNEPATHS" => {
                is_set = true;
                out.push_str(&rewrite(list.trim().trim_matches('"')));
            }
            _ => out.push_str(line),
        }
    }
    if !is_set {
        let added = rewrite("");
        if added != "PRUNEPATHS=\"\"\n" {
            out.push_str(if out.is_empty() || out.ends_with('\n') { "" } else { "\n" });
            out.push_str(&added);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_added_once_and_removed() {
        let before = "# comment\nPRUNE_BIND_MOUNTS=\"yes\"\nPRUNEPATHS=\"/tmp /var/spool\"\nPRUNEFS=\"NFS\"\n";
        let paths = ["/sftp", "/var/cache/sftpctl/sftp"];
        let after = with(before, &paths);
        assert!(after.contains("PRUNEPATHS=\"/tmp /var/spool /sftp /var/cache/sftpctl/sftp\"\nPRUNEFS"), "{after}");
        assert_eq!(with(&after, &paths), after);
        assert_eq!(without(&after, &paths), before);
        assert_eq!(with("", &["/sftp"]), "PRUNEPATHS=\"/sftp\"\n");
        assert_eq!(without("PRUNEFS=\"NFS\"\n", &["/sftp"]), "PRUNEFS=\"NFS\"\n");
    }
}
