//! A real MariaDB in a temporary folder, one for all tests, each of which has a database of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use secrecy::SecretString;
use sftpctl_accounts::import::row::RowsError;
use sftpctl_sources::mysql::{Mysql, Options, Tls};
use sftpctl_sources::source::{Record, Source as _, Value};
use sftpctl_testkit::programs::{succeeded, tool};
use sftpctl_testkit::site::{until, with_input};
use tokio::sync::{Mutex, MutexGuard};

/// The password of every account but root.
pub(crate) const PASSWORD: &str = "correct horse";

pub(crate) struct Server {
    folder: PathBuf,
    pub(crate) port: u16,
    /// Its shell stops the server when this end of its standard input is closed, so also when the tests are killed.
    _shell: Child,
    certificate: Mutex<()>,
}

/// Starts the server, and stops it and deletes its folder when the tests have ended.
const SHELL: &str = r#""$@" & server=$!; read -r _; kill $server; wait $server; rm -rf "$FOLDER""#;

/// The server, which the first test starts.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

/// A program of the server's package, which Debian puts where only root looks for programs.
fn program(name: &str) -> Command {
    let path = Path::new("/usr/sbin").join(name);
    if path.is_file() { Command::new(path) } else { tool(name, "mariadb-server") }
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("mariadb").tempdir().unwrap().keep();
        let data = folder.join("data");
        let user = succeeded("id", &Command::new("id").arg("-un").output().unwrap());
        let user = format!("--user={}", user.trim());
        let mut install = tool("mariadb-install-db", "mariadb-server");
        install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", &user]);
        succeeded("mariadb-install-db", &install.arg(format!("--datadir={}", data.display())).output().unwrap());
        certificates(&folder);

        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = program("mariadbd");
        let mut shell = Command::new("sh");
        shell.args(["-c", SHELL, "sh"]).arg(server.get_program()).args(["--no-defaults", &user]);
        for (option, value) in [
            ("datadir", data.display().to_string()),
            ("socket", folder.join("socket").display().to_string()),
            ("log-error", folder.join("log").display().to_string()),
            ("port", port.to_string()),
            ("bind-address", "127.0.0.1".to_owned()),
            ("ssl-cert", folder.join("cert.pem").display().to_string()),
            ("ssl-key", folder.join("key.pem").display().to_string()),
            ("plugin-load-add", "auth_ed25519".to_owned()),
            ("innodb-buffer-pool-size", "64M".to_owned()),
            ("innodb-flush-log-at-trx-commit", "0".to_owned()),
            ("performance-schema", "OFF".to_owned()),
        ] {
            shell.arg(format!("--{option}={value}"));
        }
        shell.args(["--skip-log-bin", "--skip-name-resolve"]).env("FOLDER", &folder);
        let shell = shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { folder, port, _shell: shell, certificate: Mutex::new(()) };
        until("mariadbd", || {
            server.client().arg("--execute=SELECT 1").output().unwrap().status.success().then_some(())
        });
        server.sql(&format!(
            "CREATE USER reader IDENTIFIED BY '{PASSWORD}';
             CREATE USER modern IDENTIFIED VIA ed25519 USING PASSWORD('{PASSWORD}');
             CREATE USER stranger IDENTIFIED BY '{PASSWORD}';
             GRANT SELECT, SHOW VIEW ON *.* TO reader, modern;"
        ));
        server
    }

    pub(crate) fn socket(&self) -> String {
        self.folder.join("socket").display().to_string()
    }

    fn client(&self) -> Command {
        let mut client = tool("mariadb", "mariadb-client");
        client.args(["--no-defaults", "--user=root", "--batch", "--skip-column-names"]);
        client.args(["--default-character-set=utf8mb4"]).arg(format!("--socket={}", self.socket()));
        client
    }

    /// Runs statements as root. Returns what they print.
    pub(crate) fn sql(&self, statements: &str) -> String {
        succeeded(statements, &with_input(&mut self.client(), statements.as_bytes()))
    }

    /// A new database with these tables. Returns its name again.
    pub(crate) fn database<'a>(&self, name: &'a str, statements: &str) -> &'a str {
        self.sql(&format!("CREATE DATABASE {name}; USE {name}; SET sql_mode = ''; {statements}"));
        name
    }

    /// The URL for an account, over TCP.
    pub(crate) fn url(&self, user: &str, database: &str) -> String {
        format!("mysql://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// A file that the certificates were made with.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The server with another certificate, which no other test changes as long as the result lives.
    pub(crate) async fn with_certificate(&self, name: &str) -> MutexGuard<'_, ()> {
        let guard = self.certificate.lock().await;
        fs::copy(self.file(&format!("{name}.pem")), self.file("cert.pem")).unwrap();
        fs::copy(self.file(&format!("{name}.key")), self.file("key.pem")).unwrap();
        self.sql("FLUSH SSL");
        guard
    }
}

