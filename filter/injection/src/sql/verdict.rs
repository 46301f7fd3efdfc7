//! Whether a folded value is an attack: its shape is known from attacks, and it is none of the few
//! values that have such a shape and are harmless.

use super::fold::Folded;
use super::shapes;
use super::token::{Kind, Token};
use crate::bytes::{begins_with, find_all};

/// Whether a value that folds to these tokens is an attack.
pub fn is_attack(value: &[u8], folded: &Folded<'_>) -> bool {
    let tokens = folded.tokens();
    if tokens.iter().any(|token| token.kind == Kind::Evil) {
        return true;
    }
    if tokens.is_empty() || !shapes::is_known(tokens.iter().map(|token| token.kind)) {
        return false;
    }
    // SQL Server's audit log leaves out statements that hold this word.
    if let [_, .., last] = tokens
        && last.kind == Kind::Comment
        && find_all(value, b"sp_password").is_some()
    {
        return true;
    }
    match tokens {
        [a, b] => is_attack_of_two(value, a, b, folded.read),
        [a, b, c] => is_attack_of_three(a, b, c, folded.read),
        _ => true,
    }
}

fn is_attack_of_two(value: &[u8], a: &Token<'_>, b: &Token<'_>, read: usize) -> bool {
    match (a.kind, b.kind) {
        // Where folding or comments took part it is more than a number and a word.
        (_, Kind::Union) => read != 2,
        _ if b.text.first() == Some(&b'#') => false,
        (Kind::Bareword, Kind::Comment) if b.text.first() != Some(&b'/') => false,
        (Kind::Number, Kind::Comment) => {
            b.text.first() == Some(&b'/') || read > 2 || ends_number(value, a.text.len())
        }
        // Many write `--` in plain text, few end with it.
        _ => b.text.len() <= 2 || b.text.first() != Some(&b'-'),
    }
}

/// Whether a number of this length at the start of the value ends there. Values like `1234-ABCDEF--` begin
/// with none. libinjection takes bytes above 0x7F, which are negative to it, for white space.
fn ends_number(value: &[u8], length: usize) -> bool {
    match crate::bytes::after(value, length) {
        [] | [0..=32 | 128.., ..] => true,
        rest => rest.starts_with(b"/*") || rest.starts_with(b"--"),
    }
}

fn is_attack_of_three(a: &Token<'_>, b: &Token<'_>, c: &Token<'_>, read: usize) -> bool {
    use Kind::{Bareword, Keyword, Logic, Number, Operator, String, Variable};
    match (a.kind, b.kind, c.kind) {
        // `…' + '…`: within quotes, out of them and in again.
        (String, Operator | Logic, String) => a.open == 0 && c.close == 0 && a.close == c.open,
        (String, Logic, Bareword)
        | (Bareword, Logic, Number)
        | (Number, Logic, Number | Variable | String) => read != 3,
        // Of keywords in the middle, INTO OUTFILE and INTO DUMPFILE.
        (_, Keyword, _) => b.text.len() >= 5 && begins_with(b.text, b"INTO"),
        _ => true,
    }
}
