import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.JsonNode;
import io.apicurio.registry.serde.avro.AvroKafkaDeserializer;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.data.TimeConversions;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.message.BinaryMessageDecoder;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Deserializer;

/**
 * Prints the envelopes of Kafka topics, one JSON object a line, in the form that {@code compare.rs} reads.
 *
 * <p>Arguments: BROKERS single-object|confluent REGISTRY SCHEMA TOPIC...
 */
public class Reader {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    /** Knows times as instants. */
    private static final GenericData DATA = new GenericData();
    private static final DateTimeFormatter MILLISECONDS =
            DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);

    public static void main(String[] arguments) throws Exception {
        DATA.addLogicalTypeConversion(new TimeConversions.TimestampMillisConversion());
        String brokers = arguments[0];
        boolean isSingleObject = arguments[1].equals("single-object");
        String registryUrl = arguments[2];
        Path schemaFile = Path.of(arguments[3]);
        List<String> topics = Arrays.asList(arguments).subList(4, arguments.length);

        Deserializer<GenericRecord> deserializer = isSingleObject ? singleObject(schemaFile) : confluent(registryUrl);
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);
        ObjectMapper mapper = new ObjectMapper();
        Class<?> decoder = isSingleObject ? Schema.class : AvroKafkaDeserializer.class;
        out.println(mapper.writeValueAsString(JSON.objectNode().put("version", version(decoder))));
        try (KafkaConsumer<byte[], GenericRecord> consumer =
                new KafkaConsumer<>(settings(brokers), new ByteArrayDeserializer(), deserializer)) {
            List<TopicPartition> partitions = new ArrayList<>();
            for (String topic : topics) {
                consumer.partitionsFor(topic).forEach(
                        partition -> partitions.add(new TopicPartition(topic, partition.partition())));
            }
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (partitions.stream().anyMatch(partition -> consumer.position(partition) < ends.get(partition))) {
                for (ConsumerRecord<byte[], GenericRecord> record : consumer.poll(Duration.ofSeconds(1))) {
                    out.println(mapper.writeValueAsString(json(record.value(), record.value().getSchema())));
                }
            }
        }
        out.flush();
    }

    private static Map<String, Object> settings(String brokers) {
        return Map.of(
                "bootstrap.servers", brokers,
                "enable.auto.commit", false,
                "isolation.level", "read_committed");
    }

    /** Avro's single-object encoding, by Avro itself, which knows the schema by its fingerprint. */
    private static Deserializer<GenericRecord> singleObject(Path schemaFile) throws Exception {
        Schema schema = new Schema.Parser().parse(schemaFile.toFile());
        BinaryMessageDecoder<GenericRecord> decoder = new BinaryMessageDecoder<>(DATA, schema);
        return (topic, value) -> {
            try {
                return decoder.decode(value);
            } catch (java.io.IOException error) {
                throw new java.io.UncheckedIOException(error);
            }
        };
    }

    /** Confluent's frame, by Apicurio's deserializer: it asks the registry by its own API, under the same ids. */
    private static Deserializer<GenericRecord> confluent(String registryUrl) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("apicurio.registry.url", URI.create(registryUrl).resolve("/apis/registry/v2").toString());
        settings.put("apicurio.registry.as-confluent", true);
        settings.put("apicurio.registry.use-id", "contentId");
        AvroKafkaDeserializer<GenericRecord> deserializer = new AvroKafkaDeserializer<>();
        deserializer.configure(settings, false);
        return deserializer;
    }

    private static JsonNode json(Object value, Schema schema) {
        if (value == null) {
            return JSON.nullNode();
        }
        switch (schema.getType()) {
            case UNION:
                return json(value, schema.getTypes().get(DATA.resolveUnion(schema, value)));
            case RECORD:
                ObjectNode record = JSON.objectNode();
                for (Schema.Field field : schema.getFields()) {
                    record.set(field.name(), json(((GenericRecord) value).get(field.pos()), field.schema()));
                }
                return record;
            case MAP:
                ObjectNode map = JSON.objectNode();
                ((Map<?, ?>) value).forEach((key, entry) -> map.set(key.toString(), json(entry, schema.getValueType())));
                return map;
            case BYTES:
                byte[] bytes = new byte[((ByteBuffer) value).remaining()];
                ((ByteBuffer) value).duplicate().get(bytes);
                return JSON.textNode(HexFormat.of().formatHex(bytes));
            case STRING:
                return JSON.textNode(value.toString());
            case BOOLEAN:
                return JSON.booleanNode((Boolean) value);
            case INT:
                return JSON.numberNode((Integer) value);
            case DOUBLE:
                return JSON.numberNode((Double) value);
            case LONG:
                if (schema.getLogicalType() == null) {
                    return JSON.numberNode((Long) value);
                }
                Instant instant = value instanceof Instant ? (Instant) value : Instant.ofEpochMilli((Long) value);
                return JSON.textNode(MILLISECONDS.format(instant));
            default:
                throw new IllegalArgumentException("no form for " + schema.getType());
        }
    }

    /** The version that stands in the name of the jar with this class. */
    private static String version(Class<?> part) {
        String jar = Path.of(part.getProtectionDomain().getCodeSource().getLocation().getPath()).getFileName().toString();
        return jar.replaceFirst("^.*?-(\\d.*)\\.jar$", "$1");
    }
}
