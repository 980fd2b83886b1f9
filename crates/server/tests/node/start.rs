//! A node that cannot start says why in one line, and what to do.

use std::net::{TcpListener, UdpSocket};

use crate::world::{Node, Setup};

/// One line, of this node's, that names all of `words`; exit code 1.
#[track_caller]
fn refuses(setup: &Setup, words: &[&str]) {
    let (code, said) = setup.fail();
    assert_eq!(code, Some(1), "{said}");
    // The log stands there as well, as JSON.
    let words_for_people: Vec<&str> = said.lines().filter(|line| !line.starts_with('{')).collect();
    let [line] = words_for_people[..] else {
        panic!("one line was expected:\n{said}")
    };
    assert!(line.starts_with("hustings: "), "{line}");
    for word in words {
        assert!(line.contains(word), "{word:?} is missing in: {line}");
    }
}

#[test]
fn a_taken_port_names_its_flag() {
    let data = tempfile::tempdir().expect("a folder");
    for (flag, port) in [("--listen", 8080), ("--stage", 8082), ("--operator", 9090)] {
        let setup = Setup::new(data.path());
        let address = format!("{}:{port}", setup.ip);
        let _taken = TcpListener::bind(&address).expect("a free port");
        refuses(&setup, &[flag, &address]);
    }
    let setup = Setup::new(data.path());
    let address = format!("{}:8081", setup.ip);
    let udp = UdpSocket::bind(&address).expect("a free port");
    refuses(&setup, &["--media", &address]);
    drop(udp);
    let _tcp = TcpListener::bind(&address).expect("a free port");
    refuses(&setup, &["--media", &address]);
    // Nothing is left behind: the same folder and ports serve when the place is free.
    Node::start(data.path());
}

#[test]
fn an_address_of_another_machine_names_its_flag() {
    let data = tempfile::tempdir().expect("a folder");
    for flag in ["--listen", "--media", "--stage", "--operator"] {
        let setup = Setup::new(data.path()).with(&[flag, "192.0.2.1:8080"]);
        refuses(&setup, &[flag, "192.0.2.1:8080"]);
    }
}

#[test]
fn a_folder_that_cannot_be_written_names_the_flag() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    refuses(
        &Setup::new(&file.path().join("data")),
        &["--data", "cannot be used"],
    );
    // A folder that is there, but in which nobody can make a file, not even root.
    refuses(
        &Setup::new(std::path::Path::new("/proc/self")),
        &["the data folder /proc/self cannot be used", "--data"],
    );
}

#[test]
fn a_second_node_on_the_same_folder_is_refused_and_the_first_goes_on() {
    let data = tempfile::tempdir().expect("a folder");
    let first = Node::start(data.path());
    refuses(
        &Setup::new(data.path()),
        &["another node runs on this data folder", "--data"],
    );
    assert!(first.get(9090, "/readyz").starts_with("HTTP/1.1 200"));
    first.kill();
    Node::start(data.path());
}

#[test]
fn tls_files_that_are_no_good_are_named() {
    let data = tempfile::tempdir().expect("a folder");
    let cert = data.path().join("cert.pem");
    std::fs::write(&cert, "no certificate").expect("written");
    let cert = cert.to_str().expect("text");
    let setup = Setup::new(data.path()).with(&["--tls-cert", cert, "--tls-key", "missing.pem"]);
    refuses(&setup, &["cert.pem", "holds no PEM certificate"]);
}

/// Runs SQL on the node's database.
fn sql(data: &std::path::Path, statement: &'static str) -> u64 {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(data.join("hustings.db"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        use sqlx::{ConnectOptions as _, Connection as _};
        let mut connection = options.connect().await.expect("the database");
        let done = sqlx::query(statement)
            .execute(&mut connection)
            .await
            .expect("done");
        connection.close().await.expect("closed");
        done.rows_affected()
    })
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_left_alone() {
    let data = tempfile::tempdir().expect("a folder");
    let node = Node::start(data.path());
    node.space(&["create", "Kept", "--id", "kept"]);
    assert!(node.terminate().0.success());
    sql(data.path(), "PRAGMA user_version = 99");
    refuses(
        &Setup::new(data.path()),
        &["newer version", "schema 99", "use that version"],
    );
    sql(data.path(), "PRAGMA user_version = 3");
    assert_eq!(
        Node::start(data.path()).space(&["show", "kept"])["title"],
        "Kept"
    );
}

#[test]
fn a_log_that_cannot_be_read_harms_its_own_space_only() {
    let data = tempfile::tempdir().expect("a folder");
    let node = Node::start(data.path());
    for id in ["one", "two", "three"] {
        node.space(&["create", "A space", "--id", id]);
    }
    assert!(node.terminate().0.success());
    let torn = sql(
        data.path(),
        "UPDATE events SET body = '{torn' WHERE space = 'two'",
    );
    assert!(torn > 0);
    let node = Node::start(data.path());
    let said = node.said();
    assert!(
        said.lines()
            .any(|line| line.contains("\"two\"") && line.contains("left out")),
        "{said}"
    );
    for id in ["one", "three"] {
        assert_eq!(node.space(&["show", id])["id"], id);
        node.space(&["open", id]);
    }
    assert!(node.get(8080, "/s/two").starts_with("HTTP/1.1 404"));
    // Its name stays taken: what is left of it may yet be mended.
    let again = node.cli("space", &["create", "Another", "--id", "two"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&again.stderr).contains("already"),
        "{again:?}"
    );
    assert_eq!(
        sql(
            data.path(),
            "UPDATE events SET seq = seq WHERE space = 'two'"
        ),
        torn,
        "nothing was written to it"
    );
}
