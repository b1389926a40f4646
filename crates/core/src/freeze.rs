//! The file by which `homes cutover --freeze-sshd` denies a customer at the old server. An import of that server's accounts
//! must not take the denial for the customer's state: who is frozen there goes on at the new servers.

/// The name of the file about an organisation's home, early among the files of `sshd_config.d`.
pub fn file_name(org_id: i64) -> String {
    format!("00-sftpctl-moved-{org_id}.conf")
}

/// The organisation that a file is about; `None` for any other file.
pub fn organisation(file_name: &str) -> Option<i64> {
    let org_id = file_name.strip_prefix("00-sftpctl-moved-")?.strip_suffix(".conf")?.parse().ok()?;
    (self::file_name(org_id) == file_name).then_some(org_id)
}

#[cfg(test)]
mod tests {
    use super::*;

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
