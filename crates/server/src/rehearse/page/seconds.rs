//! How many listened, came and began to hear, second by second.

use maud::{Markup, html};

use super::plot::{Frame, key};
use crate::rehearse::Second;

pub(super) fn seconds(seconds: &[Second]) -> Markup {
    let of = |of: fn(&Second) -> u32| seconds.iter().map(of).collect::<Vec<_>>();
    let (inside, came, heard) = (
        of(|one| one.inside),
        of(|one| one.came),
        of(|one| one.heard),
    );
    let most = |values: &[u32]| values.iter().max().copied().unwrap_or(0);
    let frame = |most: u32| Frame {
        x_most: seconds.len() as f64,
        y_most: f64::from(most.max(1)),
    };
    let (level, rate) = (frame(most(&inside)), frame(most(&came).max(most(&heard))));
    html! { @if !seconds.is_empty() {
        section class="stack" aria-labelledby="seconds" {
            div class="head" { h2 id="seconds" { "Second by second" } }
            div class="cols even" {
                div {
                    (key(&[("k-in", "listeners")]))
                    (level.plot(&format!("Listeners: {} at most.", most(&inside)), "s", &html! { path class="k-in" d=(level.curve(&inside)) {} }))
                }
                div {
                    (key(&[("k-wait", "came, a second"), ("k-in", "began to hear")]))
                    (rate.plot(&format!("In a second {} came and {} began to hear, at most.", most(&came), most(&heard)), "s",
                        &html! { path class="k-wait" d=(rate.curve(&came)) {} path class="k-in" d=(rate.curve(&heard)) {} }))
                }
            }
        }
    } }
}
