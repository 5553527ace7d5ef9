//! tonic's client: GetProdStock, again and again, on one channel and one thread, with a task for each call in flight.
//!
//! client TARGET IN_FLIGHT SECONDS: keeps that many calls in flight; says what they cost, as ../../tally.h does.
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tonic::transport::{Channel, Endpoint};

mod prod {
    tonic::include_proto!("_");
}
use prod::prod_service_client::ProdServiceClient;
use prod::ProdRequest;

const WARM_UP: Duration = Duration::from_millis(500);

#[derive(Default)]
struct Tally {
    calls: Cell<u64>,
    wrong: Cell<u64>,
    stopping: Cell<bool>,
}

async fn call_again_and_again(mut client: ProdServiceClient<Channel>, tally: Rc<Tally>) {
    let mut prod_id = 0;
    while !tally.stopping.get() {
        prod_id = prod_id % 1000 + 1;
        let answer = client.get_prod_stock(ProdRequest { prod_id }).await;
        tally.calls.set(tally.calls.get() + 1);
        if !answer.is_ok_and(|answer| answer.get_ref().prod_stock == prod_id * 20) {
            tally.wrong.set(tally.wrong.get() + 1);
        }
    }
}

fn processor_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a timespec that the call may write to.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

async fn measure(target: String, in_flight: usize, seconds: f64) -> Result<bool, Box<dyn std::error::Error>> {
    let channel = Endpoint::from_shared(format!("http://{target}"))?.tcp_nodelay(true).connect().await?;
    let tally = Rc::new(Tally::default());
    let callers: Vec<_> = (0..in_flight)
        .map(|_| tokio::task::spawn_local(call_again_and_again(ProdServiceClient::new(channel.clone()), tally.clone())))
        .collect();
    tokio::time::sleep(WARM_UP).await;
    let (calls_before, processor_before, begin) = (tally.calls.get(), processor_seconds(), Instant::now());
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    let calls = tally.calls.get() - calls_before;
    let (processor_s, wall_s) = (processor_seconds() - processor_before, begin.elapsed().as_secs_f64());
    tally.stopping.set(true);
    for caller in callers {
        caller.await?;
    }
    let (total, wrong) = (tally.calls.get(), tally.wrong.get());
    println!(
        "{{\"calls\": {calls}, \"wall_s\": {wall_s}, \"processor_s\": {processor_s}, \"calls_total\": {total}, \"wrong\": {wrong}}}"
    );
    Ok(calls > 0 && wrong == 0)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() != 4 {
        return Err("usage: client TARGET IN_FLIGHT SECONDS".into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    let measuring = measure(arguments[1].clone(), arguments[2].parse()?, arguments[3].parse()?);
    if !local.block_on(&runtime, measuring)? {
        std::process::exit(1);
    }
    Ok(())
}
