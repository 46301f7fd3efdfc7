//! The macros that declare records and codes. What they declare can be listed, sentence by sentence,
//! so that FORMAT.md is written from the source and cannot drift from it.

/// One field of a record: its name, type, offset in bytes and meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's name.
    pub name: &'static str,
    /// The field's type as written in the source.
    pub ty: &'static str,
    /// Bytes from the start of the record.
    pub offset: usize,
    /// What it means.
    pub doc: &'static str,
}

/// The shape of a record, for documents and tools.
pub trait RecordLayout {
    /// The record's name.
    const NAME: &'static str;
    /// What the record is.
    const DOC: &'static str;
    /// Bytes of one record.
    const SIZE: usize;
    /// The fields in order.
    const FIELDS: &'static [Field];
}

/// A set of codes, for documents and tools.
pub trait CodeLayout {
    /// The set's name.
    const NAME: &'static str;
    /// What the codes are for.
    const DOC: &'static str;
    /// Code, name and meaning of each.
    const CODES: &'static [(u8, &'static str, &'static str)];
}

/// Declares a record: an align-1, padding-free struct that reads in place.
macro_rules! record {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident { $( $(#[doc = $fdoc:literal])* $field:ident : $ty:ty ),+ $(,)? }
    ) => {
        $(#[doc = $doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::KnownLayout,
            zerocopy::Immutable, zerocopy::Unaligned,
        )]
        #[repr(C)]
        pub struct $name { $( $(#[doc = $fdoc])* pub $field: $ty ),+ }

        impl $crate::layout::RecordLayout for $name {
            const NAME: &'static str = stringify!($name);
            const DOC: &'static str = concat!($($doc),*);
            const SIZE: usize = core::mem::size_of::<$name>();
            const FIELDS: &'static [$crate::layout::Field] = &[ $( $crate::layout::Field {
                name: stringify!($field),
                ty: stringify!($ty),
                offset: core::mem::offset_of!($name, $field),
                doc: concat!($($fdoc),*),
            } ),+ ];
        }
    };
}

/// Declares a set of codes: a byte in the bundle, an enum in the source.
macro_rules! codes {
    (
        $(#[doc = $doc:literal])*
        pub enum $name:ident { $( $(#[doc = $vdoc:literal])* $variant:ident = $value:literal ),+ $(,)? }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "a code whose name is the field's own needs no sentence")]
        pub enum $name { $( $(#[doc = $vdoc])* $variant = $value ),+ }

        impl $name {
            /// Every code, in order.
            pub const ALL: &'static [$name] = &[ $( $name::$variant ),+ ];

            /// The code that a byte stands for; `None` for a byte that no code has.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $( $value => Some($name::$variant), )+ _ => None }
            }

            /// The byte that stands for this code.
            pub const fn code(self) -> u8 { self as u8 }
        }

        impl $crate::layout::CodeLayout for $name {
            const NAME: &'static str = stringify!($name);
            const DOC: &'static str = concat!($($doc),*);
            const CODES: &'static [(u8, &'static str, &'static str)] =
                &[ $( ($value, stringify!($variant), concat!($($vdoc),*)) ),+ ];
        }
    };
}

pub(super) use {codes, record};
