package peer;

import event_normalizer.Business;
import event_normalizer.Contact;
import event_normalizer.Cost;
import event_normalizer.Envelope;
import event_normalizer.Message;
import event_normalizer.Source;
import event_normalizer.Status;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.kafka.streams.processor.api.RecordMetadata;

/** Makes an envelope of a result. Not for several threads at once. */
final class EnvelopeMaker {
    static final String VENDOR = "infobip";
    private static final String EVENT = "DELIVERY";

    private final EventId eventId = new EventId();

    Envelope make(Item item, byte[] body) throws Reject {
        if (!item.hasStatus && (item.reject == null || body[item.start] == '{')) {
            throw Reject.unknownEvent();
        }
        if (item.reject != null) {
            throw item.reject;
        }
        if (isWordless(item)) {
            throw Reject.shape("/status", "a status with groupId, groupName, id or name");
        }
        Envelope envelope = new Envelope();
        envelope.setEventType("message.status");
        envelope.setChannel("sms");
        envelope.setVendor(VENDOR);
        envelope.setVendorEvent(EVENT);
        if (item.messageCount != null && (item.hasSender || item.hasPlatform)) {
            envelope.setVendorFormat("delivery.sms.v4.json");
        }
        if (item.doneAt != null) {
            Times.Time time = Times.read(item.doneAt);
            if (time == null) {
                throw Reject.timestamp("/doneAt");
            }
            envelope.setOccurredAt(time.instant());
            envelope.setOccurredAtZone(time.zone());
        }
        envelope.setDirection("outbound");
        envelope.setContact(contact(item.to));
        envelope.setBusiness(business(item.sender));
        envelope.setMessage(message(item));
        envelope.setStatus(status(item));
        if (item.amount != null) {
            envelope.setCost(new Cost(item.amount, item.currency, null));
        }
        envelope.setAttributes(attributes(item));
        envelope.setPayload(ByteBuffer.wrap(body, item.start, item.end - item.start));
        envelope.setEventId(id(item, body));
        return envelope;
    }

    void source(Envelope envelope, RecordMetadata metadata, int index, int count, long timestamp) {
        envelope.setReceivedAt(Instant.ofEpochMilli(timestamp));
        envelope.setSource(new Source(metadata.topic(), metadata.partition(), metadata.offset(), index, count));
    }

    /** So that one message's life stays in order in one partition. */
    static String key(Envelope envelope) {
        Message message = envelope.getMessage();
        if (message != null && message.getMessageId() != null) {
            return message.getMessageId();
        }
        Contact contact = envelope.getContact();
        return contact != null ? contact.getAddress() : envelope.getEventId();
    }

    private String id(Item item, byte[] body) {
        eventId.field(VENDOR).field("").field(EVENT);
        if (item.messageId == null) {
            return eventId.field(body, item.start, item.end - item.start).finish();
        }
        return eventId.field(item.messageId)
                .field(item.statusGroupName)
                .field(item.statusId)
                .field(item.statusName)
                .field(item.doneAt)
                .field(item.to)
                .finish();
    }

    private static boolean isWordless(Item item) {
        return item.statusGroupId == null
                && isAbsent(item.statusGroupName)
                && isAbsent(item.statusId)
                && isAbsent(item.statusName);
    }

    private static boolean isAbsent(String word) {
        return word == null || word.isEmpty();
    }

    private static Contact contact(String printed) {
        if (printed == null) {
            return null;
        }
        String number = Addresses.e164(printed);
        return number != null
                ? new Contact(number, "phone", printed, null, null)
                : new Contact(printed, "other", printed, null, null);
    }

    private static Business business(String printed) {
        if (printed == null) {
            return null;
        }
        if (Addresses.isMail(printed)) {
            return new Business(printed.toLowerCase(java.util.Locale.ROOT), "email", printed);
        }
        if (Addresses.isShortCode(printed)) {
            return new Business(printed, "short_code", printed);
        }
        String number = Addresses.e164(printed);
        if (number != null) {
            return new Business(number, "phone", printed);
        }
        return new Business(printed, Addresses.isAlphanumericSender(printed) ? "alphanumeric" : "other", printed);
    }

    private static Message message(Item item) {
        boolean isEmpty = item.messageId == null
                && item.bulkId == null
                && item.callbackData == null
                && item.applicationId == null
                && item.entityId == null
                && item.messageCount == null
                && item.mccMnc == null;
        if (isEmpty) {
            return null;
        }
        Message message = new Message();
        message.setMessageId(item.messageId);
        message.setBulkId(item.bulkId);
        message.setReference(item.callbackData);
        message.setApplicationId(item.applicationId);
        message.setEntityId(item.entityId);
        message.setParts(item.messageCount);
        message.setNetwork(item.mccMnc);
        return message;
    }

    private static Status status(Item item) {
        Meaning meaning = Meaning.of(item.statusGroupId, item.statusGroupName, item.statusId);
        Status status = new Status();
        status.setState(meaning.state());
        status.setStateRank(meaning.rank());
        status.setIsFinal(meaning.isFinal());
        status.setReason(meaning.reason());
        status.setIsPermanent(item.errorPermanent);
        status.setVendorCode(item.statusId);
        status.setVendorName(item.statusName);
        status.setVendorGroup(item.statusGroupName);
        status.setDescription(item.statusDescription);
        status.setErrorCode(item.errorId);
        status.setErrorName(item.errorName);
        return status;
    }

    private static Map<String, String> attributes(Item item) {
        Map<String, String> attributes = new LinkedHashMap<>();
        put(attributes, "sentAt", item.sentAt);
        put(attributes, "status.groupId", item.statusGroupId == null ? null : item.statusGroupId.toString());
        put(attributes, "error.groupId", item.errorGroupId);
        put(attributes, "error.groupName", item.errorGroupName);
        put(attributes, "error.description", item.errorDescription);
        return attributes;
    }

    private static void put(Map<String, String> attributes, String name, String value) {
        if (value != null) {
            attributes.put(name, value);
        }
    }
}
