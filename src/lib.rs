//! sftpctl
