//! Days of a week and minutes of a day, as people write them. Pure.

/// Whether these are days of the week, 1 is Monday, each once.
pub(crate) fn are_days(days: &[u32]) -> bool {
    let is_once = |(place, day): (usize, &u32)| (1..=7).contains(day) && !days[..place].contains(day);
    (1..=7).contains(&days.len()) && days.iter().enumerate().all(is_once)
}

/// The minute of the day that `09:00` is; 24:00 is its end.
pub(crate) fn minutes(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let is_plain =
        hour.len() == 2 && minute.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    (is_plain && minute < 60 && hour * 60 + minute <= 24 * 60).then_some(hour * 60 + minute)
}
