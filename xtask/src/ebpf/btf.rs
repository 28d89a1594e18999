//! The one thing in an object that the linker leaves to chance: the order of its BTF's forward declarations.
//!
//! LLVM's `BTFDebug` keeps the types that are pointed to and nowhere described in a map whose keys are addresses, and declares them at the end
//! in the map's order. `__sk_buff` points to two such types, and in one build of the pacer in some thirty they change places.
//! Layout: Documentation/bpf/btf.rst of the kernel's sources.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection};

/// Magic number, version, flags and length of the header.
const MAGIC_AND_HEADER: [u8; 8] = [0x9f, 0xeb, 1, 0, 24, 0, 0, 0];
const HEADER: usize = 24;
const TYPE: usize = 12;
const POINTER: u32 = 2;
const FORWARD: u32 = 7;

/// Puts the forward declarations of an object's BTF, and their names, into the order in which pointers mention them.
///
/// # Errors
/// An object without BTF, or with BTF that is not as the linker of these objects writes it.
pub(super) fn order_forward_declarations(object: &mut [u8]) -> Result<()> {
    let section = section(object)?;
    order(object.get_mut(section).context(".BTF lies outside of the object")?)
}

fn order(btf: &mut [u8]) -> Result<()> {
    if btf.get(..8) != Some(&MAGIC_AND_HEADER) {
        bail!("not BTF of version 1, little-endian");
    }
    let types = types(btf)?;
    let of_kind = |kind: u32| types.iter().filter(move |it| it.kind == kind).copied().collect::<Vec<_>>();
    let (slots, pointers) = (of_kind(FORWARD), of_kind(POINTER));
    let targets = pointers.iter().map(|pointer| word(btf, pointer.at + 8)).collect::<Result<Vec<_>>>()?;
    let mut declared = slots.iter().map(|slot| Declaration::read(btf, *slot)).collect::<Result<Vec<_>>>()?;
    let name_at = names(btf, &declared)?;
    declared.sort_by_key(|declaration| targets.iter().position(|target| *target == declaration.was));
    let moved = declare(btf, name_at, &slots, &declared)?;
    for (pointer, target) in pointers.iter().zip(&targets) {
        if let Some(id) = moved.get(target) {
            put(btf, pointer.at + 8, *id)?;
        }
    }
    Ok(())
}

/// Writes the declarations into the slots and their names from `name_at` on; new identifiers by old ones.
fn declare(btf: &mut [u8], mut name_at: usize, slots: &[Type], declared: &[Declaration]) -> Result<BTreeMap<u32, u32>> {
    let strings = strings(btf)?;
    for (slot, declaration) in slots.iter().zip(declared) {
        put(btf, slot.at, u32::try_from(name_at - strings)?)?;
        put(btf, slot.at + 4, declaration.info)?;
        let name = name_at..name_at + declaration.name.len();
        btf.get_mut(name).context("a name outside of .BTF")?.copy_from_slice(&declaration.name);
        name_at += declaration.name.len();
    }
    Ok(declared.iter().zip(slots).map(|(declaration, slot)| (declaration.was, slot.id)).collect())
}

/// A type of the section.
#[derive(Debug, Clone, Copy)]
struct Type {
    id: u32,
    kind: u32,
    /// Where its record begins.
    at: usize,
}

/// What is known of a type that others point to: a name, and whether it is a structure or a union.
#[derive(Debug)]
struct Declaration {
    /// Its type's identifier.
    was: u32,
    info: u32,
    /// With the NUL behind it.
    name: Vec<u8>,
    name_at: usize,
}

impl Declaration {
    fn read(btf: &[u8], slot: Type) -> Result<Self> {
        let name_at = strings(btf)? + word(btf, slot.at)? as usize;
        let rest = btf.get(name_at..).context("a name outside of .BTF")?;
        let end = rest.iter().position(|byte| *byte == 0).context("a name without an end")?;
        Ok(Self { was: slot.id, info: word(btf, slot.at + 4)?, name: rest[..=end].to_vec(), name_at })
    }
}

fn section(object: &[u8]) -> Result<Range<usize>> {
    let file = object::File::parse(object).context("not an ELF object")?;
    let section = file.section_by_name(".BTF").context("the object has no .BTF")?;
    let (start, length) = section.file_range().context(".BTF is empty")?;
    Ok(usize::try_from(start)?..usize::try_from(start + length)?)
}

/// Every type; a record may be followed by data whose length its kind tells.
fn types(btf: &[u8]) -> Result<Vec<Type>> {
    let (mut at, length) = (HEADER + word(btf, 8)? as usize, word(btf, 12)? as usize);
    let (end, mut types) = (at + length, Vec::new());
    while at < end {
        let info = word(btf, at + 4)?;
        let (kind, members) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
        types.push(Type { id: u32::try_from(types.len())? + 1, kind, at });
        at += TYPE + behind(kind, members)?;
    }
    Ok(types)
}

