package peer;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** 128 bits of SHA-256 over fields, each preceded by its length as eight bytes, little-endian. */
final class EventId {
    private static final HexFormat HEX = HexFormat.of();

    private final MessageDigest digest;
    private final ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);

    EventId() {
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    EventId field(String text) {
        byte[] bytes = text == null ? new byte[0] : text.getBytes(StandardCharsets.UTF_8);
        return field(bytes, 0, bytes.length);
    }

    EventId field(byte[] bytes, int offset, int count) {
        digest.update(length.putLong(0, count).array());
        digest.update(bytes, offset, count);
        return this;
    }

    /** The id; the next field begins another one. */
    String finish() {
        return HEX.formatHex(digest.digest(), 0, 16);
    }
}
