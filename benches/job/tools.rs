//! Kafka's own tools for performance: what brokers and machine give to programs that only write or only read.

use std::thread;

use anyhow::{Context, Result, anyhow, ensure};

use crate::input::Input;
use crate::support::jars;
use crate::support::kafka::Kafka;
use crate::support::node::java;

/// Records per second where one tool reads the input while another writes as many records of the same length: those of the
/// slower one, by its own count.
pub fn rate(kafka: &Kafka, input: &Input, output: &str) -> Result<f64> {
    let records = input.bodies.to_string();
    let producer = [
        ["--bootstrap-server", kafka.brokers()],
        ["--topic", output],
        ["--num-records", &records],
        ["--record-size", &input.body_bytes.to_string()],
        ["--throughput", "-1"],
    ];
    let properties = ["--command-property", "acks=all", "linger.ms=5", "batch.size=1000000"];
    let group = format!("bench.tools.{:08x}", fastrand::u32(..));
    let consumer = [
        ["--bootstrap-server", kafka.brokers()],
        ["--topic", &input.topic],
        ["--num-records", &records],
        ["--group", &group],
        ["--date-format", "yyyy"],
    ];
    let run = |class: &str, arguments: Vec<&str>| -> Result<String> {
        let output = java(&jars::libs()?).arg(format!("org.apache.kafka.tools.{class}")).args(arguments).output();
        let output = output.context("start java")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "{class}:\n{said}{}", String::from_utf8_lossy(&output.stderr));
        Ok(said)
    };
    let (written, read) = thread::scope(|threads| {
        let writing = threads.spawn(|| run("ProducerPerformance", [producer.as_flattened(), &properties].concat()));
        let read = run("ConsumerPerformance", [consumer.as_flattened(), &["--hide-header"]].concat());
        (writing.join(), read)
    });
    let written = written.map_err(|_| anyhow!("a tool's thread has panicked"))??;
    // "1000000 records sent, 250000.0 records/sec (…), …"
    let written = written.lines().rev().find_map(|line| line.split_once(" records sent, ")?.1.split(' ').next()?.parse().ok());
    // The last of its columns is the rate without the time of joining the group.
    let read = read?;
    let read = read.lines().rev().find_map(|line| line.rsplit(", ").next()?.trim().parse().ok());
    let rates: [f64; 2] = [written.context("the writing tool tells no rate")?, read.context("the reading tool tells no rate")?];
    Ok(rates[0].min(rates[1]))
}
