//! The table of folds, ascending by code point.

/// What a row of characters folds to, by their place in the row.
#[derive(Clone, Copy)]
pub(super) enum To {
    /// Consecutive ASCII characters.
    Run { len: u8, base: u8 },
    /// The ASCII characters of a text; a tab where one stays as it is.
    Each(&'static str),
    /// `A` to `Z`, then `a` to `z`, over and over.
    Alphabets { len: u16 },
    /// `0` to `9`, over and over.
    Digits { len: u16 },
    /// Nothing at all.
    Nothing { len: u8 },
    /// A text, for one character.
    Text(&'static str),
}

/// A row of characters.
pub(super) struct Row {
    /// The first code point.
    pub(super) first: u32,
    pub(super) to: To,
}

const fn row(first: u32, to: To) -> Row {
    Row { first, to }
}

/// From Unicode's compatibility decompositions to one ASCII character, accented Latin letters without their
/// accents, letters of other scripts that fonts draw as Latin ones, and punctuation that readers or best-fit
/// converters take for ASCII.
pub(super) const ROWS: &[Row] = &[
    row(0x0085, To::Each(" ")),
    row(0x00A0, To::Each(" \t\t\t\t\\|\t\t\ta<")),
    row(0x00AD, To::Nothing { len: 1 }),
    row(
        0x00B2,
        To::Each(
            "23'\t\t.\t1o>\t\t\t\tAAAAAA\tCEEEEIIII\tNOOOOO\tOUUUUY\t\taaaaaa\tceeeeiiii\tnooooo\touuuuy\tyAaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIi\t\tJjKk\tLlLlLl\t\tLlNnNnNn\t\t\tOoOoOo\t\tRrRrRrSsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZzZzZzs",
        ),
    ),
    row(0x0196, To::Each("l")),
    row(0x01C0, To::Each("l\t\t!")),
    row(0x0237, To::Each("j")),
    row(0x0251, To::Each("a")),
    row(0x0261, To::Each("gG\t\t\t\t\t\tiI\t\tl\t\t\t\t\t\tN")),
    row(0x0280, To::Each("R")),
    row(0x028F, To::Each("Y")),
    row(0x0299, To::Each("B\t\tH\t\tL")),
    row(0x02B0, To::Each("h\tjr\t\t\twy'\"'''\t\t\t\t<>^\t^\t'\t\t`\t\t\t\t:")),
    row(0x02DC, To::Each("~\"\t\t\tlsx")),
    row(0x034F, To::Nothing { len: 1 }),
    row(0x037E, To::Each(";")),
    row(0x0391, To::Each("AB\t\tEZH\tIK\tMN\tO\tP\t\tTY\tX")),
    row(0x03BD, To::Each("v\to")),
    row(0x03F2, To::Each("cj\t\t\t\t\tC")),
    row(0x0405, To::Each("SI\tJ\t\t\t\t\t\t\tA\tB\t\tE\t\t\t\tK\tMHO\tPCTY\tX")),
    row(0x0430, To::Each("a\t\t\t\te")),
    row(0x043E, To::Each("o\tpc\ty\tx")),
    row(0x0455, To::Each("si\tj")),
    row(0x0475, To::Each("v")),
    row(0x04AE, To::Each("Yy")),
    row(0x04BA, To::Each("hh\t\t\t\tI")),
    row(0x04CF, To::Each("l")),
    row(0x0501, To::Each("d")),
    row(0x050C, To::Each("G")),
    row(0x051A, To::Each("QqWw")),
    row(0x054D, To::Each("U\t\t\t\t\t\t\tO")),
    row(0x0570, To::Each("h\t\t\t\t\t\t\tn\t\t\t\tu\t\t\tg\t\t\to")),
    row(0x061C, To::Nothing { len: 1 }),
    row(0x066A, To::Each("%\t\t*")),
    row(0x1680, To::Each(" ")),
    row(0x180E, To::Each(" ")),
    row(0x1D00, To::Each("A\t\t\tCD\tE\t\tJK\tM\tO")),
    row(0x1D18, To::Each("P\t\tTU\t\t\tVWZ")),
    row(
        0x1D2C,
        To::Each(
            "A\tB\tDE\tGHIJKLMN\tO\tPRTUWa\t\t\tbde\t\t\tg\tkm\to\t\t\tptu\t\tv\t\t\t\t\t\tiruv",
        ),
    ),
    row(0x1D9C, To::Each("c\t\t\tf")),
    row(0x1DBB, To::Each("z")),
    row(0x1FEF, To::Each("`")),
    row(0x2000, To::Each("           ")),
    row(0x200B, To::Nothing { len: 5 }),
    row(0x2010, To::Each("------|\t''''\"\"\"\"\t\t\t\t.")),
    row(0x2025, To::Text("..")),
    row(0x2026, To::Text("...")),
    row(0x2028, To::Each("  ")),
    row(0x202A, To::Nothing { len: 5 }),
    row(0x202F, To::Each(" \t\t'\"\t\t\"\t\t<>\t\t\t\t_\t\t\t-/")),
    row(0x204E, To::Each("*")),
    row(0x205F, To::Each(" ")),
    row(0x2060, To::Nothing { len: 16 }),
    row(0x2070, To::Each("0i\t\t456789+\t=()n0123456789+\t=()\taeox\thklmnpst")),
    row(0x20A9, To::Each("\\")),
    row(
        0x2102,
        To::Each(
            "C\t\t\t\t\t\t\tgHHHh\tIILl\tN\t\t\tPQRRR\t\t\t\t\t\tZ\t\t\tZ\tK\tBC\teEF\tMo\t\t\t\ti",
        ),
    ),
    row(0x2145, To::Each("Ddeij")),
    row(0x2160, To::Each("I\t\t\tV\t\t\t\tX\t\tLCDMi\t\t\tv\t\t\t\tx\t\tlcdm")),
    row(0x2212, To::Each("-\t\t/\\*")),
    row(0x2223, To::Each("|")),
    row(0x2236, To::Each(":\t\t\t\t\t~")),
    row(0x227A, To::Each("<>")),
    row(0x22C6, To::Each("*")),
    row(0x2329, To::Each("<>")),
    row(0x2460, To::Run { len: 9, base: b'1' }),
    row(0x2474, To::Run { len: 9, base: b'1' }),
    row(0x249C, To::Run { len: 26, base: b'a' }),
    row(0x24B6, To::Run { len: 26, base: b'A' }),
    row(0x24D0, To::Run { len: 26, base: b'a' }),
    row(0x24EA, To::Each("0")),
    row(0x24F5, To::Run { len: 9, base: b'1' }),
    row(0x2500, To::Each("-")),
    row(0x2550, To::Each("=")),
    row(0x2571, To::Each("/\\")),
    row(0x266F, To::Each("#")),
    row(0x275B, To::Each("''\"\"")),
    row(0x2768, To::Each("()\t\t<>\t\t<>[]{}123456789\t123456789\t123456789")),
    row(0x27CB, To::Each("/\t\\")),
    row(0x27E6, To::Each("[]<>\t\t\t\t()")),
    row(0x29F5, To::Each("\\\t\t/")),
    row(0x2C7C, To::Each("jV")),
    row(0x3000, To::Each(" ,.\t\t\t\t\t<><>\t\t\t\t[]\t\t[]\t\t\t\t\t\t~\"\"")),
    row(0xA730, To::Each("FS")),
    row(0xA789, To::Each(":=")),
    row(0xA7F2, To::Each("CFQ")),
    row(0xFB29, To::Each("+")),
    row(0xFE00, To::Nothing { len: 16 }),
    row(0xFE10, To::Each(",\t\t:;!?")),
    row(0xFE33, To::Each("__(){}")),
    row(0xFE47, To::Each("[]\t\t\t\t___,\t.\t;:?!-(){}\t\t#&*+-<>=\t\\$%@")),
    row(0xFEFF, To::Nothing { len: 1 }),
    row(0xFF01, To::Run { len: 94, base: b'!' }),
    row(0xFF61, To::Each(".")),
    row(0xFFE5, To::Each("\\\\\t|")),
    row(0x107A5, To::Each("q")),
    row(0x1D400, To::Alphabets { len: 676 }),
    row(0x1D7CE, To::Digits { len: 50 }),
    row(0x1F110, To::Run { len: 26, base: b'A' }),
    row(0x1F12B, To::Each("CR")),
    row(0x1F130, To::Run { len: 26, base: b'A' }),
    row(0x1F150, To::Run { len: 26, base: b'A' }),
    row(0x1F170, To::Run { len: 26, base: b'A' }),
    row(0x1F1E6, To::Run { len: 26, base: b'A' }),
    row(0x1FBF0, To::Run { len: 10, base: b'0' }),
    row(0xE0000, To::Nothing { len: 128 }),
    row(0xE0100, To::Nothing { len: 240 }),
];
