//! Near-valid requests: one word of a valid one is dropped, doubled, moved or replaced.

use super::{Choices, Generator, Request};

impl Generator<'_> {
    /// Changes one thing; what comes of it may be valid or not. The command's name stays, mostly.
    pub fn mutate(&self, request: &mut Request, choices: &mut Choices<'_>) {
        let name_words = self.table.entry(request.id).full_name.split('|').count();
        let words = &mut request.words;
        // Behind the last word too: things are appended there.
        let at = name_words + choices.below(words.len() - name_words + 1);
        let is_word = at < words.len();
        match choices.below(8) {
            0 if is_word => drop(words.remove(at)),
            1 if is_word => words.insert(at, words[at].clone()),
            2 if is_word => {
                let other = name_words + choices.below(words.len() - name_words);
                words.swap(at, other);
            }
            3 if is_word => words[at] = self.vocabulary.strange(choices),
            4 => words.truncate(at),
            5 => {
                let tokens = self.tokens(request.id);
                if !tokens.is_empty() {
                    words.insert(at, choices.pick(&tokens).as_bytes().to_vec());
                }
            }
            6 => {
                // Words of the same length in a misspelling: an option that does not exist.
                let place = at.min(words.len() - 1);
                match words[place].last_mut() {
                    Some(last) => *last = last.wrapping_add(1),
                    None => words[place].push(b'x'),
                }
            }
            _ => words.insert(at, self.vocabulary.strange(choices)),
        }
    }
}
