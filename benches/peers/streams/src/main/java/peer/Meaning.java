package peer;

import java.util.Locale;
import java.util.Map;

/** What a status of an SMS means: by its id within its group, else by its group. */
record Meaning(String state, int rank, boolean isFinal, String reason) {
    private static final Meaning UNLISTED = new Meaning("UNKNOWN", 0, false, "unknown");
    private static final Meaning ACCEPTED = new Meaning("ACCEPTED", 10, false, null);
    private static final Meaning SENT = new Meaning("SENT", 20, false, null);
    private static final Meaning UNDELIVERED = new Meaning("UNDELIVERED", 40, true, null);
    private static final Meaning DELIVERED = new Meaning("DELIVERED", 40, true, null);
    private static final Meaning EXPIRED = new Meaning("EXPIRED", 40, true, "expired");
    private static final Meaning REJECTED = new Meaning("REJECTED", 40, true, null);

    /** By the group's number. */
    private static final Meaning[] GROUPS = {ACCEPTED, SENT, UNDELIVERED, DELIVERED, EXPIRED, REJECTED};

    private static final Map<String, Integer> GROUP_NUMBERS = Map.of(
            "ACCEPTED", 0, "OK", 0, "PENDING", 1, "UNDELIVERABLE", 2, "DELIVERED", 3, "EXPIRED", 4, "REJECTED", 5);

    static Meaning of(Integer groupId, String groupName, String id) {
        Integer group = groupId;
        if (group == null && groupName != null) {
            group = GROUP_NUMBERS.get(groupName.toUpperCase(Locale.ROOT));
        }
        if (group == null || group < 0 || group >= GROUPS.length) {
            return UNLISTED;
        }
        if (group == 1 && "26".equals(id)) {
            return ACCEPTED; // PENDING_ACCEPTED: taken, and nothing sent yet.
        }
        if (group == 3 && "2".equals(id)) {
            return SENT; // DELIVERED_TO_OPERATOR: the handset's answer is still to come.
        }
        return GROUPS[group];
    }
}
