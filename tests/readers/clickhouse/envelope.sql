-- Reads the topic, one or several separated by commas.
CREATE TABLE envelopes_queue (
    event_id String,
    event_type String,
    channel String,
    vendor String,
    vendor_event String,
    vendor_format Nullable(String),
    account Nullable(String),
    occurred_at Nullable(DateTime64(3, 'UTC')),
    occurred_at_zone Nullable(String),
    received_at DateTime64(3, 'UTC'),
    direction String,
    contact Nullable(Tuple(
        address Nullable(String),
        address_kind Nullable(String),
        raw_address Nullable(String),
        profile_id Nullable(String),
        display_name Nullable(String))),
    business Nullable(Tuple(
        address Nullable(String),
        address_kind Nullable(String),
        raw_address Nullable(String))),
    message Nullable(Tuple(
        message_id Nullable(String),
        bulk_id Nullable(String),
        reference Nullable(String),
        paired_message_id Nullable(String),
        conversation_id Nullable(String),
        campaign_id Nullable(String),
        template_id Nullable(String),
        application_id Nullable(String),
        entity_id Nullable(String),
        parts Nullable(Int32),
        network Nullable(String))),
    status Nullable(Tuple(
        state String,
        state_rank Int32,
        is_final Bool,
        reason Nullable(String),
        is_permanent Nullable(Bool),
        vendor_code Nullable(String),
        vendor_name Nullable(String),
        vendor_group Nullable(String),
        description Nullable(String),
        error_code Nullable(String),
        error_name Nullable(String))),
    content Nullable(Tuple(
        kind Nullable(String),
        text Nullable(String),
        media_url Nullable(String),
        media_type Nullable(String),
        file_name Nullable(String),
        reply_id Nullable(String),
        latitude Nullable(Float64),
        longitude Nullable(Float64),
        json Nullable(String))),
    engagement Nullable(Tuple(
        url Nullable(String),
        is_unique Nullable(Bool),
        user_agent Nullable(String),
        device_type Nullable(String),
        operating_system Nullable(String),
        ip Nullable(String),
        country Nullable(String),
        city Nullable(String))),
    consent Nullable(Tuple(
        state Nullable(String),
        scope_kind Nullable(String),
        scope_value Nullable(String))),
    voice_call Nullable(Tuple(
        call_id Nullable(String),
        conference_id Nullable(String),
        dialog_id Nullable(String),
        state Nullable(String),
        started_at Nullable(DateTime64(3, 'UTC')),
        answered_at Nullable(DateTime64(3, 'UTC')),
        ended_at Nullable(DateTime64(3, 'UTC')),
        duration_ms Nullable(Int64),
        hangup_cause Nullable(String),
        recording_url Nullable(String))),
    cost Nullable(Tuple(
        amount Nullable(String),
        currency Nullable(String),
        units Nullable(String))),
    attributes Map(String, String),
    source Tuple(
        kafka_topic String,
        kafka_partition Int32,
        kafka_offset Int64,
        item_index Int32,
        item_count Int32),
    payload Nullable(String)
) ENGINE = Kafka
SETTINGS
    kafka_broker_list = 'localhost:9092',
    kafka_topic_list = 'events.sms',
    kafka_group_name = 'my-group',
    kafka_format = 'AvroConfluent',
    format_avro_schema_registry_url = 'http://localhost:8081';

-- Keeps what was read.
CREATE TABLE envelopes AS envelopes_queue
ENGINE = MergeTree ORDER BY (event_type, received_at);

-- Moves it there.
CREATE MATERIALIZED VIEW envelopes_view TO envelopes AS
SELECT * FROM envelopes_queue;
