//! The file by which `homes cutover --freeze-sshd` denies a customer at the old server. An import of that server's accounts
//! must not take the denial for the customer's state: who is frozen there goes on at the new servers. And the name that a
//! home has after it, where the customer's keys still are.

/// The name of the file about an organisation's home, early among the files of `sshd_config.d`.
pub fn file_name(org_id: i64) -> String {
    format!("00-sftpctl-moved-{org_id}.conf")
}

/// The organisation that a file is about; `None` for any other file.
pub fn organisation(file_name: &str) -> Option<i64> {
    let org_id = file_name.strip_prefix("00-sftpctl-moved-")?.strip_suffix(".conf")?.parse().ok()?;
    (self::file_name(org_id) == file_name).then_some(org_id)
}

/// What the name of a home's folder ends with after a cut-over, when a link has its place.
const KEPT: &str = ".before-cutover";

/// The name of a home's folder after a cut-over, beside the link that has its place: hidden.
pub fn kept_name(home: &[u8]) -> Vec<u8> {
    [b".", home, KEPT.as_bytes()].concat()
}

/// The name of the home whose folder is kept under a name.
pub fn home_of_kept(name: &[u8]) -> Option<&[u8]> {
    name.strip_prefix(b".")?.strip_suffix(KEPT.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_folder_has_its_homes_name() {
        assert_eq!(kept_name(b"17578"), b".17578.before-cutover");
        assert_eq!(home_of_kept(&kept_name(b"17578")), Some(&b"17578"[..]));
        assert_eq!(home_of_kept(b"17578.before-cutover"), None);
    }

    #[test]
    fn only_files_of_freezes_are_about_an_organisation() {
        assert_eq!(organisation(&file_name(17578)), Some(17578));
        for other in
            ["00-sftpctl-moved-x.conf", "00-sftpctl-moved-07.conf", "00-sftpctl-moved-7.conf.bak", "moved-7.conf", ""]
        {
            assert_eq!(organisation(other), None, "{other}");
        }
    }
}
