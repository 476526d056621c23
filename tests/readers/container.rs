//! Avro's container file.

/// Ends every block; any bytes will do.
const SYNC: &[u8; 16] = b"event-normalizer";

/// Datums in a block.
const BLOCK: usize = 100;

/// A container file of these datums, not compressed. `schema` is what they were written with.
pub fn file(schema: &[u8], datums: &[&[u8]]) -> Vec<u8> {
    let mut file = b"Obj\x01".to_vec();
    // The header is a map of two entries.
    long(&mut file, 2);
    for part in [&b"avro.schema"[..], schema, b"avro.codec", b"null"] {
        bytes(&mut file, part);
    }
    long(&mut file, 0);
    file.extend(SYNC);
    for block in datums.chunks(BLOCK) {
        long(&mut file, block.len());
        bytes(&mut file, &block.concat());
        file.extend(SYNC);
    }
    file
}

fn bytes(file: &mut Vec<u8>, bytes: &[u8]) {
    long(file, bytes.len());
    file.extend(bytes);
}

/// A number that isn't negative, zigzag and seven bits a byte.
fn long(file: &mut Vec<u8>, number: usize) {
    let mut rest = number << 1;
    while rest > 0x7f {
        file.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    file.push(rest as u8);
}
