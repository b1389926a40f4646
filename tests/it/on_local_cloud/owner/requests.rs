//! Requests that no SDK sends: with the keys of a role that may do little, and by who has no keys at all.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::on_local_cloud::login::front_memory;
use crate::site::Site;

#[test]
fn nobody_gets_more_than_the_role_allows() {
    let site = Site::deployed("");
    let printed = site.oracle("raw.py", &[]);
    let refused: u32 = printed.strip_prefix("refused ").unwrap().parse().unwrap();
    assert!(refused > 80, "{printed}");
    // What it has tried has changed nothing for others.
    assert!(site.planned().is_empty(), "{:?}", site.planned());
}

#[test]
fn bodies_that_do_not_end_hold_no_memory() {
    let site = Site::new();
    let before = front_memory(&site);
    // Every made-up account has a key, so only the whole body shows that the signature is wrong.
    let today = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let head = |key: &str, region: &str| {
        format!(
            "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\nX-Amz-Date: {today}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential={key}/{}/{region}/iam/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature=00\r\nContent-Length: 8000000\r\n\r\n",
            &today[..8]
        )
    };
    let answered = |stream: &mut TcpStream| {
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).map(|()| String::from_utf8(answer.to_vec()).unwrap())
    };
    // Keys that do not exist are refused before there is a body.
    for key in ["AKIAFAKE", "ASIAFAKE"] {
        let mut stream = TcpStream::connect(("127.0.0.1", site.cloud_port)).unwrap();
        stream.write_all(head(key, "us-west-2").as_bytes()).unwrap();
        assert_eq!(answered(&mut stream).unwrap(), "HTTP/1.1 403");
    }
    let body = vec![b'a'; 7_990_000];
    let mut flood: Vec<TcpStream> = (0..120)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", site.cloud_port)).unwrap();
            stream.write_all(head("111111111111", "us-west-2").as_bytes()).unwrap();
            // The front may have ended it meanwhile.
            let _ = stream.write_all(&body);
            stream
        })
        .collect();
    // The owner is served meanwhile.
    assert_eq!(site.aws(&["left"]), "[]");
    let grown = front_memory(&site).saturating_sub(before) / 1024;
    assert!(grown < 400, "the front grew by {grown} MB");
    // The oldest have ended, the newest still waits for its last bytes.
    let oldest = flood.first_mut().unwrap();
    oldest.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    match answered(oldest) {
        Ok(status) => assert_eq!(status, "HTTP/1.1 503"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "it is still open"),
    }
    let newest = flood.last_mut().unwrap();
    newest.set_nonblocking(true).unwrap();
    assert_eq!(answered(newest).unwrap_err().kind(), ErrorKind::WouldBlock);
}
