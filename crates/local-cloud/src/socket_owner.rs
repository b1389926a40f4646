//! Whose a connection on this machine is. Other users could take all places of the front before they show that they may
//! not use it, and answer in the place of a front that has stopped.

use sftpctl_aws::connection::is_own_client;
use sftpctl_aws::is_own_server;
use tokio::net::TcpStream;

/// Whether a process of this user has connected, where the system says so; by both ends of the connection.
pub(super) fn has_our_client(stream: &TcpStream) -> bool {
    let (Ok(client), Ok(server)) = (stream.peer_addr(), stream.local_addr()) else { return false };
    is_own_client(client, server)
}

/// Whether a process of this user serves the connection, where the system says so. Waits until one has accepted it; the
/// caller has a time limit.
pub(super) async fn has_our_server(stream: &TcpStream) -> bool {
    let (Ok(client), Ok(server)) = (stream.local_addr(), stream.peer_addr()) else { return false };
    is_own_server(server, client).await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn own_connection_is_ours_until_it_is_gone() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        assert!(has_our_client(&stream) && has_our_server(&client).await);
        drop(stream);
        assert!(!has_our_client(&client));
    }
}
