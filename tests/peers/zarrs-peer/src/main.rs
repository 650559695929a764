//! Arrays of a directory through zarrs, as zarr_tool.c does it for us.
//!
//!   zarrs_peer write DIR NAME   elements on stdin; the metadata is there, and is spelled anew
//!   zarrs_peer read DIR NAME    elements on stdout
//!
//! Elements are in C order and native byte order; one of variable length is its length in 4
//! bytes, little-endian, and its bytes.
use std::io::{Read, Write};
use std::sync::Arc;

use zarrs::array::{Array, ArrayBytes, ArrayBytesOffsets};
use zarrs::filesystem::FilesystemStore;

type Error = Box<dyn std::error::Error>;

fn write(array: &Array<FilesystemStore>, data: Vec<u8>) -> Result<(), Error> {
    let elements = if array.data_type().is_fixed() {
        ArrayBytes::new_flen(data)
    } else {
        let (mut bytes, mut offsets, mut rest) = (Vec::new(), vec![0], data.as_slice());
        while let Some((head, behind)) = rest.split_first_chunk::<4>() {
            let (element, behind) = behind.split_at(u32::from_le_bytes(*head) as usize);
            bytes.extend_from_slice(element);
            offsets.push(bytes.len());
            rest = behind;
        }
        ArrayBytes::new_vlen(bytes, ArrayBytesOffsets::new(offsets)?)?
    };
    array.store_metadata()?;
    array.store_array_subset(&array.subset_all(), elements)?;
    Ok(())
}

fn read(array: &Array<FilesystemStore>) -> Result<Vec<u8>, Error> {
    let elements: ArrayBytes = array.retrieve_array_subset(&array.subset_all())?;
    if array.data_type().is_fixed() {
        return Ok(elements.into_fixed()?.into_owned());
    }
    let (bytes, offsets) = elements.into_variable()?.into_parts();
    let mut out = Vec::new();
    for pair in offsets.windows(2) {
        let element = &bytes[pair[0]..pair[1]];
        out.extend_from_slice(&(element.len() as u32).to_le_bytes());
        out.extend_from_slice(element);
    }
    Ok(out)
}

fn run() -> Result<(), Error> {
    let args: Vec<String> = std::env::args().collect();
    let [_, verb, dir, name] = args.as_slice() else {
        return Err("usage: zarrs_peer write|read DIR NAME".into());
    };
    let array = Array::open(Arc::new(FilesystemStore::new(dir)?), &format!("/{name}"))?;
    match verb.as_str() {
        "write" => {
            let mut data = Vec::new();
            std::io::stdin().read_to_end(&mut data)?;
            write(&array, data)
        }
        "read" => Ok(std::io::stdout().write_all(&read(&array)?)?),
        _ => Err("no such command".into()),
    }
}

fn main() {
    if let Err(error) = run() {
        let mut cause: Option<&dyn std::error::Error> = Some(error.as_ref());
        while let Some(one) = cause {
            eprintln!("{one}");
            cause = one.source();
        }
        std::process::exit(1);
    }
}
