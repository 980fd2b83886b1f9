//! The bare loop: `send()` over a list of sockets and nothing else. What no server of this kind can undercut.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// 48 kbit/s in one chunk a second.
const CHUNK: [u8; 6_000] = [0x55; 6_000];
const INTERVAL: Duration = Duration::from_secs(1);
/// The loop ends by itself, should its parent forget it.
const LIFE: Duration = Duration::from_secs(180);

pub(crate) fn serve(address: &str) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let mut inside: Vec<TcpStream> = Vec::new();
    let begun = Instant::now();
    let mut due = Instant::now();
    while begun.elapsed() < LIFE {
        while let Ok((mut stream, _)) = listener.accept() {
            stream.set_nonblocking(false)?;
            stream.set_read_timeout(Some(INTERVAL))?;
            let mut head = [0_u8; 1_024];
            let asked = stream.read(&mut head).is_ok();
            let answered = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: audio/ogg\r\n\r\n")
                .is_ok()
                && stream.write_all(&CHUNK).is_ok();
            if asked && answered && stream.set_nonblocking(true).is_ok() {
                inside.push(stream);
            }
        }
        if Instant::now() >= due {
            due += INTERVAL;
            inside.retain_mut(|stream| match stream.write(&CHUNK) {
                Ok(_) => true,
                Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
            });
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
