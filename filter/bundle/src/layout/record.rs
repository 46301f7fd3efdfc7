//! The macro that declares records, so that their documentation can be checked against them.

/// One field of a record: its name, type and offset in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's name.
    pub name: &'static str,
    /// The field's type as written in the source.
    pub ty: &'static str,
    /// Bytes from the start of the record.
    pub offset: usize,
}

/// The shape of a record, for documents and tools.
pub trait RecordLayout {
    /// The record's name.
    const NAME: &'static str;
    /// Bytes of one record.
    const SIZE: usize;
    /// The fields in order.
    const FIELDS: &'static [Field];
}

/// Declares a record: an align-1, padding-free struct that reads in place.
macro_rules! record {
    (
        $(#[$meta:meta])*
        pub struct $name:ident { $( $(#[$fmeta:meta])* $field:ident : $ty:ty ),+ $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::KnownLayout,
            zerocopy::Immutable, zerocopy::Unaligned,
        )]
        #[repr(C)]
        pub struct $name { $( $(#[$fmeta])* pub $field: $ty ),+ }

        impl $crate::layout::RecordLayout for $name {
            const NAME: &'static str = stringify!($name);
            const SIZE: usize = core::mem::size_of::<$name>();
            const FIELDS: &'static [$crate::layout::Field] = &[ $( $crate::layout::Field {
                name: stringify!($field),
                ty: stringify!($ty),
                offset: core::mem::offset_of!($name, $field),
            } ),+ ];
        }
    };
}

/// Declares a set of codes: a byte in the bundle, an enum in the source.
macro_rules! codes {
    (
        $(#[$meta:meta])*
        pub enum $name:ident { $( $(#[$vmeta:meta])* $variant:ident = $value:literal ),+ $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "a code whose name is the field's own needs no sentence")]
        pub enum $name { $( $(#[$vmeta])* $variant = $value ),+ }

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
    };
}

pub(super) use {codes, record};
