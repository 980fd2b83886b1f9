//! As much of HTTP and of the door's flat JSON as the driver must read. What cannot be read is none.

pub(super) fn status(text: &str) -> Option<u16> {
    text.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

/// A header's value; names are compared without regard to case.
pub(super) fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let head = text.split_once("\r\n\r\n").map_or(text, |(head, _)| head);
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

pub(super) fn body(text: &str) -> &str {
    text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

/// A text of a flat JSON object, without escapes in it, as the door's answers are.
pub(super) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let rest = text.split_once(&format!(r#""{name}":""#))?.1;
    rest.split_once('"').map(|(value, _)| value)
}

pub(super) fn number(text: &str, name: &str) -> Option<u64> {
    let rest = text.split_once(&format!(r#""{name}":"#))?.1;
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[..end].parse().ok()
}

/// Two numbers in brackets.
pub(super) fn numbers(text: &str, name: &str) -> Option<(f64, f64)> {
    let rest = text.split_once(&format!(r#""{name}":["#))?.1;
    let (first, second) = rest.split_once(']')?.0.split_once(',')?;
    Some((first.trim().parse().ok()?, second.trim().parse().ok()?))
}
