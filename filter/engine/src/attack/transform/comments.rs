//! Comments of C, SQL, shells and HTML.

use super::{ByteSet, after, copy_plain};

pub(super) const REPLACED: ByteSet = ByteSet::of(b"/");
pub(super) const REMOVED: ByteSet = ByteSet::of(b"/*<-#");

/// Each `/* … */` becomes a space; one that does not end takes the rest with it. Ends without a beginning stay.
pub(super) fn replace_comments(input: &[u8], out: &mut Vec<u8>) {
    out.reserve(input.len());
    let mut rest = input;
    loop {
        rest = copy_plain(rest, out, |byte| byte == b'/');
        match rest {
            [b'/', b'*', comment @ ..] => {
                out.push(b' ');
                rest = comment_end(comment, &[b"*/"]).unwrap_or_default();
            }
            [slash, others @ ..] => {
                out.push(*slash);
                rest = others;
            }
            [] => return,
        }
    }
}

/// `/* … */` and `<!-- … -->` go, either ended by either mark, a space in place of one that does not end;
/// `--` and `#` go with all that follows.
///
/// ModSecurity takes the byte after a comment as text whatever it is, so that the second of two comments side
/// by side stays; here it goes.
pub(super) fn remove_comments(input: &[u8], out: &mut Vec<u8>) {
    out.reserve(input.len());
    let mut rest = input;
    loop {
        rest = copy_plain(rest, out, |byte| matches!(byte, b'/' | b'<' | b'-' | b'#'));
        match rest {
            [b'/', b'*', comment @ ..] | [b'<', b'!', b'-', b'-', comment @ ..] => {
                let end = comment_end(comment, &[b"*/", b"-->"]);
                if end.is_none() {
                    out.push(b' ');
                }
                rest = end.unwrap_or_default();
            }
            [] | [b'#', ..] | [b'-', b'-', ..] => return,
            [other, others @ ..] => {
                out.push(*other);
                rest = others;
            }
        }
    }
}

/// The marks that begin and end comments go: `/*`, `*/`, `<!--`, `-->`, `--`, `#`.
pub(super) fn remove_comments_char(input: &[u8], out: &mut Vec<u8>) {
    out.reserve(input.len());
    let mut rest = input;
    loop {
        rest = copy_plain(rest, out, |byte| REMOVED.contains(byte));
        rest = match rest {
            [b'<', b'!', b'-', b'-', others @ ..]
            | [b'-', b'-', b'>', others @ ..]
            | [b'/', b'*', others @ ..]
            | [b'*', b'/', others @ ..]
            | [b'-', b'-', others @ ..]
            | [b'#', others @ ..] => others,
            [other, others @ ..] => {
                out.push(*other);
                others
            }
            [] => return,
        };
    }
}

/// What follows the first of the marks; `None` where none comes.
fn comment_end<'i>(comment: &'i [u8], marks: &[&[u8]]) -> Option<&'i [u8]> {
    (0..comment.len()).find_map(|at| {
        let rest = after(comment, at);
        marks.iter().find_map(|mark| rest.strip_prefix(*mark))
    })
}