/// Bytes behind a record of a kind (`BTF_KIND_*` of include/uapi/linux/btf.h) with so many members.
fn behind(kind: u32, members: usize) -> Result<usize> {
    const INT: u32 = 1;
    const ARRAY: u32 = 3;
    const STRUCT: u32 = 4;
    const UNION: u32 = 5;
    const ENUM: u32 = 6;
    const TYPEDEF: u32 = 8;
    const FUNC: u32 = 12;
    const FUNC_PROTO: u32 = 13;
    const VAR: u32 = 14;
    const DATASEC: u32 = 15;
    const FLOAT: u32 = 16;
    const DECL_TAG: u32 = 17;
    const TYPE_TAG: u32 = 18;
    const ENUM64: u32 = 19;
    Ok(match kind {
        INT | VAR | DECL_TAG => 4,
        ARRAY => 12,
        STRUCT | UNION | DATASEC | ENUM64 => 12 * members,
        ENUM | FUNC_PROTO => 8 * members,
        // From TYPEDEF to FUNC: VOLATILE, CONST and RESTRICT too.
        POINTER | FORWARD | TYPEDEF..=FUNC | FLOAT | TYPE_TAG => 0,
        _ => bail!("BTF of the unknown kind {kind}"),
    })
}

/// Where the names begin: they must be the last strings and nothing else's, or they could not change places.
fn names(btf: &[u8], declared: &[Declaration]) -> Result<usize> {
    let end = strings(btf)? + word(btf, 20)? as usize;
    let mut places: Vec<Range<usize>> = declared.iter().map(|it| it.name_at..it.name_at + it.name.len()).collect();
    places.sort_by_key(|place| place.start);
    let start = places.first().map_or(end, |place| place.start);
    let meet = places.windows(2).all(|pair| pair[0].end == pair[1].start);
    if !meet || places.last().is_some_and(|place| place.end != end) {
        bail!("the forward declarations' names are not the last strings of .BTF");
    }
    Ok(start)
}

/// Where the strings begin.
fn strings(btf: &[u8]) -> Result<usize> {
    Ok(HEADER + word(btf, 16)? as usize)
}

fn word(btf: &[u8], at: usize) -> Result<u32> {
    let bytes = btf.get(at..at + 4).context("cut short")?;
    Ok(u32::from_le_bytes(bytes.try_into()?))
}

fn put(btf: &mut [u8], at: usize, value: u32) -> Result<()> {
    btf.get_mut(at..at + 4).context("cut short")?.copy_from_slice(&value.to_le_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::object::OBJECTS;
    use super::super::workspace;
    use super::*;

    const INFO_OF_STRUCT: u32 = FORWARD << 24;
    const INFO_OF_UNION: u32 = 1 << 31 | FORWARD << 24;

    /// Two pointers in a structure: the first to the structure `omega`, the second to the union `pi`; declared in one order or the other.
    fn btf(omega_first: bool) -> Vec<u8> {
        let (omega, pi, strings, declared) = match omega_first {
            true => (4, 5, "\0it\0omega\0pi\0", [[4, INFO_OF_STRUCT, 0], [10, INFO_OF_UNION, 0]]),
            false => (5, 4, "\0it\0pi\0omega\0", [[4, INFO_OF_UNION, 0], [7, INFO_OF_STRUCT, 0]]),
        };
        let (structure, pointer) = (4 << 24 | 2, POINTER << 24);
        let types = [
            [1, structure, 16].as_slice(),
            &[1, 2, 0, 1, 3, 64],
            &[0, pointer, omega],
            &[0, pointer, pi],
            &declared.concat(),
        ]
        .concat();
        let length = 4 * types.len() as u32;
        let words = [&[0, length, length, strings.len() as u32], types.as_slice()].concat();
        let words = words.iter().flat_map(|word| word.to_le_bytes());
        MAGIC_AND_HEADER.into_iter().chain(words).chain(strings.bytes()).collect()
    }

    #[test]
    fn both_orders_become_the_one_of_the_pointers() {
        for omega_first in [true, false] {
            let mut ordered = btf(omega_first);
            order(&mut ordered).unwrap();
            assert_eq!(ordered, btf(true));
        }
    }

    #[test]
    fn the_committed_objects_are_in_order() {
        for object in &OBJECTS {
            let committed = fs::read(workspace().join(object.file)).unwrap();
            let mut ordered = committed.clone();
            order_forward_declarations(&mut ordered).unwrap();
            assert_eq!(ordered, committed, "{}", object.file);
        }
    }

    #[test]
    fn a_section_cut_short_is_refused() {
        let whole = btf(false);
        for length in 0..whole.len() {
            assert!(order(&mut whole[..length].to_vec()).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn names_that_are_not_the_last_strings_are_refused() {
        let mut shared = btf(false);
        let second = shared.len() - "\0it\0pi\0omega\0".len() - TYPE;
        put(&mut shared, second, 4).unwrap();
        assert!(order(&mut shared).unwrap_err().to_string().contains("last strings"));
    }
}
