package peer;

import event_normalizer.Envelope;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.specific.SpecificDatumWriter;

/** Confluent's wire format: a zero byte, the schema's id, the datum. Buffers are used again; not for several threads at once. */
final class WireFormat {
    private final byte[] frame;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream(4096);
    private final SpecificDatumWriter<Envelope> writer = new SpecificDatumWriter<>(Envelope.class);
    private BinaryEncoder encoder;

    WireFormat(int schemaId) {
        frame = ByteBuffer.allocate(1 + Integer.BYTES).put((byte) 0).putInt(schemaId).array();
    }

    byte[] write(Envelope envelope) {
        try {
            out.reset();
            out.write(frame);
            encoder = EncoderFactory.get().binaryEncoder(out, encoder);
            writer.write(envelope, encoder);
            encoder.flush();
            return out.toByteArray();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
