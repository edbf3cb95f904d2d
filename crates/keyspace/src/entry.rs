//! One key with its value in one block of memory, behind a thin pointer.
//!
//! ```text
//!  byte  0      1..4    4..6    6..8    8..16          +8              klen     vlen       +8
//!       ┌──────┬───────┬───────┬───────┬──────────────┬───────────────┬────────┬──────────┬───────┐
//!       │flags │ clock │ vlen  │ klen  │ expiry (ms)  │ wide klen     │ key    │ payload  │ tag   │
//!       └──────┴───────┴───────┴───────┴──────────────┴───────────────┴────────┴──────────┴───────┘
//!                                        if EXPIRES     if klen = 0xFFFF                  if TAGGED
//! ```
//!
//! The payload is the bytes of a short string, eight bytes of an integer, a pointer to a shared
//! long string (16 KiB and more), so that a reply can carry it away in O(1), the packed block of a
//! small collection, or a pointer to a larger one.
//! A 16-byte key with a 16-byte value takes 40 bytes, 8 more with an expiry, 8 more with a tag.
//!
//! ```text
//!  flags, bit 0-1: inline, integer, shared, boxed   2: has an expiry
//!         bit 3: string edited in place, or the form of a packed block   4-7: the type
//!  vlen, bit 0-13: length of the payload   14: pinned against eviction
//!         15: TAGGED, a string that has a tag
//! ```
//!
//! The tag is the version of a string for those who ask for one (SETWITHETAG). It stands behind
//! everything that a look-up or a read goes by.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;
use std::{fmt, ptr, slice};
use types::{Any, Collection, Packed, Type};

/// Values of this many bytes and more live in a block of their own that is shared by reference.
pub const SHARED_MIN: usize = 16 << 10;

/// Packed blocks of up to so many bytes live in their key's block.
pub const PACKED_INLINE_MAX: usize = 1 << 10;

const HEADER: usize = 8;
const WIDE: u16 = u16::MAX;
/// `vlen` needs 14 bits: longer values lie elsewhere.
const LEN: u16 = (1 << 14) - 1;
const _: () = assert!(SHARED_MIN - 1 <= LEN as usize);
const _: () = assert!(PACKED_INLINE_MAX < SHARED_MIN);
/// A bit of `vlen`: a tag stands behind the payload.
const TAGGED: u16 = 1 << 15;

/// The key is never evicted. A bit of `vlen`, seen in the whole header.
const PINNED: u64 = 1 << (32 + 14);

const KIND: u8 = 0b11;
const INLINE: u8 = 0;
const INT: u8 = 1;
const SHARED: u8 = 2;
const BOXED: u8 = 3;
const EXPIRES: u8 = 1 << 2;
/// The value was edited in place: OBJECT ENCODING says raw whatever its length.
const RAW: u8 = 1 << 3;
/// The form of a packed block, at the same place: no string is packed.
const FORM_SHIFT: u8 = 3;
const TYPE_SHIFT: u8 = 4;

/// A value as it stands in an entry.
#[derive(Debug)]
pub enum Value<'a> {
    Int(i64),
    Inline(&'a [u8]),
    Shared(Shared<'a>),
    /// A small collection.
    Packed(Packed<'a>),
    /// A larger one.
    Boxed(&'a Any),
}

/// A long string, borrowed from its entry; clone the `Arc` to carry it away.
#[derive(Debug)]
pub struct Shared<'a>(ManuallyDrop<Arc<Vec<u8>>>, PhantomData<&'a Arc<Vec<u8>>>);

impl Deref for Shared<'_> {
    type Target = Arc<Vec<u8>>;

    fn deref(&self) -> &Arc<Vec<u8>> {
        &self.0
    }
}

impl<'a> Shared<'a> {
    /// The bytes, for as long as the entry is borrowed.
    pub fn as_slice(&self) -> &'a [u8] {
        let bytes: &[u8] = &self.0;
        // SAFETY: the entry that owns a count of the `Arc` is borrowed for 'a, so that neither the
        // vector nor its buffer moves or goes before then.
        unsafe { slice::from_raw_parts(bytes.as_ptr(), bytes.len()) }
    }
}

