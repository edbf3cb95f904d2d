//! The list: byte strings in order, worked on from both ends.
//!
//! A small list is one listpack. A large one is a [`Tree`] of chunks of listpack elements, each full
//! up to `list-max-listpack-size` (8 KiB unless configured), so that it takes hardly more than its
//! bytes; what is longer than that has a chunk of its own. Ends are found in a few steps, an index in
//! O(log n), a clone is O(1).
//!
//! When a list changes its shape, and what OBJECT ENCODING says of it, follows Redis: it grows into
//! chunks when what is added would exceed the limit, and becomes a listpack again when its one last
//! chunk is at most half of it.
//!
//! An element may have any bytes up to [`MAX_ELEMENT_BYTES`]; the protocol allows no more.

mod fill;
pub(crate) mod persist;
mod run;
#[cfg(test)]
mod tests;
mod view;

use std::ops::Range;
use triomphe::Arc;

use crate::Limits;
use crate::collection::{Collection, Type, View as _, any_ways};
use crate::listpack::{self, Element, Encoded, Listpack};
use crate::tree::{Chunk, Tree};
use fill::Fill;
use run::Run;
pub use view::{Elements, ListView, Runs};

/// Bytes of the longest element: the longest string of the protocol.
pub const MAX_ELEMENT_BYTES: usize = 512 << 20;

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Front,
    Back,
}

/// An owned list.
#[derive(Clone, Debug)]
pub struct List {
    shape: Shape,
}

#[derive(Clone, Debug)]
enum Shape {
    Packed(Listpack),
    Large(Tree<Run>),
}

impl Default for List {
    fn default() -> Self {
        Self { shape: Shape::Packed(Listpack::new()) }
    }
}

