INSTALL avro;
LOAD avro;
SELECT * FROM read_avro('envelopes.avro');