/// A value on its way into an entry.
#[derive(Clone, Debug)]
pub enum NewValue<'a> {
    Int(i64),
    Bytes(&'a [u8]),
    Shared(Arc<Vec<u8>>),
    /// A collection's block of at most [`PACKED_INLINE_MAX`] bytes.
    Packed(Packed<'a>),
    Boxed(Box<Any>),
}

impl<'a> NewValue<'a> {
    /// As SET stores it: a number in its one canonical spelling becomes an integer.
    #[inline]
    pub fn detect(bytes: &'a [u8]) -> Self {
        if bytes.len() <= 20
            && let Some(number) = stdx::num::parse_i64(bytes)
        {
            return Self::Int(number);
        }
        Self::bytes(bytes)
    }

    /// As bytes, whatever they spell.
    #[inline]
    pub fn bytes(bytes: &'a [u8]) -> Self {
        if bytes.len() >= SHARED_MIN {
            Self::Shared(Arc::new(bytes.to_vec()))
        } else {
            Self::Bytes(bytes)
        }
    }

    /// As `bytes`, without copying a long one: that is taken.
    pub fn of_vec(bytes: &'a mut Vec<u8>) -> Self {
        if bytes.len() >= SHARED_MIN {
            Self::Shared(Arc::new(std::mem::take(bytes)))
        } else {
            Self::Bytes(bytes)
        }
    }

    /// With long bytes in a block of their own: the header has 16 bits for the length of others.
    #[inline]
    fn placed(self) -> Self {
        match self {
            Self::Bytes(bytes) if bytes.len() >= SHARED_MIN => Self::bytes(bytes),
            other => other,
        }
    }

    /// The flags that say what the payload is.
    fn kind(&self) -> u8 {
        match self {
            Self::Int(_) => INT,
            Self::Bytes(_) => INLINE,
            Self::Shared(_) => SHARED,
            Self::Packed(packed) => {
                INLINE | (packed.form & 1) << FORM_SHIFT | (packed.of as u8) << TYPE_SHIFT
            }
            Self::Boxed(any) => BOXED | (any.type_of() as u8) << TYPE_SHIFT,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Packed(packed) => packed.bytes.len(),
            Self::Int(_) | Self::Shared(_) | Self::Boxed(_) => 8,
        }
    }

    /// A collection: within the entry if its block is small. `keep` is given the block's buffer
    /// to borrow it from.
    pub fn of_collection<T: Collection>(value: T, keep: &'a mut Vec<u8>) -> Self {
        match value.into_packed() {
            Ok((form, bytes)) if bytes.len() <= PACKED_INLINE_MAX => {
                *keep = bytes;
                Self::Packed(Packed { of: T::TYPE, form, bytes: keep })
            }
            Ok((form, bytes)) => Self::Boxed(Box::new(T::from_packed(form, bytes).into_any())),
            Err(large) => Self::Boxed(Box::new(large.into_any())),
        }
    }

    /// A collection of any type.
    pub fn of_any(any: Any, keep: &'a mut Vec<u8>) -> Self {
        match any {
            Any::List(value) => Self::of_collection(value, keep),
            Any::Set(value) => Self::of_collection(value, keep),
            Any::Hash(value) => Self::of_collection(value, keep),
            Any::ZSet(value) => Self::of_collection(value, keep),
            Any::Stream(value) => Self::of_collection(value, keep),
            Any::Array(value) => Self::of_collection(value, keep),
            Any::SortedInt(value) => Self::of_collection(value, keep),
            Any::Job(value) => Self::of_collection(value, keep),
        }
    }
}

/// An owned entry. Exactly one exists for each block.
pub struct Entry(NonNull<u8>);

// SAFETY: an `Entry` owns its block alone; what it shares is an `Arc` of plain bytes, or a
// collection, which may be sent and shared.
unsafe impl Send for Entry {}

const _: () = {
    const fn may_be_sent_and_shared<T: Send + Sync>() {}
    may_be_sent_and_shared::<Any>();
};

/// Where the parts of a block are; derived from the header.
#[derive(Clone, Copy)]
struct Shape {
    key_at: usize,
    key_len: usize,
    value_len: usize,
    tagged: bool,
}

impl Shape {
    fn of(key_len: usize, value_len: usize, expires: bool, tagged: bool) -> Self {
        let wide = key_len >= WIDE as usize;
        let key_at = HEADER + if expires { 8 } else { 0 } + if wide { 8 } else { 0 };
        Self { key_at, key_len, value_len, tagged }
    }

    fn value_at(self) -> usize {
        self.key_at + self.key_len
    }

    fn tag_at(self) -> usize {
        self.value_at() + self.value_len
    }

    /// The size asked of the allocator: one of its classes, so that entries of nearly equal length
    /// can be overwritten in place.
    fn size(self) -> usize {
        size_class(self.tag_at() + if self.tagged { 8 } else { 0 })
    }

    fn layout(self) -> Layout {
        Layout::from_size_align(self.size(), 8).expect("a key and a value fit the address space")
    }
}

impl Entry {
    /// A new block. `clock` is the 24-bit access clock.
    pub fn new(key: &[u8], value: NewValue<'_>, expiry: Option<i64>, clock: u32) -> Self {
        Self::tagged(key, value, expiry, clock, 0)
    }

    /// The same with a tag, which only strings have; 0 is none.
    pub(crate) fn tagged(
        key: &[u8],
        value: NewValue<'_>,
        expiry: Option<i64>,
        clock: u32,
        tag: i64,
    ) -> Self {
        let value = value.placed();
        debug_assert!(tag == 0 || value.kind() >> TYPE_SHIFT == Type::String as u8);
        let shape = Shape::of(key.len(), value.len(), expiry.is_some(), tag != 0);
        let layout = shape.layout();
        // SAFETY: the layout has at least the header's 8 bytes.
        let block = unsafe { alloc(layout) };
        let Some(block) = NonNull::new(block) else { handle_alloc_error(layout) };
        let wide = key.len() >= WIDE as usize;
        let klen = if wide { WIDE } else { key.len() as u16 };
        let flags = value.kind() | if expiry.is_some() { EXPIRES } else { 0 };
        let vlen = value.len() as u16 | if tag != 0 { TAGGED } else { 0 };
        let header = u64::from(flags)
            | u64::from(clock & 0xFF_FFFF) << 8
            | u64::from(vlen) << 32
            | u64::from(klen) << 48;
        let entry = Self(block);
        // SAFETY: the block is ours alone, 8-aligned, and `Shape` laid out every part within it.
        unsafe {
            let base = block.as_ptr();
            base.cast::<u64>().write(header.to_le());
            let mut at = HEADER;
            if let Some(ms) = expiry {
                base.add(at).cast::<i64>().write(ms);
                at += 8;
            }
            if wide {
                base.add(at).cast::<u64>().write(key.len() as u64);
            }
            ptr::copy_nonoverlapping(key.as_ptr(), base.add(shape.key_at), key.len());
            entry.write_value(shape, value);
        }
        entry.write_tag(shape, tag);
        entry
    }

    /// Writes the tag, if `shape`, which is that of the block, has a place for it.
    fn write_tag(&self, shape: Shape, tag: i64) {
        if shape.tagged {
            // SAFETY: the eight bytes behind the payload lie within the block by `shape`.
            unsafe { self.0.as_ptr().add(shape.tag_at()).cast::<i64>().write_unaligned(tag) };
        }
    }

    /// SAFETY: `shape` is that of the block with room for `value`, and the payload bytes are not
    /// a live shared pointer.
    unsafe fn write_value(&self, shape: Shape, value: NewValue<'_>) {
        // SAFETY: the payload lies within the block by `shape`; writes are unaligned.
        unsafe {
            let at = self.0.as_ptr().add(shape.value_at());
            match value {
                NewValue::Int(number) => at.cast::<i64>().write_unaligned(number),
                NewValue::Bytes(bytes) => {
                    ptr::copy_nonoverlapping(bytes.as_ptr(), at, bytes.len());
                }
                NewValue::Packed(packed) => {
                    ptr::copy_nonoverlapping(packed.bytes.as_ptr(), at, packed.bytes.len());
                }
                NewValue::Shared(shared) => {
                    at.cast::<*const Vec<u8>>().write_unaligned(Arc::into_raw(shared));
                }
                NewValue::Boxed(any) => {
                    at.cast::<*mut Any>().write_unaligned(Box::into_raw(any));
                }
            }
        }
    }

    #[inline]
    fn header(&self) -> u64 {
        // SAFETY: every block begins with an aligned 8-byte header.
        u64::from_le(unsafe { self.0.as_ptr().cast::<u64>().read() })
    }

    #[inline]
    fn set_header(&mut self, header: u64) {
        // SAFETY: as above; `&mut self` is the only access.
        unsafe { self.0.as_ptr().cast::<u64>().write(header.to_le()) }
    }

    #[inline]
    fn flags(&self) -> u8 {
        self.header() as u8
    }

    #[inline]
    fn shape(&self) -> Shape {
        let header = self.header();
        let klen = (header >> 48) as u16;
        let expires = header as u8 & EXPIRES != 0;
        let key_len = if klen == WIDE {
            let at = HEADER + if expires { 8 } else { 0 };
            // SAFETY: a wide key's length stands there, 8-aligned.
            unsafe { self.0.as_ptr().add(at).cast::<u64>().read() as usize }
        } else {
            usize::from(klen)
        };
        let vlen = (header >> 32) as u16;
        Shape::of(key_len, usize::from(vlen & LEN), expires, vlen & TAGGED != 0)
    }

    #[inline]
    pub fn key(&self) -> &[u8] {
        let shape = self.shape();
        // SAFETY: the key lies within the block and lives as long as it.
        unsafe { slice::from_raw_parts(self.0.as_ptr().add(shape.key_at), shape.key_len) }
    }

    #[inline]
    pub fn value(&self) -> Value<'_> {
        // SAFETY: the lifetime is cut to that of the borrow.
        unsafe { self.value_unbound() }
    }

    /// The value with a lifetime of the caller's choice.
    ///
    /// # Safety
    /// The entry outlives the result and is not changed meanwhile.
    #[inline]
    pub(crate) unsafe fn value_unbound<'a>(&self) -> Value<'a> {
        let shape = self.shape();
        // SAFETY: the payload lies within the block; its kind says what was written there.
        unsafe {
            let at = self.0.as_ptr().add(shape.value_at());
            let flags = self.flags();
            match flags & KIND {
                INT => Value::Int(at.cast::<i64>().read_unaligned()),
                BOXED => Value::Boxed(&*self.boxed_raw(shape)),
                INLINE if flags >> TYPE_SHIFT != 0 => {
                    let bytes = slice::from_raw_parts(at, shape.value_len);
                    let form = flags >> FORM_SHIFT & 1;
                    Value::Packed(Packed { of: self.type_of(), form, bytes })
                }
                SHARED => {
                    let arc = Arc::from_raw(self.shared_raw(shape));
                    Value::Shared(Shared(ManuallyDrop::new(arc), PhantomData))
                }
                _ => Value::Inline(slice::from_raw_parts(at, shape.value_len)),
            }
        }
    }

    /// The pointer that `Arc::into_raw` gave.
    ///
    /// SAFETY: the kind is SHARED.
    unsafe fn shared_raw(&self, shape: Shape) -> *const Vec<u8> {
        // SAFETY: a SHARED payload is such a pointer, unaligned.
        unsafe { self.0.as_ptr().add(shape.value_at()).cast::<*const Vec<u8>>().read_unaligned() }
    }

    /// The pointer that `Box::into_raw` gave.
    ///
    /// SAFETY: the kind is BOXED.
    unsafe fn boxed_raw(&self, shape: Shape) -> *mut Any {
        // SAFETY: a BOXED payload is such a pointer, unaligned.
        unsafe { self.0.as_ptr().add(shape.value_at()).cast::<*mut Any>().read_unaligned() }
    }

    /// Milliseconds since 1970.
    #[inline]
    pub fn expiry(&self) -> Option<i64> {
        if self.flags() & EXPIRES == 0 {
            return None;
        }
        // SAFETY: the flag says that an aligned i64 stands after the header.
        Some(unsafe { self.0.as_ptr().add(HEADER).cast::<i64>().read() })
    }

    /// The tag of a string; 0: it has none.
    #[inline]
    pub fn tag(&self) -> i64 {
        if (self.header() >> 32) as u16 & TAGGED == 0 {
            return 0;
        }
        // SAFETY: the mark says that an i64 stands behind the payload, unaligned.
        unsafe { self.0.as_ptr().add(self.shape().tag_at()).cast::<i64>().read_unaligned() }
    }

    /// The tag for a value that is a change of this one; 0: none.
    #[inline]
    pub(crate) fn tag_after(&self) -> i64 {
        match self.tag() {
            0 => 0,
            tag => next_tag(tag),
        }
    }

    /// Gives a string a tag, or with 0 takes it away; all else stays.
    pub(crate) fn set_tag(&mut self, tag: i64) {
        let shape = self.shape();
        if shape.tagged == (tag != 0) {
            self.write_tag(shape, tag);
        } else {
            *self = self.moved(self.key(), self.expiry(), tag);
        }
    }

    /// Whether the key is logically gone at `now_ms`.
    #[inline]
    pub fn expired(&self, now_ms: i64) -> bool {
        self.expiry().is_some_and(|at| at <= now_ms)
    }

    /// The 24-bit access clock.
    pub fn clock(&self) -> u32 {
        (self.header() >> 8) as u32 & 0xFF_FFFF
    }

    #[inline]
    pub fn set_clock(&mut self, clock: u32) {
        let header = self.header();
        self.set_header(header & !(0xFF_FFFF << 8) | u64::from(clock & 0xFF_FFFF) << 8);
    }

    #[inline]
    pub fn type_of(&self) -> Type {
        Type::of_number(self.flags() >> TYPE_SHIFT).expect("only types are written")
    }

    /// What OBJECT ENCODING answers.
    pub fn encoding(&self) -> &'static str {
        use types::string::{EMBSTR_MAX, Encoding};
        match self.value() {
            Value::Int(_) => Encoding::Int.name(),
            Value::Inline(bytes) if bytes.len() <= EMBSTR_MAX && !self.is_raw() => {
                Encoding::Embstr.name()
            }
            Value::Inline(_) | Value::Shared(_) => Encoding::Raw.name(),
            Value::Packed(packed) => packed.encoding(),
            Value::Boxed(any) => any.encoding(),
        }
    }

    /// Folds the value into the digest of its key, without its expiry.
    pub fn fold(&self, digest: &mut types::digest::Digest) {
        match self.value() {
            Value::Int(number) => {
                let mut text = Vec::with_capacity(stdx::num::I64_TEXT_MAX);
                stdx::num::write_i64(&mut text, number);
                types::string::fold(digest, &text);
            }
            Value::Inline(bytes) => types::string::fold(digest, bytes),
            Value::Shared(shared) => types::string::fold(digest, &shared),
            Value::Packed(packed) => packed.fold(digest),
            Value::Boxed(any) => any.fold(digest),
        }
        if self.tag() != 0 {
            digest.mix(&self.tag().to_be_bytes());
        }
    }

    /// Whether the value is a long string in a block of its own.
    pub fn is_shared(&self) -> bool {
        self.flags() & KIND == SHARED
    }

    /// Whether the value is a collection in a block of its own.
    pub fn is_boxed(&self) -> bool {
        self.flags() & KIND == BOXED
    }

    /// Whether the value is a string that was edited in place since it was set.
    pub fn is_raw(&self) -> bool {
        self.flags() & RAW != 0 && self.flags() >> TYPE_SHIFT == 0
    }

    pub fn set_raw(&mut self) {
        let header = self.header();
        self.set_header(header | u64::from(RAW));
    }

    /// Whether the key is never evicted.
    #[inline]
    pub fn is_pinned(&self) -> bool {
        self.header() & PINNED != 0
    }

    pub fn set_pinned(&mut self, pinned: bool) {
        let header = self.header() & !PINNED;
        self.set_header(header | if pinned { PINNED } else { 0 });
    }

    /// The entry, pinned if the one whose place it takes is.
    fn pinned_as(mut self, before: &Self) -> Self {
        self.set_header(self.header() | before.header() & PINNED);
        self
    }

    /// Bytes of the block and of what it owns, as the allocator rounds them up.
    #[inline]
    pub fn bytes(&self) -> usize {
        let own = self.shape().size();
        if matches!(self.flags() & KIND, INLINE | INT) {
            return own;
        }
        match self.value() {
            Value::Shared(shared) => own + size_class(shared.capacity()) + SHARED_OVERHEAD,
            Value::Boxed(any) => own + size_class(size_of::<Any>()) + any.heap_bytes(),
            Value::Int(_) | Value::Inline(_) | Value::Packed(_) => own,
        }
    }

    /// Whether the value is a collection whose clone is O(1).
    pub(crate) fn is_large(&self) -> bool {
        matches!(self.value(), Value::Boxed(any) if any.as_packed().is_none())
    }

    /// Bytes that a copy of the entry takes: what is large is shared.
    pub(crate) fn own_bytes(&self) -> usize {
        let own = self.shape().size();
        match self.value() {
            Value::Boxed(any) if any.as_packed().is_some() => own + any.heap_bytes(),
            _ => own,
        }
    }

    /// A lower bound of when the first of its elements expires; `None`: none does.
    #[inline]
    pub fn earliest_element(&self) -> Option<i64> {
        if self.flags() >> TYPE_SHIFT == 0 {
            return None;
        }
        match self.value() {
            Value::Packed(packed) => packed.earliest_expiry(),
            Value::Boxed(any) => any.earliest_expiry(),
            Value::Int(_) | Value::Inline(_) | Value::Shared(_) => None,
        }
    }

    /// Puts in another value (and expiry), in the same block if it fits exactly; a tag goes, a pin
    /// stays.
    #[inline]
    pub fn set_value(&mut self, value: NewValue<'_>, expiry: Option<i64>, clock: u32) {
        let value = value.placed();
        let shape = self.shape();
        let fits = Shape::of(shape.key_len, value.len(), expiry.is_some(), false);
        let same = (self.flags() & EXPIRES != 0) == expiry.is_some();
        if !same || fits.size() != shape.size() {
            *self = Self::new(self.key(), value, expiry, clock).pinned_as(self);
            return;
        }
        self.drop_payload(shape);
        let header = self.header() & (0xFFFF << 48 | PINNED);
        let flags = value.kind() | if expiry.is_some() { EXPIRES } else { 0 };
        let vlen = value.len() as u16;
        self.set_header(
            header | u64::from(flags) | u64::from(clock & 0xFF_FFFF) << 8 | u64::from(vlen) << 32,
        );
        // SAFETY: same key and same expiry field, so the payload begins where it did, and the
        // block has the size of `fits`; the old payload was dropped.
        unsafe {
            if let Some(ms) = expiry {
                self.0.as_ptr().add(HEADER).cast::<i64>().write(ms);
            }
            self.write_value(fits, value);
        }
    }

    /// The same value under another expiry; access clock and raw mark stay.
    pub fn set_expiry(&mut self, expiry: Option<i64>) {
        match (expiry, self.expiry()) {
            (None, None) => {}
            // SAFETY: the block has an expiry field.
            (Some(ms), Some(_)) => unsafe {
                self.0.as_ptr().add(HEADER).cast::<i64>().write(ms);
            },
            (Some(_), None) | (None, Some(_)) => {
                *self = self.moved(self.key(), expiry, self.tag());
            }
        }
    }

    /// The same value, expiry and tag under another key.
    pub fn with_key(self, key: &[u8]) -> Self {
        self.moved(key, self.expiry(), self.tag())
    }

    /// A second entry with the same value: what is large is shared, not copied.
    pub fn copied(&self, key: &[u8]) -> Self {
        self.moved(key, self.expiry(), self.tag())
    }

    /// The same entry once more: what is large is shared, not copied.
    pub(crate) fn twin(&self) -> Self {
        if self.is_shared() || self.is_boxed() {
            return self.copied(self.key());
        }
        let layout = self.shape().layout();
        // SAFETY: the layout has at least the header's 8 bytes.
        let block = unsafe { alloc(layout) };
        let Some(block) = NonNull::new(block) else { handle_alloc_error(layout) };
        // SAFETY: two blocks of this layout. Without a pointer in it, an entry is its bytes.
        unsafe { ptr::copy_nonoverlapping(self.0.as_ptr(), block.as_ptr(), layout.size()) };
        Self(block)
    }

    fn moved(&self, key: &[u8], expiry: Option<i64>, tag: i64) -> Self {
        let value = match self.value() {
            Value::Int(number) => NewValue::Int(number),
            Value::Inline(bytes) => NewValue::Bytes(bytes),
            Value::Shared(shared) => NewValue::Shared(Arc::clone(&shared)),
            Value::Packed(packed) => NewValue::Packed(packed),
            Value::Boxed(any) => NewValue::Boxed(Box::new(any.clone())),
        };
        let mut entry = Self::tagged(key, value, expiry, self.clock(), tag).pinned_as(self);
        if self.is_raw() {
            entry.set_raw();
        }
        entry
    }

    /// The bytes of a long string, to be edited where they stand; copied first if a reply or
    /// snapshot still holds them. `None` if the value is not a long one.
    pub fn shared_mut(&mut self) -> Option<&mut Vec<u8>> {
        if self.flags() & KIND != SHARED {
            return None;
        }
        let shape = self.shape();
        // SAFETY: the kind is SHARED, and the count taken here goes back below: by the same
        // pointer, or that of the copy. In between only an allocation can fail, which aborts.
        unsafe {
            let mut arc = ManuallyDrop::new(Arc::from_raw(self.shared_raw(shape)));
            let bytes: *mut Vec<u8> = Arc::make_mut(&mut arc);
            self.write_value(shape, NewValue::Shared(ManuallyDrop::into_inner(arc)));
            Some(&mut *bytes)
        }
    }

    /// The bytes of a short string, to be edited where they stand. `None` if the value is none.
    pub(crate) fn inline_mut(&mut self) -> Option<&mut [u8]> {
        let Value::Inline(bytes) = self.value() else { return None };
        let len = bytes.len();
        // SAFETY: the payload of a short string is `len` bytes within the block, which `self`
        // borrows alone.
        Some(unsafe {
            slice::from_raw_parts_mut(self.0.as_ptr().add(self.shape().value_at()), len)
        })
    }

    /// The collection in a block of its own, to be changed where it is.
    pub(crate) fn boxed_mut(&mut self) -> Option<&mut Any> {
        if !self.is_boxed() {
            return None;
        }
        let shape = self.shape();
        // SAFETY: the kind is BOXED, and the entry owns the box alone.
        Some(unsafe { &mut *self.boxed_raw(shape) })
    }

    fn drop_payload(&mut self, shape: Shape) {
        if self.is_boxed() {
            // SAFETY: the entry owns the box, given up here.
            drop(unsafe { Box::from_raw(self.boxed_raw(shape)) });
        }
        if self.flags() & KIND == SHARED {
            // SAFETY: the entry owns one count of the `Arc`, given up here.
            drop(unsafe { Arc::from_raw(self.shared_raw(shape)) });
        }
    }
}

