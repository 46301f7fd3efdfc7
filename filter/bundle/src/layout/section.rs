//! The sections: one array of records each, or raw bytes.

/// Declares the sections once, for the table, the reader and the writer.
macro_rules! sections {
    ( $( $(#[$meta:meta])* $variant:ident = $id:literal, $field:ident : $ty:ty, $version:literal; )+ ) => {
        /// Identifies a section. Ids are never reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum SectionId { $( $(#[$meta])* $variant = $id ),+ }

        impl SectionId {
            /// Every section that this crate knows, ids ascending.
            pub const ALL: &'static [SectionId] = &[ $( SectionId::$variant ),+ ];

            /// The section that an id stands for.
            pub const fn from_id(id: u16) -> Option<Self> {
                match id { $( $id => Some(SectionId::$variant), )+ _ => None }
            }

            /// The name used in documents and tools.
            pub const fn name(self) -> &'static str {
                match self { $( SectionId::$variant => stringify!($field), )+ }
            }

            /// The section's record type as written in the source; `u8` for raw bytes.
            pub const fn record(self) -> &'static str {
                match self { $( SectionId::$variant => stringify!($ty), )+ }
            }

            /// Bytes of one record.
            pub const fn record_len(self) -> usize {
                match self { $( SectionId::$variant => core::mem::size_of::<$ty>(), )+ }
            }

            /// The version of the section's layout that this crate writes and reads.
            pub const fn version(self) -> u16 {
                match self { $( SectionId::$variant => $version, )+ }
            }
        }

        /// A verified bundle's sections, read in place.
        #[derive(Clone, Copy, Debug, Default)]
        pub struct View<'b> {
            $( $(#[$meta])* pub $field: &'b [$ty], )+
            /// Equal for views of equal sections: by it what was derived from a bundle is told from that of another.
            pub identity: u64,
        }

        impl<'b> View<'b> {
            /// Fills a view with the runs of records that make the sections, by section id.
            #[inline]
            pub(crate) fn from_runs(bytes: &'b [u8], runs: &[Run; SECTION_SLOTS], identity: u64) -> View<'b> {
                View {
                    $( $field: runs.get(SectionId::$variant as usize)
                        .map_or(&[], |run| run.records(bytes)), )+
                    identity,
                }
            }
        }

        /// A bundle under construction: every section's records.
        #[cfg(feature = "writer")]
        #[derive(Clone, Debug, Default)]
        pub struct Sections { $( $(#[$meta])* pub $field: Vec<$ty> ),+ }

        #[cfg(feature = "writer")]
        impl Sections {
            /// The records as a reader sees them.
            pub fn view(&self) -> View<'_> {
                let automata = [
                    zerocopy::IntoBytes::as_bytes(self.nfas.as_slice()),
                    zerocopy::IntoBytes::as_bytes(self.nfa_states.as_slice()),
                    zerocopy::IntoBytes::as_bytes(self.byte_classes.as_slice()),
                    zerocopy::IntoBytes::as_bytes(self.byte_sets.as_slice()),
                ];
                // FNV-1a over what anything is derived from.
                let bytes = automata.into_iter().flatten();
                let identity = bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
                    (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3)
                });
                View { $( $field: &self.$field, )+ identity }
            }

            /// The bytes of each section, ids ascending.
            pub fn as_bytes(&self) -> Vec<(SectionId, &[u8])> {
                vec![ $( (SectionId::$variant, zerocopy::IntoBytes::as_bytes(self.$field.as_slice())) ),+ ]
            }
        }
    };
}

/// One more than the highest section id.
pub(crate) const SECTION_SLOTS: usize = 128;

/// Where the records of a section lie in a bundle.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Run {
    /// Bytes from the start of the bundle.
    pub start: usize,
    /// How many records.
    pub count: usize,
}

impl Run {
    /// The records, which are found without dividing lengths. A run that the bundle does not hold reads as empty
    /// (the reader has refused such a bundle before).
    #[inline(always)]
    fn records<T>(self, bytes: &[u8]) -> &[T]
    where
        T: zerocopy::FromBytes + zerocopy::Immutable + zerocopy::KnownLayout + zerocopy::Unaligned,
    {
        let end = self.start.wrapping_add(self.count.wrapping_mul(size_of::<T>()));
        let found = bytes.get(self.start..end);
        let records =
            |bytes| <[T] as zerocopy::FromBytes>::ref_from_bytes_with_elems(bytes, self.count).ok();
        found.and_then(records).unwrap_or_default()
    }
}

use super::*;

sections! {
    /// Exactly one record: what holds for the whole bundle.
    Policy = 1, policy: Policy, 1;
    /// UTF-8, named by [`Text`].
    Strings = 2, strings: u8, 1;
    /// The source documents.
    Documents = 3, documents: Document, 1;
    /// Places in the source documents.
    Origins = 4, origins: Origin, 1;
    /// Paths that pass unjudged.
    Probes = 5, probes: Probe, 1;
    /// JSON pointers of places in the documents, parents first.
    Pointers = 6, pointers: Pointer, 1;
    /// The APIs.
    Apis = 10, apis: Api, 1;
    /// Hosts with a router of their own, ascending by name.
    Hosts = 11, hosts: Host, 1;
    /// The router's nodes.
    Nodes = 12, nodes: Node, 1;
    /// Literal segments that lead on from a node, ascending by bytes within a node.
    Edges = 13, edges: Edge, 1;
    /// Partly variable segments that lead on from a node, in order of precedence.
    Partials = 14, partials: Partial, 1;
    /// The literals of partial segments.
    PartialLiterals = 15, partial_literals: Text, 1;
    /// The operations, those of one path template together.
    Operations = 16, operations: Operation, 1;
    /// The parameters, those of one operation together.
    Parameters = 17, parameters: Parameter, 1;
    /// The fields of text values that are objects, ascending by name within a value.
    TextFields = 18, text_fields: TextField, 1;
    /// The media types of bodies, those of one operation together.
    MediaTypes = 19, media_types: MediaType, 1;
    /// What the text of parameters and forms says.
    TextValues = 20, text_values: TextValue, 1;
    /// The security schemes, those of one operation together.
    SecuritySchemes = 25, security_schemes: SecurityScheme, 1;
    /// The alternatives of `security`, those of one operation together.
    SecurityRequirements = 26, security_requirements: SecurityRequirement, 1;
    /// What credentials operations ask for, ascending by operation.
    Securities = 27, securities: Security, 1;
    /// The parts of multipart bodies, those of one media type together.
    BodyParts = 28, body_parts: BodyPart, 1;
    /// Sets of bytes by place, for short texts.
    Stencils = 29, stencils: Stencil, 1;
    /// The schema programs.
    Schemas = 30, schemas: Schema, 1;
    /// Checks on strings.
    StringChecks = 31, string_checks: StringCheck, 1;
    /// Checks on numbers.
    NumberChecks = 32, number_checks: NumberCheck, 1;
    /// Checks on arrays.
    ArrayChecks = 33, array_checks: ArrayCheck, 1;
    /// Checks on objects.
    ObjectChecks = 34, object_checks: ObjectCheck, 1;
    /// The properties of objects, those of one object together.
    Properties = 35, properties: Property, 1;
    /// Hash tables over properties and literal strings.
    Slots = 36, slots: Index, 1;
    /// Lists of indexes: prefix items, patterns, classes, branches.
    Lists = 37, lists: Index, 1;
    /// `enum` and `const`.
    LiteralSets = 38, literal_sets: LiteralSet, 1;
    /// The strings of literal sets.
    LiteralStrings = 39, literal_strings: LiteralString, 1;
    /// Exact numbers.
    Decimals = 40, decimals: Decimal, 1;
    /// Schemas that apply to the same value.
    Compositions = 41, compositions: Composition, 1;
    /// The tag values of tagged compositions.
    Tags = 42, tags: Tag, 1;
    /// Schemas chosen by the type of a value.
    TypeSwitches = 43, type_switches: TypeSwitch, 1;
    /// Properties whose names match a pattern.
    PatternProperties = 44, pattern_properties: PatternProperty, 1;
    /// Schemas or properties that the presence of a property requires.
    Dependents = 45, dependents: Dependent, 1;
    /// Automata for `pattern`.
    Automata = 46, automata: Automaton, 1;
    /// The tables of the automata.
    Transitions = 47, transitions: zerocopy::little_endian::U16, 1;
    /// Byte classes of the automata, 256 bytes each.
    ByteClasses = 48, byte_classes: ByteClassMap, 1;
    /// Sets of characters.
    CharClasses = 49, char_classes: CharClass, 1;
    /// The characters above U+007F of character classes.
    CharRanges = 50, char_ranges: CharRange, 1;
    /// Where a schema's keywords stand, ascending by schema and keyword.
    Traces = 51, traces: Trace, 1;
    /// How the elements of XML bodies are read.
    XmlElements = 52, xml_elements: XmlElement, 1;
    /// The parts of XML elements that stand for properties or items.
    XmlFields = 53, xml_fields: XmlField, 1;
    /// Properties of characters in internationalised host names, ascending; empty where no format needs them.
    Idn = 54, idn: IdnRange, 1;
    /// `unevaluatedProperties` and `unevaluatedItems` that depend on how branches fare.
    Unevaluated = 55, unevaluated: Unevaluated, 1;
    /// What evaluates members, those of one unevaluated record together.
    Evaluators = 56, evaluators: Evaluator, 1;
    /// When evaluators count.
    Conditions = 57, conditions: Condition, 1;
    /// JSON within strings.
    Contents = 58, contents: StringContent, 1;
    /// Automata of rules whose tables would be too large.
    Nfas = 60, nfas: Nfa, 1;
    /// The states of those automata, those of one together.
    NfaStates = 61, nfa_states: NfaState, 1;
    /// What holds for attack rules: none or one record.
    AttackSettings = 62, attacks: Attacks, 1;
    /// The attack rules.
    Rules = 63, rules: Rule, 1;
    /// The matchers, those of one rule together.
    Matchers = 64, matchers: Matcher, 1;
    /// Values by target and name, those of one matcher together.
    Selectors = 65, selectors: Selector, 1;
    /// Transformations, each after the one that it follows on.
    Steps = 66, steps: Step, 1;
    /// The kinds of each byte: 256 records where there are rules.
    ByteKindTable = 67, byte_kinds: ByteKinds, 1;
    /// The literals, by bucket.
    Literals = 68, literals: Literal, 1;
    /// The bytes of the literals.
    LiteralBytes = 69, literal_bytes: u8, 1;
    /// Where each bucket of literals begins, and one more.
    Buckets = 70, buckets: Index, 1;
    /// Where grams can be, a bit each: pairs of bytes and hashes of three bytes (`GRAM_MAP` bytes each), then three
    /// classes of bytes, in texts with marks and in plain ones (`CLASS_MAP` bytes each).
    GramFilter = 71, gram_filter: u8, 1;
    /// The matchers that use a literal: indexes into matchers.
    LiteralUses = 72, literal_uses: zerocopy::little_endian::U16, 1;
    /// Sets of matchers: those of the targets first, then all others.
    MatcherSets = 73, matcher_sets: zerocopy::little_endian::U64, 1;
    /// What the policy says of rules, by operation; empty where it says the same of all.
    OperationRules = 74, operation_rules: OperationRules, 1;
    /// The matchers that can match a value of a schema: a set, by schema; empty where all can.
    SchemaRules = 75, schema_rules: zerocopy::little_endian::U16, 1;
    /// The matchers that can match the text of a parameter: a set, by parameter; empty where all can.
    ParameterRules = 76, parameter_rules: zerocopy::little_endian::U16, 1;
    /// Hits that do not count.
    Exceptions = 77, exceptions: Exception, 1;
    /// Networks, those of one matcher together.
    Networks = 78, networks: Network, 1;
    /// Sets of bytes.
    ByteSets = 79, byte_sets: ByteSet, 1;
    /// What is an attack in a JSON Web Token.
    TokenChecks = 80, token_checks: TokenCheck, 1;
    /// The bounds of GraphQL documents.
    GraphQlChecks = 81, graphql_checks: GraphQlCheck, 1;
    /// What narrows the rules of values, each once, ascending by kind and index. For tools: the sets that count
    /// are those of schema_rules and parameter_rules.
    Narrowings = 90, narrowings: Narrowing, 1;
    /// The matchers that can match the text of a form's field: a set, by record of text_fields; empty where all can.
    FieldRules = 91, field_rules: zerocopy::little_endian::U16, 1;
    /// What hits on some values do, in the policy's order.
    FieldModes = 92, field_modes: FieldMode, 1;
    /// Matchers that follow on others.
    Links = 97, links: Link, 1;
    /// The texts that they are asked of, and that values are compared with.
    Pieces = 98, pieces: Piece, 1;
    /// Expressions whose groups are asked for.
    Captures = 99, captures: Capture, 1;
    /// Their instructions, those of one expression together.
    CaptureSteps = 100, capture_steps: CaptureStep, 1;
    /// Hits that do not count in messages that a rule fires on.
    Removals = 101, removals: Removal, 1;
    /// Who is counted.
    Callers = 110, callers: Caller, 1;
    /// Ways to name callers, those of one caller together.
    CallerSources = 111, caller_sources: CallerSource, 1;
    /// The limits.
    Limits = 112, limits: Limit, 1;
    /// How much limits allow, the rates of one limit together.
    LimitRates = 113, limit_rates: LimitRate, 1;
    /// The limits that hold, by operation, then those for requests of none; empty where there are no limits.
    LimitLists = 114, limit_lists: LimitList, 1;
    /// Limits that hold for operations.
    LimitUses = 115, limit_uses: LimitUse, 1;
    /// The table of counts: one record where there are limits.
    LimitTables = 116, limit_tables: LimitTable, 1;
    /// The service that limits are delegated to: one record where any is.
    LimitServices = 117, limit_services: LimitService, 1;
}

// A section without a slot would be read as empty.
const _: () = assert!(match SectionId::ALL.last() {
    Some(last) => (*last as usize) < SECTION_SLOTS,
    None => true,
});
