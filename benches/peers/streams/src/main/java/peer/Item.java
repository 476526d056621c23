package peer;

import java.util.Arrays;

/** One result of a body, as it was read: its place in the body's bytes and its fields. Null is what is absent. */
final class Item {
    /** The first field that could not be read. */
    Reject reject;

    int start;
    int end;

    String messageId;
    String bulkId;
    String to;
    String sender;
    String sentAt;
    String doneAt;
    String mccMnc;
    String callbackData;
    Integer messageCount;
    boolean hasSender;

    boolean hasPlatform;
    String entityId;
    String applicationId;

    String amount;
    String currency;

    boolean hasStatus;
    String statusId;
    Integer statusGroupId;
    String statusGroupName;
    String statusName;
    String statusDescription;

    String errorId;
    String errorName;
    String errorDescription;
    String errorGroupId;
    String errorGroupName;
    Boolean errorPermanent;

    byte[] bytes(byte[] body) {
        return Arrays.copyOfRange(body, start, end);
    }

    void reject(Reject first) {
        if (reject == null) {
            reject = first;
        }
    }
}
