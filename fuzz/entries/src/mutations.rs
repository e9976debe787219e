//! Mutations of a corpus from a seed: the same seed, the same bytes.

use larder_tests::ledger::Mix;

/// One of the corpus with a few changes, sometimes with a piece of another.
pub fn mutated(corpus: &[Vec<u8>], mix: &mut Mix) -> Vec<u8> {
    let below = |mix: &mut Mix, bound: usize| usize::try_from(mix.number() % (bound.max(1) as u64)).unwrap_or(0);
    let mut data = corpus[below(mix, corpus.len())].clone();
    for _ in 0..=below(mix, 6) {
        let at = below(mix, data.len() + 1);
        match mix.number() % 7 {
            0 if at < data.len() => data[at] ^= 1 << (mix.number() % 8),
            1 if at < data.len() => data[at] = INTERESTING[below(mix, INTERESTING.len())],
            2 => data.insert(at, INTERESTING[below(mix, INTERESTING.len())]),
            3 if at < data.len() => drop(data.remove(at)),
            4 => data.truncate(at),
            5 => {
                let other = &corpus[below(mix, corpus.len())];
                let start = below(mix, other.len() + 1);
                let end = (start + below(mix, 40)).min(other.len());
                data.splice(at..at, other[start..end].iter().copied());
            }
            _ => {
                let end = (at + below(mix, 20)).min(data.len());
                let piece = data[at..end].to_vec();
                data.splice(at..at, piece);
            }
        }
    }
    data
}

const INTERESTING: &[u8] = b"\0\x01\x7f\x80\xff\"'\\{}[]()<>:;,.=#!?&*-+~_/ \n\t09azAZ";
