//! What to do about text that is no YAML.
//!
//! The parser says what it met in its own terms ("did not find expected key"); someone who has to mend a file at
//! night needs the usual cause of it. This table knows the usual causes, and keeps the parser's words beside them.

/// The parser's words on one line, and what to do.
pub(super) fn explain(text: &str, error: &serde_yaml::Error) -> String {
    let words = without_position(&error.to_string());
    if words.contains("repetition limit") {
        return "aliases (`*name`) repeat too much here; use fewer of them inside one another"
            .to_owned();
    }
    let advice = match error.location() {
        Some(location) => advice(
            &words,
            character_at(text, location.line(), location.column()),
        ),
        None => advice(&words, None),
    };
    format!("this is not YAML: {words}; {advice}")
}

fn advice(words: &str, met: Option<char>) -> &'static str {
    if met == Some('\t') {
        return "indent with spaces, not with tabs";
    }
    let has = |part: &str| words.contains(part);
    if has("cannot start any token") {
        "put the value in quotes"
    } else if has("mapping values are not allowed") {
        "line it up with the keys beside it, and put a value that holds `: ` in quotes"
    } else if has("did not find expected ',' or") {
        "close the bracket, or put a value with brackets or commas, such as `${NAME}`, in quotes"
    } else if has("did not find expected key") {
        "line up the keys of one mapping"
    } else if has("did not find expected '-' indicator") {
        "line up the dashes of one list, and its keys under them"
    } else if has("could not find expected ':'") {
        "write `key: value`"
    } else if has("unexpected end of stream") {
        "close the quote or bracket"
    } else if has("unknown anchor") {
        "write `&name` at the value before `*name` repeats it"
    } else {
        "check indentation, quotes and brackets here"
    }
}

/// The message without `at line 1 column 2`, since the position stands in front of every fault.
fn without_position(message: &str) -> String {
    let mut words = String::new();
    let mut rest = message;
    while let Some(found) = rest.find(" at line ") {
        words.push_str(&rest[..found]);
        let after = &rest[found + " at line ".len()..];
        let numbers = |letter: char| !(letter.is_ascii_digit() || " column".contains(letter));
        rest = &after[after.find(numbers).unwrap_or(after.len())..];
    }
    words.push_str(rest);
    words
}

fn character_at(text: &str, line: usize, column: usize) -> Option<char> {
    text.split('\n')
        .nth(line.checked_sub(1)?)?
        .chars()
        .nth(column.checked_sub(1)?)
}
