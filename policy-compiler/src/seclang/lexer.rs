//! From a file's text to directives as lists of words, each with its place.
//!
//! The rules are those of Apache's configuration, which ModSecurity and Coraza share: a backslash at the end of a
//! line joins the next one to it, `#` at the beginning of a line makes it a comment, and a word stands between
//! quotes where it holds spaces. Within quotes `\` takes its own meaning from the quote only.

use super::syntax::At;

/// Bytes of one directive, at most, all its lines together.
pub const MAX_DIRECTIVE: usize = 256 << 10;

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Where.
    pub at: At,
    /// What, in lower case.
    pub title: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Wrong {
    pub(super) fn new(at: At, title: impl Into<String>) -> Wrong {
        Wrong { at, title: title.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Wrong {
        self.help = Some(help.into());
        self
    }
}

/// A word, without its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// What it says.
    pub text: String,
    /// Whether it stood between quotes.
    pub quoted: bool,
    /// By beginning of a line in the text: offset, and the place of it.
    places: Vec<(usize, At)>,
}

impl Word {
    /// The place of a byte of the text.
    pub fn at(&self, offset: usize) -> At {
        let after = self.places.partition_point(|(from, _)| *from <= offset);
        let Some((from, at)) = self.places.get(after.saturating_sub(1)) else {
            return At::default();
        };
        let before = self.text.get(*from..offset).map_or(0, |text| text.chars().count());
        At { line: at.line, column: at.column + before as u32 }
    }

    /// A word that is a part of another, all of it at one place.
    pub(super) fn placed(text: &str, at: At) -> Word {
        Word { text: text.to_owned(), quoted: true, places: vec![(0, at)] }
    }
}

/// The directives of a text, each as its words; of those that cannot be read, what is wrong.
pub fn directives(text: &str) -> impl Iterator<Item = Result<Vec<Word>, Wrong>> {
    let mut lines = Lines { rest: text, line: 0 };
    std::iter::from_fn(move || {
        loop {
            match lines.next_logical()? {
                Ok(pieces) if is_blank(&pieces) => {}
                Ok(pieces) => return Some(words(&pieces)),
                Err(wrong) => return Some(Err(wrong)),
            }
        }
    })
}

/// A line without what ends it, and its number.
type Piece<'t> = (u32, &'t str);

struct Lines<'t> {
    rest: &'t str,
    line: u32,
}

impl<'t> Lines<'t> {
    fn next_physical(&mut self) -> Option<Piece<'t>> {
        if self.rest.is_empty() {
            return None;
        }
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        self.line += 1;
        Some((self.line, line.strip_suffix('\r').unwrap_or(line)))
    }

    /// The lines of a directive, without the backslashes that join them.
    fn next_logical(&mut self) -> Option<Result<Vec<Piece<'t>>, Wrong>> {
        let mut pieces = Vec::new();
        let mut size = 0;
        let mut next = self.next_physical()?;
        let is_comment = is_comment(next.1);
        while let Some(joined) = next.1.strip_suffix('\\') {
            pieces.push((next.0, joined));
            size += joined.len();
            let Some(following) = self.next_physical() else {
                let at = At { line: next.0, column: next.1.chars().count() as u32 };
                return Some(Err(Wrong::new(at, "the last line ends with a backslash")));
            };
            if is_comment && !self::is_comment(following.1) && !following.1.trim().is_empty() {
                let title = "a comment that ends with a backslash takes this line too, or does not";
                let wrong = Wrong::new(At { line: following.0, column: 1 }, title)
                    .help("readers disagree: remove the backslash, or comment the line out");
                return Some(Err(wrong));
            }
            next = following;
        }
        pieces.push(next);
        if size + next.1.len() > MAX_DIRECTIVE {
            let at = At { line: pieces[0].0, column: 1 };
            let title = format!("the directive has more than {MAX_DIRECTIVE} bytes");
            return Some(Err(Wrong::new(at, title)));
        }
        Some(Ok(pieces))
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

