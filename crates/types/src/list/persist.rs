//! The form of a list in RDB files: its chunks as listpacks, an element that stands alone as it is.

use super::fill::Fill;
use super::run::Run;
use super::{End, List, ListView, MAX_ELEMENT_BYTES, Shape, push};
use crate::collection::{Collection as _, View as _};
use crate::limits::Limits;
use crate::listpack::{self, Element, Listpack};
use crate::persist::{Persist, element};
use crate::tree::{Chunk as _, Tree};
use rdb::opcode::value::{self, NODE_PACKED, NODE_PLAIN};
use rdb::{Dialect, Error, Reader, Writer, ziplist};

/// A chunk of one text longer than this is written as that text.
const PLAIN_BYTES_MIN: usize = 8 << 10;

impl Persist for ListView<'_> {
    fn kind(self, _: Dialect) -> u8 {
        value::LIST_QUICKLIST_2
    }

    fn save(self, out: &mut Writer<'_>) {
        let all = 0..self.len();
        out.length(self.runs(all.clone()).count() as u64);
        self.runs(all).for_each(|run| save_run(run, out));
    }
}

fn save_run(run: listpack::View<'_>, out: &mut Writer<'_>) {
    match run.at(0) {
        Some(Element::Bytes(text)) if run.len() == 1 && text.len() > PLAIN_BYTES_MIN => {
            out.length(NODE_PLAIN);
            out.string(text);
        }
        _ => {
            out.length(NODE_PACKED);
            out.string(Listpack::of_view(run).as_bytes());
        }
    }
}

/// A large list on its way into a file.
pub(crate) struct Saving {
    tree: Tree<Run>,
    begun: bool,
}

impl Saving {
    /// `None`: it is packed.
    pub(crate) fn new(list: List) -> Option<Self> {
        match list.shape {
            Shape::Packed(_) => None,
            Shape::Large(tree) => Some(Self { tree, begun: false }),
        }
    }

    /// Writes on until `end`; returns whether there is more.
    pub(crate) fn step(&mut self, out: &mut Writer<'_>, end: u64) -> bool {
        if !self.begun {
            out.length(self.tree.range(0..usize::MAX).count() as u64);
            self.begun = true;
        }
        while out.offset() < end {
            let Some(run) = self.tree.first() else { return false };
            save_run(run.view(), out);
            let len = run.len();
            self.tree.remove(0..len, 0);
        }
        !self.tree.is_empty()
    }
}

pub(crate) fn load(kind: u8, reader: &mut Reader<'_>, limits: &Limits) -> Result<List, Error> {
    let mut load = Load { tree: Tree::new(), fill: Fill::of(limits) };
    match kind {
        value::LIST => {
            for _ in 0..reader.length()? {
                load.text(reader.string()?)?;
            }
        }
        value::LIST_ZIPLIST => load.ziplist(reader.string()?)?,
        value::LIST_QUICKLIST => {
            for _ in 0..reader.length()? {
                load.ziplist(reader.string()?)?;
            }
        }
        _ => {
            for _ in 0..reader.length()? {
                match reader.length()? {
                    NODE_PLAIN => {
                        let text = reader.string()?;
                        if text.is_empty() {
                            return Err(Error::Corrupt("Quicklist integrity check failed."));
                        }
                        load.text(text)?;
                    }
                    NODE_PACKED => load.listpack(reader.string()?)?,
                    _ => return Err(Error::Corrupt("Quicklist integrity check failed.")),
                }
            }
        }
    }
    let list = List::whole(load.tree, load.fill);
    if list.view().is_empty() { Err(Error::EmptyKey) } else { Ok(list) }
}

/// A list under way.
struct Load {
    tree: Tree<Run>,
    fill: Fill,
}

impl Load {
    fn push(&mut self, element: Element<'_>) {
        push(&mut self.tree, element, End::Back, self.fill);
    }

    fn text(&mut self, text: &[u8]) -> Result<(), Error> {
        if text.len() > MAX_ELEMENT_BYTES {
            return Err(Error::Corrupt("a list element beyond 512 MiB"));
        }
        self.push(Element::from(text));
        Ok(())
    }

    fn ziplist(&mut self, block: &[u8]) -> Result<(), Error> {
        for item in ziplist::items(block)? {
            self.push(element(item?));
        }
        Ok(())
    }

    /// A chunk as it is, if ours would be written so.
    fn listpack(&mut self, block: &[u8]) -> Result<(), Error> {
        let mut items = rdb::listpack::items(block)?;
        let mut count = 0;
        for item in &mut items {
            item?;
            count += 1;
        }
        if count == 0 {
            return Ok(());
        }
        if items.is_canonical() && block.len() <= listpack::MAX_BYTES {
            self.tree.push_back(Run::of_view(listpack::View::of(block)));
            return Ok(());
        }
        for item in rdb::listpack::items(block)? {
            self.push(element(item?));
        }
        Ok(())
    }
}
