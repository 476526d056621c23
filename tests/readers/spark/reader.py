"""Prints the envelopes of values, one JSON object a line, in the form that `compare.rs` reads.

Usage: reader.py PYTHON SCHEMA VALUES LIBS, where PYTHON is the text that defines `envelopes`, VALUES is a file with one value
a line, in hexadecimal digits, and LIBS is a folder with the jars that Spark needs beside its own.
"""

import json
import sys
from datetime import datetime, timezone
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql.functions import unhex


def printable(value):
    """What JSON lacks: times are texts in UTC with milliseconds, bytes are hexadecimal digits."""
    if isinstance(value, datetime):
        # Without a zone, in that of this process.
        return value.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    raise TypeError(f"no form for {type(value)}")


def main():
    text, schema_path, values_path, libs = sys.argv[1:]
    names = {}
    exec(text, names)
    with open(schema_path, encoding="utf-8") as file:
        schema = file.read()
    settings = {
        "spark.master": "local[1]",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": "-Djava.io.tmpdir=.",
        "spark.driver.host": "127.0.0.1",
        "spark.jars": ",".join(str(jar) for jar in Path(libs).glob("*.jar")),
        "spark.local.dir": ".",
        "spark.ui.enabled": "false",
    }
    builder = SparkSession.builder
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    # As they come from Kafka: the values in one column of bytes.
    records = spark.read.text(values_path).select(unhex("value").alias("value"))
    print(json.dumps({"version": spark.version}))
    for row in names["envelopes"](records, schema).toLocalIterator():
        print(json.dumps(row.asDict(recursive=True), default=printable))
    spark.stop()


main()
