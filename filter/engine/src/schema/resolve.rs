//! The end of a value that threads have judged: how each of them fared.

use super::array;
use super::branches::{Start, compositions, keyword, kind, type_switch};
use super::check::{Value, list};
use super::core::{Core, Stop};
use super::failure::Failure;
use super::fault::TAG_MISSING;
use super::frame::Frame;
use super::object;
use super::threads::{Tag, Thread};
use portcullis_bundle::layout::{CompositionKind, Keyword, NONE, Schema, View};

impl Core {
    /// Settles every thread of a value that has ended, branches first.
    pub fn resolve(
        &mut self,
        view: &View<'_>,
        first: usize,
        start: Start<'_>,
        frame: &Frame,
    ) -> Result<(), Stop> {
        for index in first..self.threads.list.len() {
            self.step(1)?;
            let Some(thread) = self.threads.list.get(index).copied() else { continue };
            let Some(schema) = view.schemas.get(thread.schema as usize) else { continue };
            if thread.failure.is_some() {
                continue;
            }
            let failure = match self.at_end(view, first, &thread, start, frame) {
                Err(keyword) => {
                    let as_if = as_if(&thread, frame);
                    let member = match keyword {
                        Keyword::Required => object::missing(self, view, &as_if),
                        _ => 0,
                    };
                    Some(self.failure(keyword, thread.schema).of(member))
                }
                Ok(Some(failure)) => Some(failure),
                Ok(None) => self.composed(view, first, index, schema, thread.schema, start)?,
            };
            let failure = match failure {
                None => self.left_over(view, first, index, &thread, start)?,
                failed => failed,
            };
            if let Some(failure) = failure {
                self.threads.fail(index, failure)?;
            }
        }
        Ok(())
    }

    /// What only the end of a container tells of one thread, compositions aside.
    fn at_end(
        &self,
        view: &View<'_>,
        first: usize,
        thread: &Thread,
        start: Start<'_>,
        frame: &Frame,
    ) -> Result<Option<Failure>, Keyword> {
        match start {
            Start::Scalar(_) => {}
            Start::Array => {
                let Some(check) = view.array_checks.get(thread.part as usize) else {
                    return Ok(None);
                };
                array::counts(check, frame.count)?;
                if check.contains.get() != NONE {
                    if thread.contained < check.min_contains.get() {
                        return Err(Keyword::MinContains);
                    }
                    if thread.contained > check.max_contains.get() {
                        return Err(Keyword::MaxContains);
                    }
                }
            }
            Start::Object => {
                let Some(check) = view.object_checks.get(thread.part as usize) else {
                    return Ok(None);
                };
                object::close(self, view, &as_if(thread, frame))?;
                for dependent in object::dependents(view, check) {
                    let schema = dependent.schema.get();
                    if schema != NONE
                        && object::has(self, thread.seen, thread.wide, dependent.property.get())
                        && let Some(failure) = self.threads.outcome(first, schema)
                    {
                        return Ok(Some(failure));
                    }
                }
            }
        }
        Ok(None)
    }

    /// How the compositions of a thread turned out.
    fn composed(
        &mut self,
        view: &View<'_>,
        first: usize,
        index: usize,
        schema: &Schema,
        schema_index: u32,
        start: Start<'_>,
    ) -> Result<Option<Failure>, Stop> {
        for (place, composition) in compositions(view, schema) {
            self.step(1 + usize::from(composition.branch_count.get()))?;
            let refused = Some(self.failure(keyword(composition), schema_index));
            if kind(composition) == Some(CompositionKind::Content) {
                let Start::Scalar(Value::String(text, _)) = start else { continue };
                match self.content(view, composition.branches.get(), text)? {
                    Some(keyword) => return Ok(Some(self.failure(keyword, schema_index))),
                    None => continue,
                }
            }
            let threads = &self.threads;
            let accepts = |schema: &u32| threads.outcome(first, *schema).is_none();
            let mut branches =
                list(view, composition.branches.get(), composition.branch_count.get());
            let mut none = false;
            let mut failure = match kind(composition) {
                None | Some(CompositionKind::Content) => refused,
                Some(CompositionKind::AllOf) => branches.find_map(|s| threads.outcome(first, s)),
                Some(CompositionKind::AnyOf) => {
                    none = !branches.any(|s| accepts(&s));
                    refused.filter(|_| none)
                }
                Some(CompositionKind::OneOf) => {
                    let count = branches.filter(accepts).take(2).count();
                    none = count == 0;
                    refused.filter(|_| count != 1)
                }
                Some(CompositionKind::Not) => {
                    if branches.any(|s| accepts(&s)) {
                        refused
                    } else {
                        None
                    }
                }
                Some(CompositionKind::If) => {
                    match (branches.next(), branches.next(), branches.next()) {
                        (Some(condition), Some(then), Some(other)) => {
                            threads.outcome(first, if accepts(&condition) { then } else { other })
                        }
                        _ => refused,
                    }
                }
                Some(CompositionKind::TypeSwitch) => match type_switch(view, composition, start) {
                    Some(schema) => threads.outcome(first, schema),
                    None => refused,
                },
                Some(CompositionKind::Tagged) => match start {
                    Start::Object => match threads.choice(index, place) {
                        Some(Tag::Chose(schema)) => threads.outcome(first, schema),
                        // Where the whole object is the union's, its traces tell a `required` that names the tag.
                        None if keyword(composition) == Keyword::Discriminator
                            && schema.object.get() == NONE =>
                        {
                            Some(self.failure(Keyword::Discriminator, schema_index).of(TAG_MISSING))
                        }
                        _ => {
                            none = keyword(composition) != Keyword::Discriminator;
                            refused
                        }
                    },
                    _ => None,
                },
            };
            if none {
                self.step(usize::from(composition.branch_count.get()))?;
                failure = self.nearest(view, first, index, (place, composition)).or(failure);
            }
            if failure.is_some() {
                return Ok(failure);
            }
        }
        Ok(None)
    }
}

/// The frame of an object as one of its threads has it.
fn as_if(thread: &Thread, frame: &Frame) -> Frame {
    Frame { part: thread.part, seen: thread.seen, wide: thread.wide, ..*frame }
}
