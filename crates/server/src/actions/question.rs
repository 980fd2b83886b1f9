//! The question that is asked before an action is done.

use super::Act;

impl Act {
    /// What is asked before it is done: the question, what comes of it, and the word on the button. `title` is the space's.
    pub fn question(&self, title: &str) -> (String, String, &'static str) {
        let (whose, door) = self.whose(title);
        match self {
            Self::Pause { on: true, .. } => (
                format!("Pause {door} of {whose}?"),
                "Newcomers wait in line and keep their places. Who is inside hears on, and comes back after a lost connection.".into(),
                if self.is_of_all() { "Pause the doors" } else { "Pause the door" },
            ),
            Self::Pause { on: false, .. } => (
                format!("Open {door} of {whose} again?"),
                "Those who wait come in as seats allow.".into(),
                if self.is_of_all() { "Open the doors" } else { "Open the door" },
            ),
            Self::Drop { on: true, .. } => (
                format!("Drop the public door of {whose}?"),
                "Newcomers are turned away and do not even wait. Who is inside hears on, and comes back after a lost connection.".into(),
                "Drop the door",
            ),
            Self::Drop { on: false, .. } => (
                format!("Give {whose} its public door back?"),
                "Newcomers come in as seats allow.".into(),
                "Give it back",
            ),
            Self::Limits {
                limit, guaranteed, ..
            } => (
                format!("Change the limits of {whose}?"),
                limits(*limit, *guaranteed),
                "Change the limits",
            ),
            Self::Tell { message, .. } if message.is_empty() => (
                format!("Take the message of {whose} away?"),
                "Listeners and those who wait see it no more.".into(),
                "Take it away",
            ),
            Self::Tell { message, .. } => (
                format!("Tell everybody in {whose} this?"),
                format!("Listeners and those who wait read: “{message}”"),
                "Tell them",
            ),
            Self::Music { on: true, .. } => (
                format!("Play hold music in {whose}?"),
                "Listeners hear the music; who speaks is not heard by them until it is put off.".into(),
                "Play hold music",
            ),
            Self::Music { on: false, .. } => (
                format!("Put the hold music of {whose} off?"),
                "Listeners hear the stage again.".into(),
                "Put it off",
            ),
            Self::Cadence { min_ms, max_ms } => (
                "Move the bounds of the cadence?".into(),
                format!(
                    "Sound is sent to listeners every {min_ms} to {max_ms} ms. Larger: fewer and larger pieces, heard later."
                ),
                "Move the bounds",
            ),
            Self::EndRehearsal { id } => (
                format!("End the rehearsal {id:016x}?"),
                "Its listeners are closed and its permit is worth nothing any more. Nobody else notices.".into(),
                "End the rehearsal",
            ),
        }
    }

    /// Whose door it is, and one door or several.
    fn whose(&self, title: &str) -> (String, &'static str) {
        let whose = if title.is_empty() {
            "all spaces".to_owned()
        } else {
            format!("“{title}”")
        };
        let door = if self.is_of_all() {
            "the doors"
        } else {
            "the door"
        };
        (whose, door)
    }
}

fn limits(limit: Option<u32>, guaranteed: Option<f64>) -> String {
    let limit = limit.map_or("As many listeners as there are seats".to_owned(), |limit| {
        format!("{limit} listeners at most")
    });
    let share = guaranteed.map_or("The node's share of the seats".to_owned(), |share| {
        format!("Always {:.1} % of the seats", share * 100.0)
    });
    format!("{limit}. {share}. Nobody inside is sent out.")
}