fn openssl(folder: &Path, arguments: &str) {
    let mut command = tool("openssl", "openssl");
    succeeded(arguments, &command.args(arguments.split(' ')).current_dir(folder).output().unwrap());
}

/// Two authorities, and the certificates that servers have: `good`, with names; `nameless`, as MySQL creates it; `v1`, by
/// the recipe of MySQL's manual; `authority`, as `openssl req -x509` makes it.
fn certificates(folder: &Path) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for (name, subject) in [("ca", "/CN=authority"), ("other-ca", "/CN=other"), ("authority", "/CN=localhost")] {
        openssl(folder, &format!("req -x509 {key} -days 2 -subj {subject} -keyout {name}.key -out {name}.pem"));
    }
    fs::write(folder.join("good.ext"), "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
        .unwrap();
    fs::write(folder.join("nameless.ext"), "basicConstraints=CA:FALSE\n").unwrap();
    for (name, extensions) in [("good", "-extfile good.ext"), ("nameless", "-extfile nameless.ext"), ("v1", "-sha256")]
    {
        openssl(folder, &format!("req {key} -subj /CN={name} -keyout {name}.key -out {name}.csr"));
        openssl(
            folder,
            &format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 {extensions} -out {name}.pem"
            ),
        );
    }
    fs::copy(folder.join("good.pem"), folder.join("cert.pem")).unwrap();
    fs::copy(folder.join("good.key"), folder.join("key.pem")).unwrap();
}

/// The options for a table, without TLS.
pub(crate) fn table(name: &str) -> Options {
    Options { table: Some(name.to_owned()), tls: Tls::Off, ..Options::default() }
}

/// The options for a query, without TLS.
pub(crate) fn query(text: &str) -> Options {
    Options { query: Some(text.to_owned()), tls: Tls::Off, ..Options::default() }
}

/// Connects as an account with [`PASSWORD`].
pub(crate) async fn connect_as(user: &str, database: &str, options: &Options) -> Result<Mysql, RowsError> {
    Mysql::connect(&server().url(user, database), Some(&SecretString::from(PASSWORD)), options).await
}

pub(crate) async fn connect(database: &str, options: &Options) -> Mysql {
    connect_as("reader", database, options).await.unwrap_or_else(|error| panic!("{error:?}"))
}

/// The error of a connection that is refused.
pub(crate) async fn refused(database: &str, options: &Options) -> RowsError {
    connect_as("reader", database, options).await.err().unwrap()
}

/// All records.
pub(crate) async fn all(source: &mut Mysql) -> Result<Vec<Record>, RowsError> {
    let mut records = Vec::new();
    loop {
        let batch = source.next().await?;
        if batch.is_empty() {
            return Ok(records);
        }
        records.extend(batch);
    }
}

/// A value in short: its text, or `NULL`.
pub(crate) fn short(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Text(text) | Value::Missing(text) => text.clone(),
        Value::Texts(texts) => texts.join(","),
    }
}
