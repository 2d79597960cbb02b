//! From the tokens of sentences to rows of one length.

use super::corpus::{Corpus, Long};
use super::tokenizer::BOUNDARY;
use super::{PADDING, row_bytes};

/// Appends the rows of a sentence for training.
pub(crate) fn push_training(tokens: &[u16], corpus: &Corpus, rows: &mut Vec<u8>) {
    push(tokens, corpus.train_length, corpus.long, rows);
}

/// Rows of the evaluated lengths, shortest first.
pub(crate) struct EvaluatedRows {
    lengths: &'static [usize],
    long: Long,
    rows: Vec<Vec<u8>>,
}

impl EvaluatedRows {
    pub(crate) fn new(corpus: &Corpus) -> Self {
        let lengths = corpus.evaluated_lengths;
        Self { lengths, long: corpus.long, rows: vec![vec![]; lengths.len()] }
    }

    /// Appends the rows of a sentence to the shortest that hold it.
    pub(crate) fn push(&mut self, tokens: &[u16]) {
        // The end of the sentence is predicted too.
        let holds = |length: &usize| tokens.len() < *length;
        let place = self.lengths.iter().position(holds).unwrap_or(self.lengths.len() - 1);
        push(tokens, self.lengths[place], self.long, &mut self.rows[place]);
    }

    /// The lengths that have a row.
    pub(crate) fn parts(self) -> impl Iterator<Item = (usize, Vec<u8>)> {
        self.lengths.iter().copied().zip(self.rows).filter(|(_, rows)| !rows.is_empty())
    }
}

fn push(tokens: &[u16], length: usize, long: Long, rows: &mut Vec<u8>) {
    let sentence: Vec<u16> =
        [BOUNDARY].into_iter().chain(tokens.iter().copied()).chain([BOUNDARY]).collect();
    // A row begins with the token before the first that it predicts: the last one of the row before.
    for start in (0..sentence.len() - 1).step_by(length) {
        let end = (start + length + 1).min(sentence.len());
        let padding = vec![PADDING; start + length + 1 - end];
        let row = sentence[start..end].iter().chain(&padding);
        rows.reserve(row_bytes(length));
        rows.extend(row.flat_map(|token| token.to_le_bytes()));
        if long == Long::Cut {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Sentences;
    use crate::text::corpus::Layout;

    fn corpus(long: Long) -> Corpus {
        Corpus {
            layout: Layout::Text,
            vocabulary: 300,
            long,
            train_length: 3,
            evaluated_lengths: &[2, 4],
        }
    }

    fn tokens(rows: &[u8]) -> Vec<u16> {
        rows.as_chunks().0.iter().map(|token| u16::from_le_bytes(*token)).collect()
    }

    #[test]
    fn long_sentences_go_on_from_their_last_token_or_are_cut() {
        let p = PADDING;
        let training = |long| {
            let mut rows = vec![];
            push_training(&[7, 8, 9], &corpus(long), &mut rows);
            push_training(&[5], &corpus(long), &mut rows);
            rows
        };
        assert_eq!(tokens(&training(Long::Cut)), [0, 7, 8, 9, 0, 5, 0, p]);
        let continued = training(Long::Continue);
        assert_eq!(tokens(&continued), [0, 7, 8, 9, 9, 0, p, p, 0, 5, 0, p]);
        let sentences = Sentences::new(3, continued.into());
        // Every token and every end is predicted once.
        assert_eq!((sentences.len(), sentences.n_labels()), (3, 3 + 1 + 1 + 1));
        assert_eq!(tokens(sentences.first(1).rows()), [0, 7, 8, 9]);
    }

    #[test]
    fn evaluated_sentences_go_to_the_shortest_rows_that_hold_them() {
        let p = PADDING;
        let mut rows = EvaluatedRows::new(&corpus(Long::Cut));
        for sentence in [&[1][..], &[1, 2], &[1, 2, 3], &[1, 2, 3, 4, 5]] {
            rows.push(sentence);
        }
        let parts: Vec<(usize, Vec<u16>)> =
            rows.parts().map(|(length, rows)| (length, tokens(&rows))).collect();
        let long = [0, 1, 2, 0, p, 0, 1, 2, 3, 0, 0, 1, 2, 3, 4].to_vec();
        assert_eq!(parts, [(2, vec![0, 1, 0]), (4, long)]);
        let mut rows = EvaluatedRows::new(&corpus(Long::Continue));
        rows.push(&[1, 2, 3, 4, 5]);
        let (length, all) = rows.parts().next().unwrap();
        assert_eq!((length, tokens(&all)), (4, vec![0, 1, 2, 3, 4, 4, 5, 0, p, p]));
    }
}
