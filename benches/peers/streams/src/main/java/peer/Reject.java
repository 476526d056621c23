package peer;

/** Why an item, or a whole body, becomes a dead letter. */
final class Reject extends Exception {
    private static final long serialVersionUID = 1;

    private final String reason;
    private final String detail;

    private Reject(String reason, String detail) {
        super(reason + ": " + detail, null, false, false);
        this.reason = reason;
        this.detail = detail;
    }

    static Reject json() {
        return new Reject("invalid_json", "expected JSON");
    }

    static Reject shape(String pointer, String expected) {
        return new Reject("invalid_shape", pointer + ": expected " + expected);
    }

    static Reject timestamp(String pointer) {
        return new Reject("invalid_timestamp", pointer + ": expected a time that the vendor documents");
    }

    static Reject unknownEvent() {
        return new Reject("unknown_event", "the result has no status");
    }

    String reason() {
        return reason;
    }

    String detail() {
        return detail;
    }
}
