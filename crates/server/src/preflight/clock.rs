//! How far this machine's clock is from a reference, by one question of SNTP (RFC 4330).

use std::time::{Duration, Instant};

use hustings_control::ids::UnixMillis;
use tokio::net::UdpSocket;

use super::lines::Clock;

const WITHIN: Duration = Duration::from_secs(2);
const PACKET: usize = 48;
/// Seconds from 1900, where NTP begins, to 1970.
const EPOCH_S: u64 = 2_208_988_800;

/// `server` is a host, with a port or the usual one.
pub(super) async fn compare(server: &str, wall: impl Fn() -> UnixMillis) -> Clock {
    match tokio::time::timeout(WITHIN, ask(server, wall)).await {
        Ok(Ok(ahead)) => Clock::Ahead(ahead),
        Ok(Err(why)) => Clock::Silent(why),
        Err(_) => Clock::Silent(format!("no answer within {} s", WITHIN.as_secs())),
    }
}

async fn ask(server: &str, wall: impl Fn() -> UnixMillis) -> Result<i64, String> {
    let told = |e: std::io::Error| e.to_string();
    let with_port = if server
        .rsplit(']')
        .next()
        .is_some_and(|end| end.contains(':'))
    {
        server.to_owned()
    } else {
        format!("{server}:123")
    };
    let address = tokio::net::lookup_host(&with_port)
        .await
        .map_err(told)?
        .next()
        .ok_or("the name has no address")?;
    let any = if address.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let socket = UdpSocket::bind(any).await.map_err(told)?;
    socket.connect(address).await.map_err(told)?;
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|e| e.to_string())?;
    let mut question = [0; PACKET];
    // No leap, version 4, client; the transmit time is only repeated in the answer, so a random one proves whose it is.
    question[0] = 0x23;
    question[40..].copy_from_slice(&random);
    let (sent, asked) = (Instant::now(), wall());
    socket.send(&question).await.map_err(told)?;
    let mut answer = [0; 128];
    loop {
        let got = socket.recv(&mut answer).await.map_err(told)?;
        if got >= PACKET && answer[24..32] == random {
            break;
        }
    }
    let half = u64::try_from(sent.elapsed().as_millis()).unwrap_or(u64::MAX) / 2;
    if answer[1] == 0 {
        return Err("the reference has no time itself".to_owned());
    }
    let theirs = millis(&answer[40..48]).ok_or("the answer has no time")?;
    let ours = asked.0.saturating_add(half);
    Ok(i64::try_from(i128::from(ours) - i128::from(theirs)).unwrap_or(i64::MAX))
}

/// Unix milliseconds of an NTP time stamp: seconds since 1900, and parts of 2^32.
fn millis(stamp: &[u8]) -> Option<u64> {
    let (seconds, parts) = stamp.split_first_chunk::<4>()?;
    let parts = u32::from_be_bytes(*parts.first_chunk::<4>()?);
    let seconds = u64::from(u32::from_be_bytes(*seconds)).checked_sub(EPOCH_S)?;
    Some(seconds * 1_000 + ((u64::from(parts) * 1_000) >> 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_500);

    /// Answers one question with a time that is off by so many milliseconds.
    async fn reference(off: i64, stratum: u8) -> String {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let mut question = [0; PACKET];
            let (_, from) = socket.recv_from(&mut question).await.unwrap();
            let at = (NOW.0 as i64 + off) as u64;
            let mut answer = [0; PACKET];
            answer[0] = 0x24;
            answer[1] = stratum;
            answer[24..32].copy_from_slice(&question[40..48]);
            answer[40..44].copy_from_slice(&((at / 1_000 + EPOCH_S) as u32).to_be_bytes());
            let parts = ((at % 1_000) << 32) / 1_000 + 1;
            answer[44..48].copy_from_slice(&(parts as u32).to_be_bytes());
            // What nobody asked for is not believed.
            socket.send_to(&[0; PACKET], from).await.unwrap();
            socket.send_to(&answer, from).await.unwrap();
        });
        address
    }

    #[tokio::test]
    async fn the_difference_is_told_to_the_millisecond() {
        for off in [0, 5_000, -5_000] {
            let server = reference(off, 2).await;
            let Clock::Ahead(ahead) = compare(&server, || NOW).await else {
                panic!("no answer");
            };
            assert!((ahead + off).abs() <= 1_000, "{ahead} for {off}");
        }
    }

    #[tokio::test]
    async fn a_reference_without_a_time_and_none_at_all_are_told() {
        let server = reference(0, 0).await;
        assert!(matches!(compare(&server, || NOW).await, Clock::Silent(_)));
        let nobody = compare("127.0.0.1:9", || NOW).await;
        assert!(matches!(nobody, Clock::Silent(_)), "{nobody:?}");
    }
}
