//! What the program asks on its way: here they only say who asked, and no.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread;

use openssl::pkey::PKey;
use openssl::ssl::{SslAcceptor, SslFiletype, SslMethod};
use openssl::symm::Cipher;

use crate::support::certificates::Authority;

const UNAUTHORIZED: &[u8] = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// A server with a certificate of this authority, which lets nobody in. Gives its URL.
pub fn with_tls(authority: &Authority) -> String {
    let issued = authority.issue("server").expect("a certificate");
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).expect("TLS");
    acceptor.set_private_key_file(&issued.key, SslFiletype::PEM).expect("a key");
    acceptor.set_certificate_chain_file(&issued.certificate).expect("a certificate");
    let acceptor = acceptor.build();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("https://{}", listener.local_addr().expect("its address"));
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            // Who distrusts the server ends the handshake.
            let Ok(mut connection) = acceptor.accept(connection) else { continue };
            let mut request = [0; 4_096];
            if connection.read(&mut request).is_ok_and(|read| read > 0) {
                let _ = connection.write_all(UNAUTHORIZED);
                let _ = connection.shutdown();
                // What is sent and not read would have the connection reset, and the answer with it.
                while connection.get_mut().read(&mut request).is_ok_and(|read| read > 0) {}
            }
        }
    });
    url
}

/// The same key in another file, behind a password.
pub fn locked(key: &Path, password: &str) -> PathBuf {
    let open = PKey::private_key_from_pem(&fs::read(key).expect("read the key")).expect("a key");
    let locked = open.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), password.as_bytes()).expect("a locked key");
    let file = key.with_extension("locked.pem");
    fs::write(&file, locked).expect("write the key");
    file
}
