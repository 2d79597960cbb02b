// The data of a split, in two bindings: data sets are larger than one binding may be, which is below 2^31
// bytes on every Vulkan device.
// The importer binds `words` and `more_words`, which goes on where `words` ends.

fn word_at(index: u32) -> u32 {
    let n_first = arrayLength(&words);
    if (index < n_first) {
        return words[index];
    }
    return more_words[index - n_first];
}
