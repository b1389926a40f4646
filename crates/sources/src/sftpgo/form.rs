//! The form of a dump (SFTPGo, `internal/dataprovider`: `BackupData`, `User`, `Group`; `github.com/sftpgo/sdk`). What
//! is missing has Go's zero value, and an empty list may be `null`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(value: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or_default())
}

/// A list of permissions for each folder.
pub(crate) type Permissions = BTreeMap<String, Vec<String>>;

/// A user, or the settings of a group, which are some of a user's. It has no `Debug`, for it has the hash.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct User {
    pub(crate) username: String,
    /// 1: enabled.
    pub(crate) status: i64,
    pub(crate) email: String,
    /// In milliseconds since 1970; 0: never.
    pub(crate) expiration_date: i64,
    pub(crate) password: String,
    pub(crate) has_password: bool,
    #[serde(deserialize_with = "nullable")]
    pub(crate) public_keys: Vec<String>,
    /// In milliseconds since 1970, as the other times.
    pub(crate) created_at: i64,
    pub(crate) last_login: i64,
    pub(crate) last_password_change: i64,
    pub(crate) description: String,
    pub(crate) additional_info: String,
    pub(crate) role: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) groups: Vec<Membership>,
    pub(crate) home_dir: String,
    pub(crate) max_sessions: i64,
    pub(crate) quota_size: i64,
    pub(crate) quota_files: i64,
    pub(crate) upload_bandwidth: i64,
    pub(crate) download_bandwidth: i64,
    pub(crate) upload_data_transfer: i64,
    pub(crate) download_data_transfer: i64,
    pub(crate) total_data_transfer: i64,
    /// Of a group alone: days from the creation of a user to its end.
    pub(crate) expires_in: i64,
    #[serde(deserialize_with = "nullable")]
    pub(crate) permissions: Permissions,
    pub(crate) filters: Filters,
    pub(crate) filesystem: Filesystem,
    #[serde(deserialize_with = "nullable")]
    pub(crate) virtual_folders: Vec<Folder>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Filters {
    #[serde(deserialize_with = "nullable")]
    pub(crate) allowed_ip: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) denied_ip: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) denied_login_methods: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) denied_protocols: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) two_factor_protocols: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) file_patterns: Vec<serde::de::IgnoredAny>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) access_time: Vec<serde::de::IgnoredAny>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) bandwidth_limits: Vec<serde::de::IgnoredAny>,
    pub(crate) max_upload_file_size: i64,
    pub(crate) is_anonymous: bool,
    pub(crate) require_password_change: bool,
    /// Days after which a password must be changed.
    pub(crate) password_expiration: i64,
    pub(crate) totp_config: Totp,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Totp {
    pub(crate) enabled: bool,
    #[serde(deserialize_with = "nullable")]
    pub(crate) protocols: Vec<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Filesystem {
    /// 0: local; 1: S3; 2: Google; 3: Azure; 4: local, encrypted; 5: SFTP; 6: HTTP.
    pub(crate) provider: i64,
    pub(crate) s3config: S3,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct S3 {
    pub(crate) bucket: String,
    pub(crate) key_prefix: String,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Folder {
    pub(crate) virtual_path: String,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Membership {
    pub(crate) name: String,
    /// 1: primary, whose settings go before the user's; 2: secondary, whose lists are added; 3: without settings.
    #[serde(rename = "type")]
    pub(crate) kind: i64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Group {
    pub(crate) name: String,
    user_settings: User,
    #[serde(deserialize_with = "nullable")]
    virtual_folders: Vec<Folder>,
}

impl Group {
    /// The settings with the folders, which lie beside them.
    pub(crate) fn settings(self) -> User {
        User { virtual_folders: self.virtual_folders, ..self.user_settings }
    }
}

impl User {
    /// Takes over the settings of the user's groups as SFTPGo does at a log-in (`mergeWithPrimaryGroup`,
    /// `mergeAdditiveProperties`).
    ///
    /// # Errors
    /// The name of a group that is not in the dump.
    pub(crate) fn merge(&mut self, groups: &BTreeMap<String, User>) -> Result<(), String> {
        let (name, role) = (self.username.clone(), self.role.clone());
        let filled = |text: &str| text.replace("%username%", &name).replace("%role%", &role);
        let mut memberships = self.groups.clone();
        memberships.retain(|membership| membership.kind != 3);
        memberships.sort_by_key(|membership| membership.kind);
        for Membership { name, kind } in memberships {
            let group = groups.get(&name).ok_or(name)?;
            let is_primary = kind == 1;
            if is_primary {
                self.merge_primary(group, filled);
            }
            for folder in &group.virtual_folders {
                let virtual_path = filled(&folder.virtual_path);
                self.virtual_folders.push(Folder { virtual_path });
            }
            for (folder, permissions) in &group.permissions {
                match folder.as_str() {
                    "/" if is_primary => _ = self.permissions.insert(folder.clone(), permissions.clone()),
                    "/" => {}
                    _ => _ = self.permissions.entry(filled(folder)).or_insert_with(|| permissions.clone()),
                }
            }
            let (to, from) = (&mut self.filters, &group.filters);
            to.allowed_ip.extend(from.allowed_ip.iter().cloned());
            to.denied_ip.extend(from.denied_ip.iter().cloned());
            to.denied_login_methods.extend(from.denied_login_methods.iter().cloned());
            to.denied_protocols.extend(from.denied_protocols.iter().cloned());
            to.two_factor_protocols.extend(from.two_factor_protocols.iter().cloned());
            to.file_patterns.extend(from.file_patterns.iter().cloned());
            to.access_time.extend(from.access_time.iter().cloned());
            to.bandwidth_limits.extend(from.bandwidth_limits.iter().cloned());
        }
        Ok(())
    }

    fn merge_primary(&mut self, group: &User, filled: impl Fn(&str) -> String) {
        if !group.home_dir.is_empty() {
            self.home_dir = filled(&group.home_dir);
        }
        if group.filesystem.provider != 0 {
            self.filesystem = group.filesystem.clone();
            self.filesystem.s3config.key_prefix = filled(&group.filesystem.s3config.key_prefix);
        }
        for (own, group) in [
            (&mut self.max_sessions, group.max_sessions),
            (&mut self.quota_size, group.quota_size),
            (&mut self.quota_files, group.quota_files),
            (&mut self.upload_bandwidth, group.upload_bandwidth),
            (&mut self.download_bandwidth, group.download_bandwidth),
            (&mut self.upload_data_transfer, group.upload_data_transfer),
            (&mut self.download_data_transfer, group.download_data_transfer),
            (&mut self.total_data_transfer, group.total_data_transfer),
            (&mut self.filters.max_upload_file_size, group.filters.max_upload_file_size),
            (&mut self.filters.password_expiration, group.filters.password_expiration),
        ] {
            if *own == 0 {
                *own = group;
            }
        }
        self.filters.is_anonymous |= group.filters.is_anonymous;
        if self.expiration_date == 0 && group.expires_in > 0 {
            self.expiration_date = self.created_at.saturating_add(group.expires_in.saturating_mul(86_400_000));
        }
    }
}
