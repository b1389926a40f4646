//! Sources that are read from other systems, which the tests start. One binary, so that it is linked only once.

mod mariadb;
mod mysql_odd_values;
mod mysql_reading;
mod mysql_refusals;
mod mysql_stub;
mod mysql_tls;
