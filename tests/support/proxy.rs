//! A TCP proxy in front of a broker: knows of Kafka's protocol how long a request is and what kind it is, and can delay,
//! cut, deliver late, or send astray.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

use super::lock;

/// How long a batch is held back before it is misdirected: the client sends more meanwhile.
const HOLD: Duration = Duration::from_millis(100);

/// A partition that no topic has.
const NO_PARTITION: i32 = 99_999;

/// How long the connection of a late request stays open after it was delivered.
const LINGER: Duration = Duration::from_secs(5);

/// No request is longer.
const REQUEST_MAX: usize = 100 << 20;

// Kinds of requests, by Kafka's API keys.
const PRODUCE: i16 = 0;
const INIT_PRODUCER_ID: i16 = 22;
const ADD_PARTITIONS_TO_TXN: i16 = 24;
const ADD_OFFSETS_TO_TXN: i16 = 25;
const END_TXN: i16 = 26;

/// A proxy that runs until the test process ends.
pub struct Proxy(Arc<Faults>);

/// Name of the topic, and number.
type Partition = (Vec<u8>, i32);

/// What the proxy does to requests now. Delays are in milliseconds.
#[derive(Default)]
struct Faults {
    coordinator_delay: AtomicU64,
    produce_delay: AtomicU64,
    /// Delays of the next requests that end a transaction.
    late_ends: Mutex<Vec<Duration>>,
    late_ends_delivered: AtomicUsize,
    /// The partitions whose first batch was misdirected; none where that is not asked for.
    misdirected: Mutex<Option<HashSet<Partition>>>,
    /// Counts the cuts of connections to the transaction coordinator.
    cuts: watch::Sender<usize>,
}

impl Proxy {
    /// Listens on `port` and passes on to `broker`.
    pub fn start(port: u16, broker: u16) -> Result<Proxy> {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, port)).context("open the proxy's port")?;
        listener.set_nonblocking(true)?;
        let broker = SocketAddr::from((Ipv4Addr::LOCALHOST, broker));
        let faults = Arc::new(Faults::default());
        let shared = Arc::clone(&faults);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name(format!("proxy-{port}")).spawn(move || {
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).expect("a listener");
                loop {
                    if let Ok((client, _)) = listener.accept().await {
                        tokio::spawn(serve(client, broker, Arc::clone(&shared)));
                    }
                }
            })
        })?;
        Ok(Proxy(faults))
    }

    /// Delays every request to the transaction coordinator; zero ends that.
    pub fn delay_coordinator(&self, delay: Duration) {
        self.0.coordinator_delay.store(delay.as_millis() as u64, Ordering::Relaxed);
    }

    /// Delays every produce request, as a slow disk does; zero ends that.
    pub fn delay_produce(&self, delay: Duration) {
        self.0.produce_delay.store(delay.as_millis() as u64, Ordering::Relaxed);
    }

    /// Cuts every connection on which a transaction coordinator was asked something.
    pub fn cut_coordinator(&self) {
        self.0.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Of the next requests that end a transaction, as many as there are delays: cuts the client off, and delivers the
    /// request so much later, when the client has long asked again.
    pub fn deliver_ends_late(&self, delays: Vec<Duration>) {
        *lock(&self.0.late_ends) = delays;
    }

    /// How many ends of transactions were delivered late so far.
    pub fn late_ends_delivered(&self) -> usize {
        self.0.late_ends_delivered.load(Ordering::Relaxed)
    }

    /// Has the first batch for each partition refused, while the batches behind it are taken: what a leader does that is
    /// not ready when the first one comes.
    pub fn misdirect_first_batches(&self) {
        *lock(&self.0.misdirected) = Some(HashSet::new());
    }

    /// How many batches were misdirected since that was asked for; they are no more from here on.
    pub fn batches_misdirected(&self) -> usize {
        lock(&self.0.misdirected).take().map_or(0, |partitions| partitions.len())
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.delay_coordinator(Duration::ZERO);
        self.delay_produce(Duration::ZERO);
        self.deliver_ends_late(Vec::new());
        *lock(&self.0.misdirected) = None;
    }
}

impl Faults {
    /// Whether this request has the first batch for its partition, and is misdirected now.
    fn misdirect(&self, request: &mut [u8]) -> bool {
        let mut misdirected = lock(&self.misdirected);
        let Some(partitions) = misdirected.as_mut() else { return false };
        let Some((topic, number)) = produced_partition(request) else { return false };
        let partition = i32::from_be_bytes(request[number..][..4].try_into().expect("four bytes"));
        let is_first = partitions.insert((request[topic].to_vec(), partition));
        if is_first {
            request[number..][..4].copy_from_slice(&NO_PARTITION.to_be_bytes());
        }
        is_first
    }
}

