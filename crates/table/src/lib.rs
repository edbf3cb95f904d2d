//! stub
#![allow(unsafe_code, unused)]
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
pub unsafe trait Item: Sized {
    fn into_raw(self) -> NonNull<u8>;
    unsafe fn from_raw(raw: NonNull<u8>) -> Self;
    fn key(&self) -> &[u8];
}
#[derive(Debug)]
pub struct Table<T: Item> { map: BTreeMap<(u64, Vec<u8>), T>, }
#[derive(Debug)]
pub struct View;
impl View { pub const fn new(_: u32) -> Self { View } pub unsafe fn prefetch_bucket(&self, _: u64) {} pub unsafe fn prefetch_items(&self, _: u64) {} }
pub struct Borrowed<'a, T>(&'a T);
impl<T> Deref for Borrowed<'_, T> { type Target = T; fn deref(&self) -> &T { self.0 } }
pub struct BorrowedMut<'a, T>(&'a mut T);
impl<T> Deref for BorrowedMut<'_, T> { type Target = T; fn deref(&self) -> &T { self.0 } }
impl<T> DerefMut for BorrowedMut<'_, T> { fn deref_mut(&mut self) -> &mut T { self.0 } }
#[derive(Clone, Copy)]
pub struct Pos(u64, &'static [u8]);
impl<T: Item> Table<T> {
    pub fn new(_: u32, _: stdx::hash::Seed) -> Self { Self { map: BTreeMap::new() } }
    pub fn len(&self) -> usize { self.map.len() }
    pub fn find(&self, h: u64, k: &[u8]) -> Option<Pos> { let p = (h, k.to_vec()); self.map.contains_key(&p).then(|| Pos(p.0, p.1.leak())) }
    pub fn get(&self, p: Pos) -> Borrowed<'_, T> { Borrowed(&self.map[&(p.0, p.1.to_vec())]) }
    pub fn get_mut(&mut self, p: Pos) -> BorrowedMut<'_, T> { BorrowedMut(self.map.get_mut(&(p.0, p.1.to_vec())).unwrap()) }
    pub fn insert(&mut self, h: u64, t: T) { self.map.insert((h, t.key().to_vec()), t); }
    pub fn remove(&mut self, p: Pos) -> T { self.map.remove(&(p.0, p.1.to_vec())).unwrap() }
    pub fn scan(&self, c: u64, mut f: impl FnMut(&T)) -> Option<u64> { for (k, v) in self.map.range((c, vec![])..) { f(v); } None }
    pub fn random(&self, r: u64) -> Option<Borrowed<'_, T>> { self.map.values().nth(r as usize % self.map.len().max(1)).map(Borrowed) }
    pub fn attach(&self, _: &View) {}
}
