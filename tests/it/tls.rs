//! Certificates that a company signs for itself: `tests/fixtures/tls`.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::bench::Bench;
use crate::support::fixture;
use crate::support::hub_stand_in::{Contents, HubStandIn, REPOSITORY};

/// Speaks TLS before a stand-in Hub, for as long as the tests run. Gives its address.
fn encrypted(server: &HubStandIn) -> String {
    let certificate = CertificateDer::from_pem_file(fixture("tls/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(fixture("tls/server.key")).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let (port, behind) = (listener.local_addr().unwrap().port(), server.endpoint());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, behind) = (config.clone(), behind.clone());
            // A client that refuses the certificate is none of its failures.
            std::thread::spawn(move || pass_on(stream, config, &behind).ok());
        }
    });
    format!("https://localhost:{port}")
}

/// One request, and the answer to it.
fn pass_on(stream: TcpStream, config: Arc<ServerConfig>, behind: &str) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let mut hub = TcpStream::connect(behind.strip_prefix("http://").unwrap())?;
    hub.write_all(&request)?;
    hub.shutdown(std::net::Shutdown::Write)?;
    let mut answer = Vec::new();
    hub.read_to_end(&mut answer)?;
    stream.write_all(&answer)?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn hub() -> (HubStandIn, Bench) {
    let checkpoint = |name: &str| std::fs::read(fixture("checkpoints/llama-gqa").join(name)).unwrap();
    let contents = Contents::default()
        .small("config.json", checkpoint("config.json"))
        .large("model.safetensors", checkpoint("model.safetensors"));
    let server = HubStandIn::start(contents);
    let bench = Bench::new().variable("HF_ENDPOINT", encrypted(&server)).variable("HF_HOME", "hf");
    (server, bench)
}

#[test]
fn an_authority_that_a_variable_names_is_trusted() {
    let (_server, bench) = hub();
    let bench = bench.variable("SSL_CERT_FILE", fixture("tls/authority.pem"));
    bench.run(&format!("pull {REPOSITORY}")).exits(0);
}

#[test]
fn a_folder_of_authorities_is_trusted() {
    let (_server, bench) = hub();
    // As `openssl rehash` names it.
    std::fs::create_dir(bench.path("authorities")).unwrap();
    std::fs::copy(fixture("tls/authority.pem"), bench.path("authorities/0123abcd.0")).unwrap();
    let folder = bench.path("authorities");
    let bench = bench.variable("SSL_CERT_DIR", folder);
    bench.run(&format!("pull {REPOSITORY}")).exits(0);
}

#[test]
fn a_certificate_that_nobody_trusts_is_said_at_once() {
    let (server, bench) = hub();
    let ran = bench.run(&format!("pull {REPOSITORY}")).exits(2);
    ran.says("the certificate of `localhost:")
        .says(" is not trusted: ")
        .says("hint: have `SSL_CERT_FILE` name a file")
        .never_mentions("gave up");
    assert!(server.requests().is_empty());
}

#[test]
fn a_variable_that_names_no_certificates_is_named() {
    let (_server, bench) = hub();
    bench.write("none.pem", "none");
    let bench = bench.variable("SSL_CERT_FILE", "none.pem");
    bench.run(&format!("pull {REPOSITORY}")).exits(2).says("found no certificates by `SSL_CERT_FILE`: ");
}