/// Where a produce request has the name of its topic and the number of its partition: librdkafka writes one of each. None
/// of versions before 9, which are laid out otherwise.
fn produced_partition(request: &[u8]) -> Option<(Range<usize>, usize)> {
    const VERSION: usize = 6;
    const CLIENT_ID: usize = 12;
    let version = i16::from_be_bytes(request.get(VERSION..VERSION + 2)?.try_into().ok()?);
    let client_id = i16::from_be_bytes(request.get(CLIENT_ID..CLIENT_ID + 2)?.try_into().ok()?);
    if version < 9 {
        return None;
    }
    // Behind the client's id stand tags, of which there are none.
    let mut at = CLIENT_ID + 2 + usize::try_from(client_id).ok()? + 1;
    skip_compact(request, &mut at)?; // The transactional id.
    at += 2 + 4; // Acknowledgments and time-out.
    read_varint(request, &mut at)?; // One topic.
    let topic = skip_compact(request, &mut at)?;
    read_varint(request, &mut at)?; // One partition.
    request.get(at..at + 4)?;
    Some((topic, at))
}

/// Steps over a string with its length before it, and says where it stands.
fn skip_compact(bytes: &[u8], at: &mut usize) -> Option<Range<usize>> {
    // One more than the length; zero is null.
    let length = read_varint(bytes, at)?.saturating_sub(1);
    let start = *at;
    *at += length;
    bytes.get(start..*at).map(|_| start..*at)
}

fn read_varint(bytes: &[u8], at: &mut usize) -> Option<usize> {
    let mut value = 0;
    for shift in [0, 7, 14, 21, 28] {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= usize::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Why a connection's requests are not passed on any more.
enum End {
    Closed,
    /// This request is to be delivered later.
    Late(Vec<u8>, Duration),
}

async fn serve(client: TcpStream, broker: SocketAddr, faults: Arc<Faults>) {
    // A broker that is down is seen by the client as a connection that closes.
    let Ok(broker) = TcpStream::connect(broker).await else { return };
    if client.set_nodelay(true).and(broker.set_nodelay(true)).is_err() {
        return;
    }
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_broker, mut to_broker) = broker.into_split();
    let asks_coordinator = AtomicBool::new(false);
    let end = tokio::select! {
        end = pass_requests(&mut from_client, &mut to_broker, &asks_coordinator, &faults) => end,
        _ = copy(&mut from_broker, &mut to_client) => End::Closed,
        () = cut(&asks_coordinator, &faults) => End::Closed,
    };
    // The client sees the end of its connection here; the broker only further down.
    drop((from_client, to_client));
    if let End::Late(request, delay) = end {
        sleep(delay).await;
        if to_broker.write_all(&request).await.is_ok() {
            faults.late_ends_delivered.fetch_add(1, Ordering::Relaxed);
            // The answer has no reader; the connection stays until it must have been handled.
            sleep(LINGER).await;
        }
    }
}

/// Waits for a cut that means this connection.
async fn cut(asks_coordinator: &AtomicBool, faults: &Faults) {
    let mut cuts = faults.cuts.subscribe();
    while cuts.changed().await.is_ok() && !asks_coordinator.load(Ordering::Relaxed) {}
}

async fn pass_requests(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    asks_coordinator: &AtomicBool,
    faults: &Faults,
) -> End {
    let mut is_coordinator = false;
    loop {
        let Some(mut request) = read_request(from).await else { return End::Closed };
        let kind = i16::from_be_bytes([request[4], request[5]]);
        is_coordinator |= matches!(kind, INIT_PRODUCER_ID | ADD_PARTITIONS_TO_TXN | ADD_OFFSETS_TO_TXN | END_TXN);
        asks_coordinator.store(is_coordinator, Ordering::Relaxed);
        if kind == END_TXN
            && let Some(delay) = lock(&faults.late_ends).pop()
        {
            return End::Late(request, delay);
        }
        if kind == PRODUCE && faults.misdirect(&mut request) {
            sleep(HOLD).await;
        }
        let delay = match kind {
            PRODUCE => &faults.produce_delay,
            _ if is_coordinator => &faults.coordinator_delay,
            _ => &AtomicU64::new(0),
        };
        let delay = delay.load(Ordering::Relaxed);
        if delay > 0 {
            sleep(Duration::from_millis(delay)).await;
        }
        if to.write_all(&request).await.is_err() {
            return End::Closed;
        }
    }
}

/// A request with its length before it; none where the connection ends, or what comes is no request.
async fn read_request(from: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length).await.ok()?;
    let count = usize::try_from(i32::from_be_bytes(length)).ok().filter(|count| (2..REQUEST_MAX).contains(count))?;
    let mut request = vec![0; 4 + count];
    request[..4].copy_from_slice(&length);
    from.read_exact(&mut request[4..]).await.ok()?;
    Some(request)
}
