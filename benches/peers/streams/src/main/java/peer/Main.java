package peer;

import event_normalizer.Envelope;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;
import org.apache.avro.SchemaParseException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads Infobip's delivery reports of SMS and writes one envelope for each result. */
public final class Main {
    private static final Logger LOG = LoggerFactory.getLogger(Main.class);

    private static final String SOURCE = "reports";
    private static final String NORMALIZER = "normalizer";
    static final String EVENTS = "events";
    static final String DEAD_LETTERS = "dead-letters";

    private Main() {}

    public static void main(String[] arguments) throws Exception {
        Settings settings;
        try {
            settings = Settings.of(System.getenv());
            checkSchema(settings);
        } catch (IllegalArgumentException | IOException | SchemaParseException e) {
            System.err.println("error: " + e.getMessage());
            System.exit(78);
            return;
        }

        KafkaStreams streams = new KafkaStreams(topology(settings), settings.streams());
        streams.setUncaughtExceptionHandler(e -> {
            LOG.error("a stream thread ended and is replaced", e);
            return StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        streams.setStateListener((now, before) -> LOG.info("{} after {}", now, before));
        CountDownLatch closed = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(
                () -> {
                    boolean isClean = streams.close(Duration.ofSeconds(25));
                    closed.countDown();
                    // A JVM that a signal ends would not exit with 0.
                    Runtime.getRuntime().halt(isClean ? 0 : 1);
                },
                "shutdown"));
        streams.start();
        closed.await();
    }

    /** The classes are made of the schema at build time; another schema would be written wrongly under the given id. */
    private static void checkSchema(Settings settings) throws IOException {
        Schema schema = new Schema.Parser().parse(settings.schema().toFile());
        long expected = SchemaNormalization.parsingFingerprint64(Envelope.getClassSchema());
        if (SchemaNormalization.parsingFingerprint64(schema) != expected) {
            throw new IllegalArgumentException(settings.schema() + " is not the schema that this program was built with");
        }
    }

    static Topology topology(Settings settings) {
        ByteArraySerializer serializer = new ByteArraySerializer();
        return new Topology()
                .addSource(SOURCE, new ByteArrayDeserializer(), new ByteArrayDeserializer(), settings.input())
                .addProcessor(NORMALIZER, () -> new Normalizer(settings.schemaId()), SOURCE)
                .addSink(EVENTS, settings.events(), serializer, serializer, NORMALIZER)
                .addSink(DEAD_LETTERS, settings.deadLetters(), serializer, serializer, NORMALIZER);
    }
}
