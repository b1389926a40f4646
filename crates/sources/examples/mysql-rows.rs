//! Reads a table as an import does, and prints how many rows it has: `mysql-rows mysql://USER@/DATABASE?socket=/PATH TABLE`.
//! For benches/mysql.py.

use std::io::Write as _;

use sftpctl_sources::mysql::{Mysql, Options};
use sftpctl_sources::source::Source as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), table @ Some(_)) = (arguments.next(), arguments.next()) else {
        return Err("usage: mysql-rows URL TABLE".into());
    };
    let mut source = Mysql::connect(&url, None, &Options { table, ..Options::default() }).await?;
    let mut rows = 0;
    loop {
        let page = source.next().await?.len();
        if page == 0 {
            break;
        }
        rows += page;
    }
    writeln!(std::io::stdout(), "{rows}")?;
    Ok(())
}
