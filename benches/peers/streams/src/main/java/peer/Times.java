package peer;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.format.ResolverStyle;
import java.time.temporal.ChronoField;
import java.time.temporal.ChronoUnit;
import java.time.temporal.TemporalAccessor;

/** Infobip's times: ISO 8601, with an offset with or without colon, or none; or milliseconds or seconds since 1970. */
final class Times {
    private static final DateTimeFormatter FORMAT = new DateTimeFormatterBuilder()
            .append(DateTimeFormatter.ISO_LOCAL_DATE_TIME)
            .appendPattern("[XX][XXX]")
            .toFormatter()
            .withResolverStyle(ResolverStyle.STRICT);
    private static final int FRACTION_MAX = 9;

    private Times() {}

    /** A time, cut to milliseconds, and the zone that had to be assumed. */
    record Time(Instant instant, String zone) {}

    /** Null for what is no time. */
    static Time read(String printed) {
        String text = printed.strip();
        try {
            if (text.length() >= 9 && text.chars().allMatch(c -> c >= '0' && c <= '9')) {
                long number = Long.parseLong(text);
                return new Time(text.length() >= 12 ? Instant.ofEpochMilli(number) : Instant.ofEpochSecond(number), null);
            }
            TemporalAccessor parsed = FORMAT.parse(cutFraction(text));
            LocalDateTime local = LocalDateTime.from(parsed);
            boolean hasOffset = parsed.isSupported(ChronoField.OFFSET_SECONDS);
            ZoneOffset offset = hasOffset ? ZoneOffset.from(parsed) : ZoneOffset.UTC;
            return new Time(local.toInstant(offset).truncatedTo(ChronoUnit.MILLIS), hasOffset ? null : "UTC");
        } catch (DateTimeException | NumberFormatException e) {
            return null;
        }
    }

    /** Leaves out digits of a fraction beyond the ninth. */
    private static String cutFraction(String text) {
        int dot = text.indexOf('.');
        if (dot < 0) {
            return text;
        }
        int end = dot + 1;
        while (end < text.length() && text.charAt(end) >= '0' && text.charAt(end) <= '9') {
            end++;
        }
        return end - dot - 1 <= FRACTION_MAX ? text : text.substring(0, dot + 1 + FRACTION_MAX) + text.substring(end);
    }
}
