//! zarrs on one cell of bench_arrays.c: peer_zarrs CODEC OP DIR SIDE CHUNK INNER
//!
//! DIR holds the array "x"; for "write" the metadata lies there already and the data in the file
//! that $BENCH_DATA names. How many threads rayon has is set by $RAYON_NUM_THREADS.
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Instant;

use zarrs::array::{
    Array, ArrayShardedReadableExt, ArrayShardedReadableExtCache, ArraySubset, CodecOptions,
};
use zarrs::filesystem::FilesystemStore;

type Error = Box<dyn std::error::Error>;
type Cube = Array<FilesystemStore>;

const BOX: u64 = 32;
const BOXES: u64 = 200;

/// What a cell gives: items, nanoseconds, bytes an item has, check sum.
struct Figures(u64, u128, u64, u64);

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn load_data() -> Result<Vec<u16>, Error> {
    use std::io::Read;
    let mut file = std::fs::File::open(std::env::var("BENCH_DATA")?)?;
    let mut out = vec![0u16; (file.metadata()?.len() / 2) as usize];
    // A u16 is two plain bytes: the vector is filled as it lies.
    let bytes =
        unsafe { std::slice::from_raw_parts_mut(out.as_mut_ptr().cast::<u8>(), out.len() * 2) };
    file.read_exact(bytes)?;
    Ok(out)
}

fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

fn write(array: &Cube) -> Result<Figures, Error> {
    let data = load_data()?;
    let begun = Instant::now();
    array.store_array_subset(&array.subset_all(), data.as_slice())?;
    Ok(Figures(1, begun.elapsed().as_nanos(), data.len() as u64 * 2, 0))
}

fn read(array: &Cube) -> Result<Figures, Error> {
    let begun = Instant::now();
    let out: Vec<u16> = array.retrieve_array_subset(&array.subset_all())?;
    let passed = begun.elapsed().as_nanos();
    let check = out[out.len() / 3];
    Ok(Figures(1, passed, out.len() as u64 * 2, u64::from(check)))
}

/// A box, through the cache of shard indexes where the array is sharded.
fn read_box(
    array: &Cube,
    cache: Option<&ArrayShardedReadableExtCache>,
    start: [u64; 3],
    side: u64,
) -> Result<u64, Error> {
    let subset = ArraySubset::new_with_start_shape(start.to_vec(), vec![side; 3])?;
    let out: Vec<u16> = match cache {
        Some(cache) => {
            array.retrieve_array_subset_sharded_opt(cache, &subset, &CodecOptions::default())?
        }
        None => array.retrieve_array_subset(&subset)?,
    };
    Ok(u64::from(out[out.len() - 1]))
}

fn boxes(array: &Cube, side: u64, sharded: bool) -> Result<Figures, Error> {
    let cache = sharded.then(|| ArrayShardedReadableExtCache::new(array));
    let (mut state, mut check) = (2, 0);
    let begun = Instant::now();
    for _ in 0..BOXES {
        let start = [(); 3].map(|()| random(&mut state) % (side - BOX + 1));
        check += read_box(array, cache.as_ref(), start, BOX)?;
    }
    Ok(Figures(BOXES, begun.elapsed().as_nanos(), BOX.pow(3) * 2, check))
}

fn chunks(
    array: &Cube,
    side: u64,
    chunk: u64,
    inner: bool,
    threads: usize,
) -> Result<Figures, Error> {
    let cache = inner.then(|| ArrayShardedReadableExtCache::new(array));
    let along = side / chunk;
    let (next, check) = (AtomicUsize::new(0), AtomicU64::new(0));
    let work = || loop {
        let i = next.fetch_add(1, Ordering::Relaxed) as u64;
        if i >= along.pow(3) {
            return;
        }
        let index = [i / along / along, i / along % along, i % along];
        let last = if inner {
            read_box(array, cache.as_ref(), index.map(|n| n * chunk), chunk).unwrap()
        } else {
            let out: Vec<u16> = array.retrieve_chunk(&index).unwrap();
            u64::from(out[out.len() - 1])
        };
        check.fetch_add(last, Ordering::Relaxed);
    };
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let passed = begun.elapsed().as_nanos();
    Ok(Figures(along.pow(3), passed, chunk.pow(3) * 2, check.into_inner()))
}

fn main() -> Result<(), Error> {
    let args: Vec<String> = std::env::args().collect();
    let [_, codec, op, dir, side, chunk, inner] = args.as_slice() else {
        return Err("usage: peer_zarrs CODEC OP DIR SIDE CHUNK INNER".into());
    };
    let (side, chunk, inner): (u64, u64, u64) = (side.parse()?, chunk.parse()?, inner.parse()?);
    let array = Array::open(Arc::new(FilesystemStore::new(dir)?), "/x")?;
    let Figures(items, ns, bytes, check) = match op.as_str() {
        "write" => write(&array)?,
        "read" => read(&array)?,
        "boxes" => boxes(&array, side, inner > 0)?,
        "chunks1" => chunks(&array, side, chunk, false, 1)?,
        "chunks8" => chunks(&array, side, chunk, false, 8)?,
        "inner1" => chunks(&array, side, inner, true, 1)?,
        "inner8" => chunks(&array, side, inner, true, 8)?,
        _ => return Err("no such cell".into()),
    };
    println!(
        "{{\"case\":\"arrays/{}/{codec}/{op}/zarrs\",\"items\":{items},\"ns_per_item\":{:.2},\
         \"bytes_per_item\":{bytes},\"peak_rss\":{},\"check\":{check}}}",
        side.pow(3) * 2 >> 20,
        ns as f64 / items as f64,
        peak_bytes()
    );
    Ok(())
}
