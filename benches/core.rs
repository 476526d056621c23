//! Bytes in, framed events out, on one core: beside copying the bytes and beside reading the JSON without using it.

mod shapes;

use bumpalo::Bump;
use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use event_normalizer::avro::Encoder;
use serde::de::IgnoredAny;

#[global_allocator]
static ALLOCATOR: AllocProfiler<mimalloc::MiMalloc> = AllocProfiler::new(mimalloc::MiMalloc);

fn main() {
    divan::main();
}

fn names() -> Vec<&'static str> {
    shapes::all().into_iter().map(|shape| shape.name).collect()
}

fn shape(name: &str) -> shapes::Shape {
    shapes::all().into_iter().find(|shape| shape.name == name).expect("a shape")
}

#[divan::bench(args = names())]
fn translate(bencher: Bencher<'_, '_>, name: &str) {
    let shape = shape(name);
    let encoder = Encoder::verified().expect("an encoder").with_schema_id(1);
    let (mut arena, mut buffer) = (Bump::with_capacity(1 << 20), Vec::with_capacity(1 << 16));
    bencher
        .counter(ItemsCount::new(shape.events))
        .bench_local(|| black_box(&shape).translate(&encoder, &mut arena, &mut buffer));
}

#[divan::bench(args = names())]
fn floor_validate(bencher: Bencher<'_, '_>, name: &str) {
    let shape = shape(name);
    bencher
        .counter(ItemsCount::new(shape.events))
        .bench_local(|| serde_json::from_slice::<IgnoredAny>(black_box(shape.body.as_bytes())).is_ok());
}

#[divan::bench(args = names())]
fn floor_copy(bencher: Bencher<'_, '_>, name: &str) {
    let shape = shape(name);
    let mut buffer = Vec::with_capacity(1 << 16);
    bencher.counter(ItemsCount::new(shape.events)).bench_local(|| {
        buffer.clear();
        buffer.extend_from_slice(black_box(shape.body.as_bytes()));
        black_box(buffer.len())
    });
}
