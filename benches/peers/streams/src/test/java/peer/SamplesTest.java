package peer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.test.TestRecord;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every sample gives what the event normalizer gives. */
class SamplesTest {
    private static final Path SAMPLES = Path.of("..", "samples");
    private static final Path SCHEMA = Path.of("..", "..", "..", "schemas", "envelope.avsc");
    private static final ObjectMapper JSON = new ObjectMapper()
            .enable(com.fasterxml.jackson.databind.DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS);
    private static final DateTimeFormatter MILLIS =
            DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);
    private static final int SCHEMA_ID = 0x01020304;
    private static final long TIMESTAMP = 1_775_000_000_123L;
    private static final byte[] KEY = {1, 2, 3};

    static Stream<Path> bodies() throws IOException {
        try (Stream<Path> files = Files.list(SAMPLES)) {
            return files.filter(file -> file.toString().endsWith(".json")).sorted().toList().stream();
        }
    }

    @ParameterizedTest
    @MethodSource("bodies")
    void sample(Path file) throws IOException {
        byte[] body = Files.readAllBytes(file);
        List<JsonNode> expectedEvents = new ArrayList<>();
        List<JsonNode> expectedDeadLetters = new ArrayList<>();
        String name = file.getFileName().toString().replace(".json", ".expected.jsonl");
        List<String> lines = Files.readAllLines(SAMPLES.resolve(name));
        for (String line : lines) {
            JsonNode node = JSON.readTree(line);
            if (node.has("dead_letter")) {
                expectedDeadLetters.add(node.get("dead_letter"));
            } else if (!node.has("ignored")) {
                expectedEvents.add(node);
            }
        }

        Map<String, String> environment = Map.of(
                "BROKERS", "none:9092",
                "GROUP", "test",
                "INPUT", "raw",
                "EVENTS", "events",
                "DEAD_LETTERS", "dead",
                "SCHEMA", SCHEMA.toString(),
                "SCHEMA_ID", Integer.toString(SCHEMA_ID),
                "GUARANTEE", "at-least-once",
                "COMMIT_INTERVAL_MS", "100",
                "THREADS", "1");
        Settings settings = Settings.of(environment);
        try (TopologyTestDriver driver = new TopologyTestDriver(Main.topology(settings), settings.streams())) {
            TestInputTopic<byte[], byte[]> input =
                    driver.createInputTopic("raw", new ByteArraySerializer(), new ByteArraySerializer());
            Headers headers = new RecordHeaders();
            headers.add("traceparent", "00-1-2-01".getBytes(StandardCharsets.UTF_8));
            headers.add("other", "x".getBytes(StandardCharsets.UTF_8));
            input.pipeInput(new TestRecord<>(KEY, body, headers, Instant.ofEpochMilli(TIMESTAMP)));

            checkEvents(output(driver, "events"), expectedEvents, body, lines.size());
            checkDeadLetters(output(driver, "dead"), expectedDeadLetters, body, lines.size());
        }
    }

    private static List<TestRecord<byte[], byte[]>> output(TopologyTestDriver driver, String topic) {
        TestOutputTopic<byte[], byte[]> output =
                driver.createOutputTopic(topic, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        return output.readRecordsToList();
    }

    private static void checkEvents(
            List<TestRecord<byte[], byte[]>> records, List<JsonNode> expected, byte[] body, int count) throws IOException {
        assertEquals(expected.size(), records.size());
        Schema schema = new Schema.Parser().parse(SCHEMA.toFile());
        GenericDatumReader<GenericRecord> reader = new GenericDatumReader<>(schema);
        for (int i = 0; i < records.size(); i++) {
            TestRecord<byte[], byte[]> record = records.get(i);
            assertEquals(TIMESTAMP, record.timestamp());
            assertEquals(1, record.headers().toArray().length);
            assertEquals("traceparent", record.headers().toArray()[0].key());
            ByteBuffer value = ByteBuffer.wrap(record.value());
            assertEquals(0, value.get());
            assertEquals(SCHEMA_ID, value.getInt());
            GenericRecord envelope = reader.read(
                    null, DecoderFactory.get().binaryDecoder(record.value(), 5, record.value().length - 5, null));

            ObjectNode found = (ObjectNode) json(envelope);
            ObjectNode source = (ObjectNode) found.remove("source");
            assertEquals("raw", source.get("kafka_topic").textValue());
            assertEquals(0, source.get("kafka_partition").intValue());
            assertEquals(0, source.get("kafka_offset").intValue());
            assertEquals(count, source.get("item_count").intValue());
            assertEquals(TIMESTAMP, ((Long) envelope.get("received_at")).longValue());
            found.remove("received_at");
            if (found.has("occurred_at")) {
                found.put("occurred_at", MILLIS.format(Instant.ofEpochMilli((Long) envelope.get("occurred_at"))));
            }
            // The item as it arrived, to the byte.
            String payload = new String(((ByteBuffer) envelope.get("payload")).array(), StandardCharsets.UTF_8);
            assertTrue(new String(body, StandardCharsets.UTF_8).contains(payload));
            found.set("payload", JSON.readTree(payload));
            assertEquals(expected.get(i), found);

            JsonNode key = found.path("message").path("message_id");
            key = key.isMissingNode() ? found.path("contact").path("address") : key;
            key = key.isMissingNode() ? found.get("event_id") : key;
            assertEquals(key.textValue(), new String(record.key(), StandardCharsets.UTF_8));
        }
    }

    private static void checkDeadLetters(
            List<TestRecord<byte[], byte[]>> records, List<JsonNode> expected, byte[] body, int count) {
        assertEquals(expected.size(), records.size());
        for (int i = 0; i < records.size(); i++) {
            TestRecord<byte[], byte[]> record = records.get(i);
            JsonNode reject = expected.get(i);
            assertEquals(TIMESTAMP, record.timestamp());
            assertArrayEquals(KEY, record.key());
            assertEquals(reject.get("reason").textValue(), header(record, "normalizer.dead-letter.reason"));
            if (!reject.get("reason").textValue().equals("unknown_event")) {
                assertEquals(reject.get("detail").textValue(), header(record, "normalizer.dead-letter.detail"));
            }
            assertEquals(reject.get("item").asText(), header(record, "normalizer.dead-letter.item"));
            assertEquals(Integer.toString(count), header(record, "normalizer.dead-letter.items"));
            assertEquals("x", header(record, "other"));
            if (count == 1) {
                assertArrayEquals(body, record.value());
            } else {
                String item = new String(record.value(), StandardCharsets.UTF_8);
                assertTrue(new String(body, StandardCharsets.UTF_8).contains("," + item + ","), item);
            }
        }
    }

    private static String header(TestRecord<byte[], byte[]> record, String name) {
        return new String(record.headers().lastHeader(name).value(), StandardCharsets.UTF_8);
    }

    /** Without nulls and empty maps, as the event normalizer prints it. */
    private static JsonNode json(Object value) {
        JsonNodeFactory nodes = JsonNodeFactory.instance;
        if (value instanceof GenericRecord record) {
            ObjectNode object = nodes.objectNode();
            for (Schema.Field field : record.getSchema().getFields()) {
                Object member = record.get(field.pos());
                if (member == null || member instanceof ByteBuffer) {
                    continue;
                }
                JsonNode node = json(member);
                if (!(node.isObject() && node.isEmpty())) {
                    object.set(field.name(), node);
                }
            }
            return object;
        }
        if (value instanceof Map<?, ?> map) {
            ObjectNode object = nodes.objectNode();
            map.forEach((key, member) -> object.put(key.toString(), member.toString()));
            return object;
        }
        if (value instanceof Integer number) {
            return nodes.numberNode(number);
        }
        if (value instanceof Long number) {
            return nodes.numberNode(number);
        }
        if (value instanceof Boolean flag) {
            return nodes.booleanNode(flag);
        }
        return nodes.textNode(value.toString());
    }
}
