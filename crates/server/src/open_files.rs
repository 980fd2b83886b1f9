//! How many files this process may hold open. Sockets are files: this is what bounds the crowd on most machines.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Below this a node holds few listeners, and its operator should know.
const COMFORTABLE: u64 = 4_096;
/// Files that the house keeps for itself: the connections of stage and operator, recordings, uploads. A quarter of what
/// there is where that is less.
const HOUSE_FILES: u64 = 2_304;

/// Raises the soft limit to the hard one, which every process may, and gives what then holds.
pub fn raise() -> u64 {
    let before = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: before.maximum,
        maximum: before.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, wanted) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let limit = limit();
    if limit < COMFORTABLE {
        tracing::warn!(
            limit,
            "few files may be open at once, so few listeners fit; raise the limit (ulimit -Hn, or LimitNOFILE= of the service)"
        );
    }
    limit
}

/// Connections that the crowd may hold, so that the house always finds a file.
pub fn for_the_crowd() -> u64 {
    share(limit(), open_now())
}

fn share(limit: u64, open: u64) -> u64 {
    let free = limit.saturating_sub(open);
    free - HOUSE_FILES.min(free / 4)
}

fn limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Where the system does not tell, none are counted: the house's share is ample.
fn open_now() -> u64 {
    std::fs::read_dir("/proc/self/fd").map_or(0, |open| open.count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_keeps_its_share() {
        assert_eq!(share(1_048_576, 50), 1_048_576 - 50 - HOUSE_FILES);
        assert_eq!(share(1_024, 24), 750);
        assert_eq!(share(10, 50), 0);
        assert!(share(u64::MAX, 50) > 1 << 60);
        assert!(limit() > open_now() && open_now() > 2);
    }
}
