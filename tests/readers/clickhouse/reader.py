"""Prints what ClickHouse has read from Kafka, one JSON object a line, in the form that `compare.rs` reads.

Usage: reader.py SQL COUNT, where SQL is the text of three statements, which make the queue, the table and the view that fills
the table, and COUNT is how many envelopes there are at least.
"""

import json
import sys

from chdb.session import Session

# A server reads in the background. A library has nobody for that and says so when the queue is made, but makes it.
NOBODY_READS = "Shutdown was called"
ON_DEMAND = "SETTINGS stream_like_engine_allow_direct_select = 1"
# What JSON lacks: times are texts in UTC with milliseconds, bytes are hexadecimal digits.
PRINTED = """
    SELECT * REPLACE (lower(hex(payload)) AS payload) FROM envelopes
    SETTINGS date_time_output_format = 'iso', output_format_json_quote_64bit_integers = 0
"""


def main():
    queue, table, view = sys.argv[1].rstrip().rstrip(";").split(";\n")
    count_min = int(sys.argv[2])
    # A table on disk, in the folder that this runs in.
    session = Session("clickhouse")
    try:
        session.query(queue)
    except RuntimeError as error:
        if NOBODY_READS not in str(error):
            raise
    session.query(table)
    print(json.dumps({"version": str(session.query("SELECT version()", "TSVRaw")).strip()}))
    _, moved = view.split(" AS\n")
    count = 0
    while True:
        session.query(f"INSERT INTO envelopes {moved} {ON_DEMAND}")
        before, count = count, int(str(session.query("SELECT count() FROM envelopes", "TSVRaw")))
        # Once more when all are there: a record that is there again would come now.
        if count == before and count >= count_min:
            break
    sys.stdout.write(str(session.query(PRINTED, "JSONEachRow")))


main()
