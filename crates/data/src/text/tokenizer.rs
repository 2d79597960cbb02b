//! Sub-words: byte-pair encoding of bytes, which any text comes back from.

use std::sync::Mutex;

use tokenizers::decoders::byte_level::ByteLevel as ByteLevelDecoder;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer as Tokens};

use crate::error::DataError;

/// The token before and behind every sentence.
pub(crate) const BOUNDARY: u16 = 0;

/// How the boundary is written in the vocabulary.
const BOUNDARY_NAME: &str = "<boundary>";

/// A vocabulary of sub-words.
pub(crate) struct Tokenizer {
    tokens: Tokens,
}

impl Tokenizer {
    /// Learns `vocabulary` tokens at most: the boundary, the 256 bytes, and the pairs that are joined.
    ///
    /// # Source
    /// Sennrich, Haddow and Birch 2016, on bytes as Radford et al. 2019.
    pub(crate) fn train(
        vocabulary: usize,
        sentences: impl Iterator<Item = Result<String, DataError>> + Send,
    ) -> Result<Self, DataError> {
        let mut tokens = Tokens::new(BPE::default());
        let byte_level = ByteLevel::new(false, false, true);
        // A boundary is where we put one, not where a text spells its name.
        tokens.set_encode_special_tokens(true);
        tokens.with_pre_tokenizer(Some(byte_level)).with_decoder(Some(ByteLevelDecoder::default()));
        let mut trainer: TrainerWrapper = BpeTrainer::builder()
            .show_progress(false)
            .vocab_size(vocabulary)
            .special_tokens(vec![AddedToken::from(BOUNDARY_NAME, true)])
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .build()
            .into();
        // The library takes no errors from its input: the first one ends it and is given back here.
        let failure = Mutex::new(None);
        let ok = sentences.map_while(|sentence| match sentence {
            Ok(sentence) => Some(sentence),
            Err(error) => {
                *failure.lock().expect("nobody panics with it") = Some(error);
                None
            }
        });
        tokens.train(&mut trainer, ok).map_err(|error| failed("trained", &error))?;
        match failure.into_inner().expect("nobody panicked with it") {
            Some(error) => Err(error),
            None => Ok(Self { tokens }),
        }
    }

    /// Tokens of the vocabulary.
    pub(crate) fn vocabulary(&self) -> usize {
        self.tokens.get_vocab_size(true)
    }

    /// The tokens of each sentence.
    pub(crate) fn encode(&self, sentences: Vec<String>) -> Result<Vec<Vec<u16>>, DataError> {
        let encodings = self.tokens.encode_batch_fast(sentences, false);
        let encodings = encodings.map_err(|error| failed("applied", &error))?;
        let ids = |encoding: tokenizers::Encoding| {
            let small = |&id: &u32| u16::try_from(id).expect("vocabularies have below 2^16 tokens");
            encoding.get_ids().iter().map(small).collect()
        };
        Ok(encodings.into_iter().map(ids).collect())
    }

    /// The vocabulary as the library's `tokenizer.json`.
    pub(crate) fn to_json(&self) -> Result<String, DataError> {
        self.tokens.to_string(false).map_err(|error| failed("written", &error))
    }
}

fn failed(what: &'static str, error: &tokenizers::Error) -> DataError {
    DataError::Tokenizer { what, problem: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: [&str; 4] = [
        "the cat sat on the mat",
        "the dog sat on the log",
        "<boundary> is no boundary where it stands in a text",
        "naïve — 日本語",
    ];

    fn trained(vocabulary: usize) -> Tokenizer {
        let text = TEXT.map(|line| Ok(line.to_owned()));
        Tokenizer::train(vocabulary, text.into_iter()).unwrap()
    }

    #[test]
    fn all_text_comes_back_from_its_tokens() {
        let tokenizer = trained(300);
        let unseen = "Ελληνικά\tand \u{0} more";
        for text in TEXT.into_iter().chain([unseen]) {
            let tokens = tokenizer.encode(vec![text.to_owned()]).unwrap().remove(0);
            let ids: Vec<u32> = tokens.iter().map(|&token| u32::from(token)).collect();
            assert_eq!(tokenizer.tokens.decode(&ids, false).unwrap(), text);
            assert!(tokens.iter().all(|&token| token != BOUNDARY), "{text}: {tokens:?}");
        }
    }

    #[test]
    fn frequent_words_become_one_token() {
        let tokenizer = trained(300);
        assert_eq!(tokenizer.vocabulary(), 300);
        let tokens = tokenizer.encode(vec![" the".to_owned(), " sat on".to_owned()]).unwrap();
        assert_eq!(tokens[0].len(), 1, "{tokens:?}");
        assert!(tokens[1].len() <= 3, "{tokens:?}");
        assert_eq!(trained(100).vocabulary(), 257, "all bytes and the boundary, always");
    }

    #[test]
    fn the_same_text_gives_the_same_vocabulary() {
        let json = trained(280).to_json().unwrap();
        assert!((0..5).all(|_| trained(280).to_json().unwrap() == json));
    }

    #[test]
    fn an_error_of_the_input_is_the_error() {
        let lines = [Ok("a".to_owned()), Err(failed("read", &"broken".into()))];
        let Err(error) = Tokenizer::train(300, lines.into_iter()) else { panic!("no error") };
        assert!(error.to_string().contains("broken"), "{error}");
    }
}
