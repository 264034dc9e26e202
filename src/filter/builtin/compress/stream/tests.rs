use super::*;
use proptest::prelude::*;

const ALGORITHMS: [(Algorithm, [u32; 3]); 3] = [
    (Algorithm::Brotli, [1, 4, 6]),
    (Algorithm::Zstd, [1, 3, 6]),
    (Algorithm::Gzip, [1, 6, 9]),
];

/// Decodes what has come so far.
enum Decoder {
    Brotli(Box<brotli::DecompressorWriter<Vec<u8>>>),
    Zstd(zstd::stream::write::Decoder<'static, Vec<u8>>),
    Gzip(flate2::write::GzDecoder<Vec<u8>>),
}

impl Decoder {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Brotli => Self::Brotli(Box::new(brotli::DecompressorWriter::new(
                Vec::new(),
                BUFFER,
            ))),
            Algorithm::Zstd => Self::Zstd(zstd::stream::write::Decoder::new(Vec::new()).unwrap()),
            Algorithm::Gzip => Self::Gzip(flate2::write::GzDecoder::new(Vec::new())),
        }
    }

    /// All that could be decoded once these bytes had come too.
    fn decoded(&mut self, more: &[u8]) -> &[u8] {
        match self {
            Self::Brotli(writer) => {
                writer.write_all(more).unwrap();
                writer.get_ref()
            }
            Self::Zstd(writer) => {
                writer.write_all(more).unwrap();
                writer.flush().unwrap();
                writer.get_ref()
            }
            Self::Gzip(writer) => {
                writer.write_all(more).unwrap();
                writer.flush().unwrap();
                writer.get_ref()
            }
        }
    }
}

/// All of a compressed body; panics when it does not end where it should.
fn decode(algorithm: Algorithm, body: &[u8]) -> Vec<u8> {
    use std::io::Read;
    let mut decoded = Vec::new();
    let read = match algorithm {
        Algorithm::Brotli => brotli::Decompressor::new(body, BUFFER).read_to_end(&mut decoded),
        Algorithm::Zstd => zstd::stream::read::Decoder::new(body)
            .unwrap()
            .read_to_end(&mut decoded),
        Algorithm::Gzip => flate2::read::GzDecoder::new(body).read_to_end(&mut decoded),
    };
    read.unwrap();
    decoded
}

/// Pieces of bodies: some that repeat themselves, some of noise, some of nothing.
fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let text = "(GET /[a-c]{1,3} 200\n){0,80}".prop_map(String::into_bytes);
    let noise = prop::collection::vec(any::<u8>(), 0..3000);
    prop::collection::vec(prop_oneof![text, noise, Just(Vec::new())], 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Seen failing without the flush, and with the last piece written but not finished.
    #[test]
    fn each_piece_can_be_decoded_when_it_comes_and_the_whole_is_byte_for_byte_what_it_was(
        pieces in pieces(),
        level in 0..3usize,
        says_the_end_apart: bool,
    ) {
        for (algorithm, levels) in ALGORITHMS {
            let mut stream = Stream::new(algorithm, levels[level]).unwrap();
            let mut decoder = Decoder::new(algorithm);
            let (mut sent, mut plain) = (Vec::new(), Vec::new());
            for (index, piece) in pieces.iter().enumerate() {
                let is_last = !says_the_end_apart && index + 1 == pieces.len();
                let compressed = stream.piece(piece.clone().into(), is_last);
                plain.extend_from_slice(piece);
                prop_assert_eq!(decoder.decoded(&compressed), &plain, "{:?}", algorithm);
                sent.extend_from_slice(&compressed);
            }
            if says_the_end_apart || pieces.is_empty() {
                sent.extend_from_slice(&stream.piece(Bytes::new(), true));
            }
            prop_assert_eq!(decode(algorithm, &sent), plain, "{:?}", algorithm);
            prop_assert!(stream.piece(Bytes::from_static(b"late"), true).is_empty());
        }
    }
}

#[test]
fn what_repeats_itself_gets_small_and_noise_hardly_larger() {
    let text = "the same again and again ".repeat(2600);
    let mut noise = vec![0; 65_000];
    fastrand::Rng::with_seed(7).fill(&mut noise);
    for (algorithm, levels) in ALGORITHMS {
        let stream = |body: Vec<u8>| {
            let mut stream = Stream::new(algorithm, levels[1]).unwrap();
            stream.piece(body.into(), true).len()
        };
        assert!(stream(text.clone().into_bytes()) < 1000, "{algorithm:?}");
        assert!(stream(noise.clone()) < 65_200, "{algorithm:?}");
    }
}

#[test]
fn a_long_body_takes_no_more_memory_than_a_short_one() {
    // What the C libraries take is not seen here, but what goes through Rust is: all of Brotli, and every buffer.
    let piece = Bytes::from("0123456789abcdef".repeat(4096));
    for (algorithm, levels) in ALGORITHMS {
        let most = |pieces: usize| {
            let measured = allocation_counter::measure(|| {
                let mut stream = Stream::new(algorithm, levels[1]).unwrap();
                for _ in 0..pieces {
                    drop(stream.piece(piece.clone(), false));
                }
                drop(stream.piece(Bytes::new(), true));
            });
            measured.bytes_max
        };
        let (short, long) = (most(8), most(200));
        assert!(
            long <= short + short / 8,
            "{algorithm:?}: {short}, then {long}"
        );
        assert!(long < 3 << 20, "{algorithm:?}: {long}");
    }
}