impl List {
    /// A list of these elements, in the shape of one that is stored whole (SORT with STORE, a file).
    pub fn collect<'e>(elements: impl IntoIterator<Item = Element<'e>>, limits: &Limits) -> Self {
        let fill = Fill::of(limits);
        let mut tree = Tree::new();
        for element in elements {
            push(&mut tree, element, End::Back, fill);
        }
        Self::whole(tree, fill)
    }

    /// A list of these chunks, which were proved, as a file holds them.
    pub fn of_chunks<'c>(
        chunks: impl IntoIterator<Item = listpack::View<'c>>,
        limits: &Limits,
    ) -> Self {
        Self::whole(chunks.into_iter().map(Run::of_view).collect(), Fill::of(limits))
    }

    fn whole(tree: Tree<Run>, fill: Fill) -> Self {
        let mut list = Self { shape: Shape::Large(tree) };
        list.pack_if(fill, Fill::fits);
        list
    }

    /// Puts elements at an end, one after the other; answers how many the list has then.
    pub fn push<'e>(
        &mut self,
        end: End,
        elements: impl Iterator<Item = &'e [u8]> + Clone,
        limits: &Limits,
    ) -> usize {
        let fill = Fill::of(limits);
        if let Shape::Packed(_) = self.shape {
            let (count, bytes) = elements
                .clone()
                .fold((0_usize, 0_usize), |(n, sum), text| (n + 1, sum.saturating_add(text.len())));
            self.grow(count, bytes, fill);
        }
        match &mut self.shape {
            Shape::Packed(pack) => match end {
                End::Front => elements.for_each(|text| pack.prepend(text)),
                End::Back => elements.for_each(|text| pack.append(text)),
            },
            Shape::Large(tree) => {
                elements.for_each(|text| push(tree, Element::from(text), end, fill));
            }
        }
        self.view().len()
    }

    /// Takes `count` elements off an end, or all there are; answers how many.
    pub fn pop(&mut self, end: End, count: usize, limits: &Limits) -> usize {
        let len = self.view().len();
        let count = count.min(len);
        if count == 0 {
            return 0;
        }
        let range = match end {
            End::Front => 0..count,
            End::Back => len - count..len,
        };
        let may_pack = match &mut self.shape {
            Shape::Large(tree) if count == 1 => pop(tree, end),
            _ => {
                self.cut(range);
                true
            }
        };
        if may_pack {
            self.pack_if(Fill::of(limits), Fill::is_small);
        }
        count
    }

    /// Moves an element from one end to the other, or to where it was. Says whether there is one.
    pub fn rotate(&mut self, from: End, to: End, limits: &Limits) -> bool {
        let last = self.view().len().wrapping_sub(1);
        let index = if from == End::Front { 0 } else { last };
        let Some(element) = self.view().get(index).map(Element::to_vec) else { return false };
        // The shape is looked at when the element is back.
        self.cut(index..index + 1);
        self.push(to, std::iter::once(&element[..]), limits);
        self.pack_if(Fill::of(limits), Fill::is_small);
        true
    }

    /// Keeps the elements at `range` only; answers how many went.
    pub fn trim(&mut self, range: Range<usize>, limits: &Limits) -> usize {
        let len = self.view().len();
        let end = range.end.min(len);
        let start = range.start.min(end);
        let removed = len - (end - start);
        if removed > 0 {
            self.cut(end..len);
            self.cut(0..start);
            self.pack_if(Fill::of(limits), Fill::is_small);
        }
        removed
    }

    /// Removes up to `limit` elements that are `text`, from `end` on; answers how many.
    pub fn remove(&mut self, text: &[u8], end: End, limit: usize, limits: &Limits) -> usize {
        let removed = match &mut self.shape {
            Shape::Packed(pack) => pack.delete_equal(text, limit, end == End::Back),
            Shape::Large(tree) => remove(tree, text, end, limit, Fill::of(limits)),
        };
        if removed > 0 {
            self.pack_if(Fill::of(limits), Fill::is_small);
        }
        removed
    }

    /// Puts an element before the one of `index`, or at the end.
    pub fn insert(&mut self, index: usize, text: &[u8], limits: &Limits) {
        let fill = Fill::of(limits);
        self.grow(1, text.len(), fill);
        match &mut self.shape {
            Shape::Packed(pack) => {
                let view = pack.view();
                let at = view.seek(place(index)).unwrap_or(view.end());
                pack.insert_before(at, text);
            }
            Shape::Large(tree) => insert(tree, index, text, fill),
        }
    }

    /// Replaces the element of `index`; `false` if there is none.
    pub fn set(&mut self, index: usize, text: &[u8], limits: &Limits) -> bool {
        if index >= self.view().len() {
            return false;
        }
        let fill = Fill::of(limits);
        self.grow(1, text.len(), fill);
        match &mut self.shape {
            Shape::Packed(pack) => {
                if let Some(at) = pack.view().seek(place(index)) {
                    pack.replace(at, text);
                }
            }
            Shape::Large(tree) => {
                replace(tree, index, text, fill);
                self.pack_if(fill, Fill::is_small);
            }
        }
        true
    }

    /// Takes out the elements at `range`, which is within the list.
    fn cut(&mut self, range: Range<usize>) {
        match &mut self.shape {
            _ if range.is_empty() => {}
            Shape::Packed(pack) => {
                pack.delete_range(place(range.start), range.len());
            }
            // Without joining: the peers do not either, and what is left of the cut chunks is at the
            // ends, where it is used up next.
            Shape::Large(tree) => tree.remove(range, 0),
        }
    }

    /// Turns a listpack into chunks, if it cannot take so much more.
    fn grow(&mut self, count: usize, bytes: usize, fill: Fill) {
        if let Shape::Packed(pack) = &self.shape
            && fill.is_exceeded(
                pack.total_bytes().saturating_add(bytes),
                pack.len().saturating_add(count),
            )
        {
            let mut tree = Tree::new();
            tree.push_back(Run::of_view(pack.view()));
            self.shape = Shape::Large(tree);
        }
    }

    /// Turns a single chunk into a listpack, if `is_small` says so of its bytes and elements.
    fn pack_if(&mut self, fill: Fill, is_small: fn(Fill, usize, usize) -> bool) {
        let Shape::Large(tree) = &self.shape else { return };
        let packed = match tree.first() {
            None => Listpack::new(),
            Some(run) => {
                let view = run.view();
                let is_only = run.len() == tree.len();
                if !is_only || run.is_plain(fill) || !is_small(fill, view.total_bytes(), run.len())
                {
                    return;
                }
                Listpack::of_view(view)
            }
        };
        self.shape = Shape::Packed(packed);
    }
}

