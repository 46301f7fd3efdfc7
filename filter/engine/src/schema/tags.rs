//! Tags: properties whose value chooses between the branches of a union, or speaks for one of them.

use super::branches::{compositions, keyword, kind, looks_for_tag, only_tagged, tags};
use super::check::{self, Value, bytes};
use super::core::{Core, Stop};
use super::failure::Failure;
use super::frame::{Container, Frame};
use super::object;
use super::threads::{Choice, Tag, Thread};
use super::token::find_member;
use portcullis_bundle::layout::{
    Composition, CompositionKind, Keyword, NONE, Property, SCHEMA_ANY, View,
};
use portcullis_bundle::name_hash;

/// Bytes of a look ahead that cost a step.
const LOOKED_AT: usize = 64;

impl Core {
    /// Decides by the tag of an object which schema applies; if the tag is not near, opens the object with
    /// threads.
    pub fn open_tagged(
        &mut self,
        view: &View<'_>,
        parent: &Frame,
        frame: &mut Frame,
        input: &[u8],
        last: bool,
    ) -> Result<(), Stop> {
        self.step(1)?;
        let schema = view.schemas.get(frame.schema as usize);
        if let Some(composition) = schema.and_then(|schema| only_tagged(view, schema)) {
            let mut passed = 0;
            let found = find_member(input, bytes(view, composition.tag), last, &mut passed)?;
            self.step(passed / LOOKED_AT)?;
            if let Some(found) = found {
                match object::tagged(view, composition, found.value) {
                    Some(branch) => return object::open(self, view, parent, branch, frame),
                    None if found.first => {
                        let value = Value::String(found.value, false);
                        let of = frame.schema;
                        let failure = self.unknown_tag(view, composition, of, Some(&value));
                        return Err(Stop::Failed(self.at_tag(view, composition, failure)));
                    }
                    // What stands before it may be wrong, too, and is to be named first.
                    None => {}
                }
            }
        }
        let want = frame.schema;
        self.open_threads(view, parent, want, Container::Object, frame)
    }

    /// Notes the compositions of a thread that the member of this name decides.
    pub fn note_tags(&mut self, view: &View<'_>, index: usize, thread: &Thread, name: &[u8]) {
        let Some(schema) = view.schemas.get(thread.schema as usize) else { return };
        for (place, composition) in compositions(view, schema) {
            if looks_for_tag(composition) && bytes(view, composition.tag) == name {
                self.threads.pending_tags.push((index as u32, place));
            }
        }
    }

    /// Lets the value of a tag choose; `None` for a value that is no scalar.
    pub fn choose(
        &mut self,
        view: &View<'_>,
        frame: &Frame,
        value: Option<&Value<'_>>,
    ) -> Result<(), Stop> {
        while let Some((thread, place)) = self.threads.pending_tags.pop() {
            let Some(composition) = view.compositions.get(place as usize) else { continue };
            let chosen = match value {
                Some(Value::String(text, _)) => object::tagged(view, composition, text),
                _ => None,
            };
            let index = thread as usize;
            let decides = kind(composition) == Some(CompositionKind::Tagged);
            let (must, of) =
                self.threads.list.get(index).map_or((false, NONE), |t| (t.must, t.schema));
            let Some(chosen) = chosen else {
                if decides {
                    let failure = self.unknown_tag(view, composition, of, value);
                    self.threads.fail_below(frame, index, failure, 0)?;
                } else {
                    let tag = Tag::Unknown(frame.member);
                    self.threads.choices.push(Choice { thread, composition: place, tag });
                }
                continue;
            };
            if !decides && chosen == SCHEMA_ANY {
                // Several branches know it.
                continue;
            }
            let tag = Tag::Chose(chosen);
            self.threads.choices.push(Choice { thread, composition: place, tag });
            if !decides {
                continue;
            }
            let failure = self.failure(keyword(composition), of);
            let first = frame.threads as usize;
            for tag in tags(view, composition) {
                self.step(1)?;
                let Some(thread) = self.threads.find(first, tag.schema.get()) else { continue };
                if thread.schema != chosen && thread.references == 1 {
                    // Nobody else asks: it need not be judged further.
                    thread.failure.get_or_insert(failure);
                } else if thread.schema == chosen && must {
                    thread.must = true;
                    if let Some(failure) = thread.failure {
                        return Err(Stop::HadFailed(failure));
                    }
                }
            }
        }
        Ok(())
    }

    /// Why a tag's value is wrong: where the keyword of the branches says which there are, the first branch tells.
    #[cold]
    #[inline(never)]
    fn unknown_tag(
        &self,
        view: &View<'_>,
        composition: &Composition,
        of: u32,
        value: Option<&Value<'_>>,
    ) -> Failure {
        let union = keyword(composition);
        let property = tag_property(view, composition).filter(|_| union != Keyword::Discriminator);
        let refused = property.and_then(|(_, property)| {
            let index = property.schema.get();
            let schema = view.schemas.get(index as usize)?;
            let judged = match value {
                Some(value) => check::scalar(view, schema, value),
                None => Err(Keyword::Type),
            };
            judged.err().map(|keyword| (keyword, index))
        });
        let (keyword, schema) = refused.unwrap_or((union, of));
        self.failure(keyword, schema)
    }

    /// A failure of the tag of an object that has only been opened.
    fn at_tag(&mut self, view: &View<'_>, composition: &Composition, failure: Failure) -> Failure {
        let member = tag_property(view, composition).map_or(NONE, |(place, _)| place);
        let object = Frame { container: Container::Object, member, ..Frame::default() };
        self.threads.ways.above(&object, failure)
    }
}

/// The property that is a union's tag, as the first branch declares it: its index into properties, and itself.
fn tag_property<'b>(view: &View<'b>, composition: &Composition) -> Option<(u32, &'b Property)> {
    let schema = view.schemas.get(tags(view, composition).first()?.schema.get() as usize)?;
    let check = view.object_checks.get(schema.object.get() as usize)?;
    let name = bytes(view, composition.tag);
    let index = object::find(view, check, name, name_hash(name))?;
    let place = check.properties.get().wrapping_add(index);
    Some((place, view.properties.get(place as usize)?))
}