/// The tag behind `tag`: one more, and 1 behind the last.
pub fn next_tag(tag: i64) -> i64 {
    tag.checked_add(1).unwrap_or(1)
}

/// The size that the allocator gives for a request of `bytes`: multiples of 8 up to 64, then four
/// sizes for each doubling, as jemalloc has them when built for blocks of 8 bytes.
#[inline]
fn size_class(bytes: usize) -> usize {
    let step = match bytes.saturating_sub(1).checked_ilog2() {
        Some(log) if log > 5 => 1 << (log - 2),
        _ => 8,
    };
    // PERF: the step is a power of two, which the compiler does not know: it would divide.
    (bytes + (step - 1)) & !(step - 1)
}

/// The count block of an `Arc` and the vector's own three words.
const SHARED_OVERHEAD: usize = 40;

impl Drop for Entry {
    fn drop(&mut self) {
        let shape = self.shape();
        self.drop_payload(shape);
        // SAFETY: the block was allocated with this very layout.
        unsafe { dealloc(self.0.as_ptr(), shape.layout()) }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("key", &self.key().escape_ascii().to_string())
            .field("value", &self.value())
            .field("expiry", &self.expiry())
            .finish()
    }
}

// SAFETY: the pointer is that of one heap block, 8-aligned and below 2^48 on the supported
// platforms; `from_raw` undoes `into_raw`.
unsafe impl table::Item for Entry {
    fn into_raw(self) -> NonNull<u8> {
        ManuallyDrop::new(self).0
    }

    unsafe fn from_raw(raw: NonNull<u8>) -> Self {
        Self(raw)
    }

    fn key(&self) -> &[u8] {
        Entry::key(self)
    }
}
