"""Prints the envelopes of a container file, one JSON object a line, in the form that `compare.rs` reads.

Usage: reader.py SQL, where SQL is the text of statements; the last one is the query.
"""

import json
import os
import sys
from datetime import datetime

import duckdb
from duckdb_extensions import import_extension


def printable(value):
    """What JSON lacks: times are texts in UTC with milliseconds, bytes are hexadecimal digits."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds") + "Z"
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"no form for {type(value)}")


def main():
    connection = duckdb.connect(config={"extension_directory": os.getcwd()})
    # From the package that was installed, so that the statements' INSTALL has nothing to download.
    import_extension("avro", con=connection)
    connection.execute(sys.argv[1])
    names = [column[0] for column in connection.description]
    print(json.dumps({"version": duckdb.__version__}))
    while row := connection.fetchone():
        print(json.dumps(dict(zip(names, row)), default=printable))


main()
