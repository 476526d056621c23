package peer;

import event_normalizer.Envelope;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;

/** One body in; its envelopes and its dead letters out. There is one of these for each task, and one thread at a time in it. */
final class Normalizer implements Processor<byte[], byte[], byte[], byte[]> {
    private final EnvelopeMaker maker = new EnvelopeMaker();
    private final WireFormat wireFormat;
    private ProcessorContext<byte[], byte[]> context;

    Normalizer(int schemaId) {
        wireFormat = new WireFormat(schemaId);
    }

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
        this.context = context;
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        byte[] body = record.value();
        if (body == null) {
            return;
        }
        RecordMetadata metadata = context.recordMetadata().orElseThrow();
        List<Item> items;
        try {
            items = BodyReader.read(body);
        } catch (Reject reject) {
            deadLetter(record, metadata, body, 0, 1, reject);
            return;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        int count = items.size();
        for (int index = 0; index < count; index++) {
            Item item = items.get(index);
            try {
                Envelope envelope = maker.make(item, body);
                maker.source(envelope, metadata, index, count, record.timestamp());
                byte[] key = EnvelopeMaker.key(envelope).getBytes(StandardCharsets.UTF_8);
                byte[] value = wireFormat.write(envelope);
                context.forward(new Record<>(key, value, record.timestamp(), traces(record.headers())), Main.EVENTS);
            } catch (Reject reject) {
                deadLetter(record, metadata, item.bytes(body), index, count, reject);
            }
        }
    }

    /** The trace context is all that goes on from the raw record. */
    private static Headers traces(Headers original) {
        Headers traces = new RecordHeaders();
        for (Header header : original) {
            if (header.key().equals("traceparent") || header.key().equals("tracestate")) {
                traces.add(header);
            }
        }
        return traces;
    }

    private void deadLetter(
            Record<byte[], byte[]> record, RecordMetadata metadata, byte[] value, int index, int count, Reject reject) {
        Headers headers = new RecordHeaders(record.headers());
        put(headers, "normalizer.dead-letter.reason", reject.reason());
        put(headers, "normalizer.dead-letter.detail", reject.detail());
        put(headers, "normalizer.dead-letter.vendor", EnvelopeMaker.VENDOR);
        put(headers, "normalizer.dead-letter.item", Integer.toString(index));
        put(headers, "normalizer.dead-letter.items", Integer.toString(count));
        put(headers, "__streams.errors.topic", metadata.topic());
        put(headers, "__streams.errors.partition", Integer.toString(metadata.partition()));
        put(headers, "__streams.errors.offset", Long.toString(metadata.offset()));
        context.forward(new Record<>(record.key(), value, record.timestamp(), headers), Main.DEAD_LETTERS);
    }

    private static void put(Headers headers, String name, String value) {
        headers.add(name, value.getBytes(StandardCharsets.UTF_8));
    }
}
