package peer;

/** Phone numbers and senders. */
final class Addresses {
    /** GSM 03.40 leaves room for 11 characters of an alphanumeric sender. */
    private static final int ALPHANUMERIC_MAX = 11;

    private Addresses() {}

    /** An international phone number with a plus sign; null for what is none. */
    static String e164(String printed) {
        String raw = printed.strip();
        StringBuilder number = new StringBuilder(raw.length() + 1).append('+');
        for (int i = 0; i < raw.length(); i++) {
            char c = raw.charAt(i);
            if (c >= '0' && c <= '9') {
                number.append(c);
            } else if (!(c == '+' && i == 0) && c != ' ' && c != '-' && c != '.' && c != '(' && c != ')') {
                return null;
            }
        }
        int digits = number.length() - 1;
        return digits >= 7 && digits <= 15 && number.charAt(1) != '0' ? number.toString() : null;
    }

    static boolean isMail(String raw) {
        int at = raw.indexOf('@');
        return at > 0 && raw.indexOf('.', at + 1) >= 0;
    }

    static boolean isShortCode(String raw) {
        return raw.length() >= 3 && raw.length() <= 6 && raw.chars().allMatch(c -> c >= '0' && c <= '9');
    }

    static boolean isAlphanumericSender(String raw) {
        return raw.codePointCount(0, raw.length()) <= ALPHANUMERIC_MAX && raw.codePoints().anyMatch(Character::isAlphabetic);
    }
}