fn is_blank(pieces: &[Piece<'_>]) -> bool {
    is_comment(pieces[0].1) || pieces.iter().all(|(_, text)| text.trim().is_empty())
}

/// Cuts the lines of a directive into words.
fn words(pieces: &[Piece<'_>]) -> Result<Vec<Word>, Wrong> {
    let mut words = Vec::new();
    let mut open: Option<(Word, Option<char>)> = None;
    let mut escaped = false;
    for (line, text) in pieces {
        let mut column = 0;
        let mut broken = true;
        for letter in text.chars() {
            column += 1;
            let at = At { line: *line, column };
            let Some((word, quote)) = &mut open else {
                if letter.is_whitespace() {
                    continue;
                }
                let quote = matches!(letter, '"' | '\'').then_some(letter);
                let mut word =
                    Word { text: String::new(), quoted: quote.is_some(), places: Vec::new() };
                let first = At { line: *line, column: column + u32::from(quote.is_some()) };
                word.places.push((0, first));
                if quote.is_none() {
                    word.text.push(letter);
                }
                open = Some((word, quote));
                broken = false;
                continue;
            };
            if std::mem::take(&mut broken) {
                word.places.push((word.text.len(), at));
            }
            let ends = match quote {
                Some(quote) => letter == *quote && !escaped,
                None => letter.is_whitespace(),
            };
            if ends {
                words.extend(open.take().map(|(word, _)| word));
                escaped = false;
                continue;
            }
            if Some(letter) == *quote && escaped {
                // The backslash served the quote.
                word.text.pop();
                word.places.push((word.text.len(), at));
            }
            escaped = letter == '\\' && !escaped;
            word.text.push(letter);
        }
        // An unquoted word goes on in the next line, as it does for Apache.
    }
    match open {
        Some((word, Some(quote))) => {
            let at = word.at(0);
            Err(Wrong::new(at, format!("a word begins with `{quote}` and has no other")))
        }
        Some((word, None)) => {
            words.push(word);
            Ok(words)
        }
        None => Ok(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<Vec<String>> {
        let read = |words: Result<Vec<Word>, Wrong>| {
            words.unwrap().into_iter().map(|word| word.text).collect()
        };
        directives(text).map(read).collect()
    }

    #[test]
    fn words_and_quotes() {
        let read =
            texts("SecRule ARGS \"@rx a \\\"b\\\" \\d\" 'id:1, x'\n# no\n  \nSecMarker END\r\n");
        assert_eq!(
            read,
            [vec!["SecRule", "ARGS", "@rx a \"b\" \\d", "id:1, x"], vec!["SecMarker", "END"]]
        );
    }

    #[test]
    fn lines_join_and_keep_their_places() {
        let text = "SecAction \\\n    \"id:1,\\\n    phase:2\"\n";
        let words = directives(text).next().unwrap().unwrap();
        assert_eq!(words[1].text, "id:1,    phase:2");
        let at = words[1].at(words[1].text.find("phase").unwrap());
        assert_eq!((at.line, at.column), (3, 5));
        assert_eq!(words[1].at(0), At { line: 2, column: 6 });
    }

    #[test]
    fn places_after_an_escaped_quote() {
        let words = directives("A \"x\\\"yz\"").next().unwrap().unwrap();
        assert_eq!(words[1].text, "x\"yz");
        assert_eq!(words[1].at(2), At { line: 1, column: 7 });
    }

    #[test]
    fn comments_do_not_swallow_lines() {
        assert_eq!(texts("# SecRule A \\\n#  \"id:1\"\nSecMarker X"), [["SecMarker", "X"]]);
        let wrong = directives("# note \\\nSecMarker X\n").next().unwrap().unwrap_err();
        assert_eq!(wrong.at, At { line: 2, column: 1 });
    }

    #[test]
    fn what_is_open_at_the_end_is_wrong() {
        for text in ["SecRule \"ARGS", "SecAction 'id:1", "SecAction \\", "A \"b\\\"\n"] {
            assert!(directives(text).next().unwrap().is_err(), "{text}");
        }
        let long = format!("SecMarker {}", "x".repeat(MAX_DIRECTIVE));
        assert!(directives(&long).next().unwrap().is_err());
    }
}
