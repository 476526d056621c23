from pyspark.sql.avro.functions import from_avro
from pyspark.sql.functions import expr


def envelopes(records, schema):
    """`records` have a column `value`, as those of Spark's Kafka source; `schema` is the text of `envelope.avsc`."""
    # After the 5 bytes of Confluent's frame. Single-object encoding has 10: say `substring(value, 11)`.
    datum = expr("substring(value, 6)")
    return records.select(from_avro(datum, schema, {"mode": "FAILFAST"}).alias("envelope")).select("envelope.*")