/// An index as listpacks take it.
fn place(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

fn push(tree: &mut Tree<Run>, element: Element<'_>, end: End, fill: Fill) {
    let encoded = Encoded::of(element);
    let len = element.len();
    let is_last = end == End::Back;
    let pushed = tree.edit_end(is_last, |run| {
        run.has_room(len, fill).then(|| Arc::make_mut(run).push(&encoded, end, fill))
    });
    if pushed.is_some() {
        return;
    }
    tree.edit_end(is_last, |run| run.is_loose().then(|| Arc::make_mut(run).settle()));
    let run = Run::of(&encoded, end, fill);
    match end {
        End::Front => tree.push_front(run),
        End::Back => tree.push_back(run),
    }
}

/// Takes one element off an end; says whether there may be but one chunk now.
fn pop(tree: &mut Tree<Run>, end: End) -> bool {
    let len = tree.len();
    let rest = tree.edit_end(end == End::Back, |run| {
        // More than one is left, or there are other chunks: the shape stays.
        let pops = run.len() > 1 && run.len() < len;
        pops.then(|| Arc::make_mut(run).pop(end))
    });
    if rest.is_some() {
        return false;
    }
    tree.edit_by(
        |()| end == End::Back,
        |edit| {
            edit.chunk_mut().pop(end);
            edit.chunk().is_empty() || edit.is_first && edit.is_last
        },
    )
}

/// Removes equal elements, chunk by chunk. Small chunks are joined, but for the outermost: so a list
/// of several chunks keeps several, as that of the peers does.
fn remove(tree: &mut Tree<Run>, text: &[u8], end: End, limit: usize, fill: Fill) -> usize {
    let mut removed = 0;
    // The rank up to which, or from which on, nothing has been looked at.
    let mut rank = if end == End::Front { 0 } else { tree.len() };
    while removed < limit {
        let found = match end {
            End::Front => tree.chunk_at(rank),
            End::Back => rank.checked_sub(1).and_then(|last| tree.chunk_at(last)),
        };
        let Some(spot) = found else { break };
        let (start, len) = (spot.start, spot.chunk.len());
        let mut gone = 0;
        if spot.chunk.view().find(text, 0).is_some() {
            gone = tree.edit_at(start, |edit, _| {
                if !edit.is_first && !edit.is_last {
                    edit.join_bytes = fill.join_bytes();
                }
                edit.chunk_mut().delete_equal(text, limit - removed, end)
            });
            removed += gone;
        }
        rank = if end == End::Front { start + len - gone } else { start };
    }
    removed
}

/// Puts an element behind the one before `index`: so what is put in at one place again and again
/// finds the chunk that was made for the first.
fn insert(tree: &mut Tree<Run>, index: usize, text: &[u8], fill: Fill) {
    let encoded = Encoded::of(Element::from(text));
    tree.edit_at(index.saturating_sub(1), |edit, place| {
        let place = place + usize::from(index > 0);
        if edit.chunk().has_room(text.len(), fill) {
            return edit.chunk_mut().insert(place, &encoded, fill);
        }
        let run = edit.chunk_mut();
        let mut right = run.split_off(place);
        if run.has_room(text.len(), fill) {
            run.insert(place, &encoded, fill);
        } else if right.has_room(text.len(), fill) {
            right.insert(0, &encoded, fill);
        } else {
            edit.put_after(Run::of(&encoded, End::Back, fill));
        }
        edit.put_after(right);
    });
}

fn replace(tree: &mut Tree<Run>, index: usize, text: &[u8], fill: Fill) {
    let encoded = Encoded::of(Element::from(text));
    tree.edit_at(index, |edit, place| {
        let run = edit.chunk();
        let old = run.get(place).map_or(0, Element::len);
        let rest = run.view().total_bytes().saturating_sub(old);
        if run.len() == 1 || fill.allows(rest, run.len() - 1, text.len()) {
            edit.chunk_mut().replace(place, &encoded, fill);
            return;
        }
        let run = edit.chunk_mut();
        let mut right = run.split_off(place);
        right.remove(0..1);
        edit.put_after(Run::of(&encoded, End::Back, fill));
        edit.put_after(right);
    });
}

impl Collection for List {
    const TYPE: Type = Type::List;
    type View<'a> = ListView<'a>;

    any_ways!(List);

    fn view(&self) -> ListView<'_> {
        match &self.shape {
            Shape::Packed(pack) => ListView::packed(pack.as_bytes()),
            Shape::Large(tree) => ListView::large(tree),
        }
    }

    fn view_packed(_form: u8, bytes: &[u8]) -> ListView<'_> {
        ListView::packed(bytes)
    }

    fn from_packed(_form: u8, bytes: Vec<u8>) -> Self {
        Self { shape: Shape::Packed(Listpack::from_bytes(bytes)) }
    }

    fn as_packed(&self) -> Option<(u8, &[u8])> {
        match &self.shape {
            Shape::Packed(pack) => Some((0, pack.as_bytes())),
            Shape::Large(_) => None,
        }
    }

    fn into_packed(self) -> Result<(u8, Vec<u8>), Self> {
        match self.shape {
            Shape::Packed(pack) => Ok((0, pack.into_bytes())),
            Shape::Large(_) => Err(self),
        }
    }

    fn heap_bytes(&self) -> usize {
        match &self.shape {
            Shape::Packed(pack) => pack.heap_bytes(),
            Shape::Large(tree) => tree.heap_bytes(),
        }
    }
}
