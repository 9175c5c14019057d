//! Keyset paging: a list is cut by the key of the last row seen, never by an offset.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

/// The largest page anybody may ask for.
pub const MAX_LIMIT: i64 = 200;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The rows, in the list's order.
    pub items: Vec<T>,
    /// Give this as `cursor` to get the next page; absent on the last one.
    pub next_cursor: Option<String>,
}

/// What a caller asked for: how many rows, and after which key.
#[derive(Debug, Clone)]
pub struct PageOf<K> {
    /// Rows wanted, 1 to [`MAX_LIMIT`].
    pub limit: i64,
    /// The key of the last row of the page before.
    pub after: Option<K>,
}

/// A cursor that no page of ours handed out.
#[derive(Debug, thiserror::Error)]
#[error("the cursor is not one that this list handed out")]
pub struct BadCursor;

impl<K: DeserializeOwned> PageOf<K> {
    /// Reads the query's `limit` and `cursor`; a limit outside the bounds is brought inside.
    pub fn parse(limit: Option<i64>, cursor: Option<&str>) -> Result<Self, BadCursor> {
        let after = match cursor {
            None | Some("") => None,
            Some(text) => Some(decode(text)?),
        };
        Ok(Self { limit: limit.unwrap_or(50).clamp(1, MAX_LIMIT), after })
    }
    /// One more than the page holds: whether the extra row comes tells if there is a next page.
    #[must_use]
    pub const fn fetch(&self) -> i64 {
        self.limit + 1
    }
    /// Cuts the extra row off and makes the cursor from the last row kept.
    pub fn finish<T, C: Serialize>(&self, mut items: Vec<T>, key: impl Fn(&T) -> C) -> Page<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = if more { items.last().map(|row| cursor(&key(row))) } else { None };
        Page { items, next_cursor }
    }
}

/// The cursor of a key, for a list that is paged in both directions.
pub fn cursor<K: Serialize>(key: &K) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
}

fn decode<K: for<'de> Deserialize<'de>>(text: &str) -> Result<K, BadCursor> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadCursor)?;
    // no text that the database keeps has one
    if bytes.windows(6).any(|escaped| escaped == b"\\u0000") {
        return Err(BadCursor);
    }
    serde_json::from_slice(&bytes).map_err(|_| BadCursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_the_key_it_was_made_of() {
        let page = PageOf::<(i64, String)>::parse(Some(2), None).unwrap();
        let cut =
            page.finish(vec![(1, "a".into()), (2, "b".into()), (3, "c".into())], |row: &(i64, String)| row.clone());
        assert_eq!(cut.items.len(), 2);
        let next = PageOf::<(i64, String)>::parse(None, cut.next_cursor.as_deref()).unwrap();
        assert_eq!(next.after, Some((2, "b".to_owned())));
    }

    #[test]
    fn the_last_page_has_no_cursor_and_a_foreign_cursor_is_refused() {
        let page = PageOf::<i64>::parse(Some(5), None).unwrap();
        assert!(page.finish(vec![1, 2], |row| *row).next_cursor.is_none());
        assert!(PageOf::<i64>::parse(None, Some("nonsense!")).is_err());
        assert!(PageOf::<String>::parse(None, Some(&cursor(&"a\0"))).is_err());
    }
}
