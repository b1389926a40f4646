//! The rate of the hashes alone of `users harden`, without a table, for benches/accounts.py: what the machine bears.
//! Arguments: threads, and hashes of each. Prints hashes a second of all threads together.

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::io::Write as _;
use std::time::Instant;

use sftp_authorizer::password::Cost;
use sftpctl_accounts::password::harden;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u32>().unwrap());
    let (threads, each) = (numbers.next().unwrap(), numbers.next().unwrap());
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..each {
                    std::hint::black_box(harden("lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg==", Cost::DEFAULT).unwrap());
                }
            });
        }
    });
    let rate = f64::from(threads * each) / begun.elapsed().as_secs_f64();
    writeln!(std::io::stdout(), "{rate}").unwrap();
}
