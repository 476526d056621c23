//! What stands between the poll and the send takes no memory from the allocator, once its buffers have grown.

#[path = "../benches/shapes.rs"]
mod shapes;

use bumpalo::Bump;
use event_normalizer::avro::Encoder;

#[test]
fn a_body_without_escapes_allocates_nothing() {
    let encoder = Encoder::verified().expect("an encoder").with_schema_id(1);
    let (mut arena, mut buffer) = (Bump::new(), Vec::new());
    let mut found = Vec::new();
    for shape in shapes::all() {
        // The arena and the buffer grow to what they need.
        for _ in 0..3 {
            shape.translate(&encoder, &mut arena, &mut buffer);
        }
        let measured = allocation_counter::measure(|| {
            shape.translate(&encoder, &mut arena, &mut buffer);
        });
        if measured.count_total > 0 {
            found.push(format!("{}: {} times, {} bytes", shape.name, measured.count_total, measured.bytes_total));
        }
    }
    assert!(found.is_empty(), "memory is taken:\n{}", found.join("\n"));
}
