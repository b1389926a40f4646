//! The names of the forms.

use super::stored;

/// Names each form once, also as it is called with Argon2id over it.
macro_rules! forms {
    ($($(#[$meta:meta])* $form:ident = $name:literal),+ $(,)?) => {
        /// A function that stored passwords are computed by.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Form {
            $($(#[$meta])* $form,)+
        }

        impl Form {
            pub const ALL: &[Self] = &[$(Self::$form),+];

            /// The name shown in lists.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$form => $name,)+
                }
            }

            fn hardened(self) -> &'static str {
                match self {
                    $(Self::$form => concat!("argon2id over ", $name),)+
                }
            }
        }
    };
}

forms! {
    /// Unsalted, from the old server.
    Sha224 = "sha224",
    Argon2id = "argon2id",
    Sha512Crypt = "sha512-crypt",
    Sha256Crypt = "sha256-crypt",
    Yescrypt = "yescrypt",
    Bcrypt = "bcrypt",
    Md5Crypt = "md5-crypt",
    /// md5-crypt with Apache's prefix.
    Apr1 = "apr1",
    /// MySQL's `PASSWORD()` since 4.1.
    Mysql = "mysql",
    Pbkdf2Sha1 = "pbkdf2-sha1",
    Pbkdf2Sha256 = "pbkdf2-sha256",
    Pbkdf2Sha512 = "pbkdf2-sha512",
    Md5 = "md5",
    Sha1 = "sha1",
    Sha256 = "sha256",
    Sha512 = "sha512",
    SaltedMd5 = "salted md5",
    SaltedSha1 = "salted sha1",
    SaltedSha256 = "salted sha256",
    SaltedSha512 = "salted sha512",
}

/// The form of a stored password: a function, and whether Argon2id is over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scheme {
    pub form: Form,
    /// Argon2id over the form.
    pub hardened: bool,
}

impl Scheme {
    /// The form of `stored`; `None` if it is unknown, or costs more than the authorizer allows.
    pub fn of(stored: &str) -> Option<Self> {
        stored::read(stored).ok().map(|stored| stored.scheme())
    }

    /// Every form, each without and with Argon2id over it.
    pub fn all() -> impl Iterator<Item = Self> {
        Form::ALL.iter().flat_map(|&form| [false, true].map(|hardened| Self { form, hardened }))
    }

    /// The name shown in lists.
    pub fn as_str(self) -> &'static str {
        if self.hardened { self.form.hardened() } else { self.form.as_str() }
    }
}
