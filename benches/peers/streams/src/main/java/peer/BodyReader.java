package peer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.exc.StreamReadException;
import java.io.CharConversionException;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Reads a body in one pass over its bytes. Nothing is given back before the whole body is known to be JSON. */
final class BodyReader {
    private static final JsonFactory JSON = new JsonFactory();
    private static final BigInteger TEXT_MIN = BigInteger.valueOf(Long.MIN_VALUE);
    private static final BigInteger TEXT_MAX = BigInteger.ONE.shiftLeft(64).subtract(BigInteger.ONE);

    private final JsonParser parser;
    private final byte[] body;

    private BodyReader(JsonParser parser, byte[] body) {
        this.parser = parser;
        this.body = body;
    }

    /**
     * The results in their order; none where the batch is empty.
     *
     * @throws Reject the body as a whole can't be read
     */
    static List<Item> read(byte[] body) throws Reject, IOException {
        try (JsonParser parser = JSON.createParser(body)) {
            List<Item> items = new BodyReader(parser, body).results();
            if (parser.nextToken() != null) {
                throw Reject.json();
            }
            return items;
        } catch (StreamReadException | CharConversionException e) {
            throw Reject.json();
        }
    }

    private List<Item> results() throws Reject, IOException {
        JsonToken first = parser.nextToken();
        if (first == null) {
            throw Reject.json();
        }
        if (first != JsonToken.START_OBJECT) {
            parser.skipChildren();
            endOfBody();
            throw Reject.shape("", "an object");
        }
        List<Item> items = null;
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            boolean isResults = parser.currentName().equals("results");
            JsonToken value = parser.nextToken();
            if (isResults && value == JsonToken.START_ARRAY) {
                items = new ArrayList<>();
                while (parser.nextToken() != JsonToken.END_ARRAY) {
                    items.add(item());
                }
            } else {
                parser.skipChildren();
            }
        }
        if (items == null) {
            endOfBody();
            throw Reject.shape("/results", "an array of records");
        }
        return items;
    }

    private void endOfBody() throws Reject, IOException {
        if (parser.nextToken() != null) {
            throw Reject.json();
        }
    }

    private Item item() throws IOException {
        Item item = new Item();
        item.start = (int) parser.currentTokenLocation().getByteOffset();
        if (parser.currentToken() != JsonToken.START_OBJECT) {
            item.reject(Reject.shape("", "an object"));
            parser.skipChildren();
            parser.finishToken();
        } else {
            fields(item);
        }
        item.end = (int) parser.currentLocation().getByteOffset();
        return item;
    }

    private void fields(Item item) throws IOException {
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String name = parser.currentName();
            JsonToken value = parser.nextToken();
            if (value == JsonToken.VALUE_NULL) {
                continue;
            }
            switch (name) {
                case "messageId" -> item.messageId = filled(text(item, "/messageId"));
                case "bulkId" -> item.bulkId = filled(text(item, "/bulkId"));
                case "to" -> item.to = filled(text(item, "/to"));
                case "sender" -> {
                    item.sender = filled(text(item, "/sender"));
                    item.hasSender = true;
                }
                case "sentAt" -> item.sentAt = filled(text(item, "/sentAt"));
                case "doneAt" -> item.doneAt = filled(text(item, "/doneAt"));
                case "mccMnc" -> item.mccMnc = filled(text(item, "/mccMnc"));
                case "callbackData" -> item.callbackData = filled(any());
                case "messageCount" -> item.messageCount = count(item, "/messageCount");
                case "price" -> {
                    if (isObject(item, "/price")) {
                        price(item);
                    }
                }
                case "status" -> {
                    item.hasStatus = true;
                    if (isObject(item, "/status")) {
                        status(item);
                    }
                }
                case "error" -> {
                    if (isObject(item, "/error")) {
                        error(item);
                    }
                }
                case "platform" -> {
                    item.hasPlatform = true;
                    if (isObject(item, "/platform")) {
                        platform(item);
                    }
                }
                default -> parser.skipChildren();
            }
        }
    }

    private void price(Item item) throws IOException {
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String name = parser.currentName();
            if (parser.nextToken() == JsonToken.VALUE_NULL) {
                continue;
            }
            switch (name) {
                case "pricePerMessage" -> item.amount = filled(any());
                case "currency" -> item.currency = filled(text(item, "/price/currency"));
                default -> parser.skipChildren();
            }
        }
    }

    private void status(Item item) throws IOException {
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String name = parser.currentName();
            if (parser.nextToken() == JsonToken.VALUE_NULL) {
                continue;
            }
            switch (name) {
                case "id" -> item.statusId = text(item, "/status/id");
                case "groupId" -> item.statusGroupId = count(item, "/status/groupId");
                case "groupName" -> item.statusGroupName = text(item, "/status/groupName");
                case "name" -> item.statusName = text(item, "/status/name");
                case "description" -> item.statusDescription = text(item, "/status/description");
                default -> parser.skipChildren();
            }
        }
    }

    private void error(Item item) throws IOException {
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String name = parser.currentName();
            if (parser.nextToken() == JsonToken.VALUE_NULL) {
                continue;
            }
            switch (name) {
                case "id" -> item.errorId = text(item, "/error/id");
                case "name" -> item.errorName = text(item, "/error/name");
                case "description" -> item.errorDescription = filled(text(item, "/error/description"));
                case "groupId" -> item.errorGroupId = filled(text(item, "/error/groupId"));
                case "groupName" -> item.errorGroupName = filled(text(item, "/error/groupName"));
                case "permanent" -> item.errorPermanent = flag(item, "/error/permanent");
                default -> parser.skipChildren();
            }
        }
    }

    private void platform(Item item) throws IOException {
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String name = parser.currentName();
            if (parser.nextToken() == JsonToken.VALUE_NULL) {
                continue;
            }
            switch (name) {
                case "entityId" -> item.entityId = filled(text(item, "/platform/entityId"));
                case "applicationId" -> item.applicationId = filled(text(item, "/platform/applicationId"));
                default -> parser.skipChildren();
            }
        }
    }

    private boolean isObject(Item item, String pointer) throws IOException {
        if (parser.currentToken() == JsonToken.START_OBJECT) {
            return true;
        }
        item.reject(Reject.shape(pointer, "an object"));
        parser.skipChildren();
        return false;
    }

    /** A text, or a whole number as its digits. */
    private String text(Item item, String pointer) throws IOException {
        switch (parser.currentToken()) {
            case VALUE_STRING:
                return parser.getText();
            case VALUE_NUMBER_INT:
                String digits = parser.getText();
                if (digits.length() < 19 || isInRange(digits)) {
                    return digits;
                }
                break;
            default:
                break;
        }
        item.reject(Reject.shape(pointer, "a text or a whole number of at most 19 digits"));
        parser.skipChildren();
        return null;
    }

    private static boolean isInRange(String digits) {
        BigInteger number = new BigInteger(digits);
        return number.compareTo(TEXT_MIN) >= 0 && number.compareTo(TEXT_MAX) <= 0;
    }

    private Integer count(Item item, String pointer) throws IOException {
        String text = text(item, pointer);
        if (text == null) {
            return null;
        }
        try {
            return Integer.valueOf(text.trim());
        } catch (NumberFormatException e) {
            item.reject(Reject.shape(pointer, "a whole number of at most 9 digits"));
            return null;
        }
    }

    private Boolean flag(Item item, String pointer) throws IOException {
        switch (parser.currentToken()) {
            case VALUE_TRUE:
                return Boolean.TRUE;
            case VALUE_FALSE:
                return Boolean.FALSE;
            case VALUE_STRING:
                String text = parser.getText();
                if (text.equalsIgnoreCase("true")) {
                    return Boolean.TRUE;
                }
                if (text.equalsIgnoreCase("false")) {
                    return Boolean.FALSE;
                }
                break;
            default:
                break;
        }
        item.reject(Reject.shape(pointer, "true or false"));
        parser.skipChildren();
        return null;
    }

    /** Any value as printed: a text without its quotes, an object or an array without white space. */
    private String any() throws IOException {
        if (!parser.currentToken().isStructStart()) {
            return parser.getText();
        }
        int start = (int) parser.currentTokenLocation().getByteOffset();
        parser.skipChildren();
        int end = (int) parser.currentLocation().getByteOffset();
        return compact(new String(body, start, end - start, StandardCharsets.UTF_8));
    }

    private static String compact(String json) {
        StringBuilder out = new StringBuilder(json.length());
        boolean isString = false;
        boolean isEscape = false;
        for (int i = 0; i < json.length(); i++) {
            char c = json.charAt(i);
            if (isEscape) {
                isEscape = false;
            } else if (c == '\\') {
                isEscape = true;
            } else if (c == '"') {
                isString = !isString;
            } else if (!isString && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
                continue;
            }
            out.append(c);
        }
        return out.toString();
    }

    private static String filled(String text) {
        return text == null || text.isEmpty() ? null : text;
    }
}
