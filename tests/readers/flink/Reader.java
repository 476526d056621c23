import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.HexFormat;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.runtime.util.EnvironmentInformation;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.JsonNodeFactory;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;

/**
 * Prints the rows of a table, one JSON object a line, in the form that {@code compare.rs} reads.
 *
 * <p>Argument: the statement that makes the table {@code envelopes}.
 */
public class Reader {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final DateTimeFormatter MILLISECONDS = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS'Z'");
    /** A stream has no end; this one ends where the topics end now. */
    private static final String QUERY = "SELECT * FROM envelopes /*+ OPTIONS('scan.bounded.mode' = 'latest-offset') */";

    public static void main(String[] arguments) throws Exception {
        Configuration configuration = new Configuration().set(CoreOptions.DEFAULT_PARALLELISM, 1);
        TableEnvironment tables = TableEnvironment.create(
                EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(configuration).build());
        tables.executeSql(arguments[0]);
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);
        ObjectMapper mapper = new ObjectMapper();
        out.println(mapper.writeValueAsString(JSON.objectNode().put("version", EnvironmentInformation.getVersion())));
        try (CloseableIterator<Row> rows = tables.executeSql(QUERY).collect()) {
            while (rows.hasNext()) {
                out.println(mapper.writeValueAsString(json(rows.next())));
            }
        }
        out.flush();
    }

    private static JsonNode json(Object value) {
        if (value == null) {
            return JSON.nullNode();
        } else if (value instanceof Row) {
            ObjectNode row = JSON.objectNode();
            for (String name : ((Row) value).getFieldNames(true)) {
                row.set(name, json(((Row) value).getField(name)));
            }
            return row;
        } else if (value instanceof Map) {
            ObjectNode map = JSON.objectNode();
            ((Map<?, ?>) value).forEach((key, entry) -> map.set((String) key, json(entry)));
            return map;
        } else if (value instanceof byte[]) {
            return JSON.textNode(HexFormat.of().formatHex((byte[]) value));
        } else if (value instanceof LocalDateTime) {
            return JSON.textNode(MILLISECONDS.format((LocalDateTime) value));
        } else if (value instanceof String) {
            return JSON.textNode((String) value);
        } else if (value instanceof Boolean) {
            return JSON.booleanNode((Boolean) value);
        } else if (value instanceof Integer) {
            return JSON.numberNode((Integer) value);
        } else if (value instanceof Long) {
            return JSON.numberNode((Long) value);
        } else if (value instanceof Double) {
            return JSON.numberNode((Double) value);
        }
        throw new IllegalArgumentException("no form for " + value.getClass());
    }
}
