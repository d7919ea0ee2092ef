//! Reading a whole list in pages, each a query of its own: for commands and for what is kept in memory.

/// Reads page after page of `size` rows until one is not full. `page` gets the last row so far.
///
/// # Errors
/// Those of `page`.
pub async fn all<T, E>(
    size: usize,
    page: impl AsyncFn(Option<&T>) -> Result<Vec<T>, E>,
) -> Result<Vec<T>, E> {
    let mut rows = Vec::new();
    loop {
        let next = page(rows.last()).await?;
        let end = next.len() < size;
        rows.extend(next);
        if end {
            return Ok(rows);
        }
    }
}
